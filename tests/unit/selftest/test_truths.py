"""Truths of task systems: what a file says has to come out, and whether it did."""

from pathlib import Path

import pytest
from histories import verdict

from soak.runner.selftest.truths import Case, Side, judged, truths
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import Outcome

FILE = """\
version: 1
name: x
x-truth:
  target: celery
  options: {acks_late: true, visibility_timeout: 5}
  expect: FAIL
  indicator: lost_tasks
  tries: 5
  control: {options: {acks_late: false}}
"""

LOST = """
0 enqueued 1 due=0
1 dispatched 1 w0
1 started 1
2 ended 1 error=process_gone
3600 census
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("t11-late", "t2-early"):
        (tmp_path / f"{name}.yaml").write_text(FILE, encoding="utf-8")
    return tmp_path


def test_a_truth_and_its_control(folder: Path) -> None:
    found = truths(folder)
    assert [(each.name, each.side) for each in found] == [
        ("t2", Side.TRUTH),
        ("t2", Side.CONTROL),
        ("t11", Side.TRUTH),
        ("t11", Side.CONTROL),
    ]
    truth, control = found[:2]
    assert (truth.options, truth.tries, truth.expect) == (
        {"acks_late": "true", "visibility_timeout": "5"},
        5,
        (Outcome.FAIL,),
    )
    assert (control.target, control.options, control.expect) == ("celery", {"acks_late": "false"}, (Outcome.PASS,))


def test_only_those_that_are_wanted(folder: Path) -> None:
    assert {each.name for each in truths(folder, ["t11"])} == {"t11"}
    with pytest.raises(UsageError, match=r"no truth 't111' \(did you mean 't11'\?\)"):
        truths(folder, ["t111"])


@pytest.mark.parametrize(
    ("indicator", "cause", "expect", "as_meant"),
    [
        ("lost_tasks", None, Outcome.FAIL, True),
        ("redelivery", None, Outcome.FAIL, True),
        ("duplicate_executions", None, Outcome.FAIL, False),
        ("lost_tasks", "process_gone", Outcome.FAIL, True),
        ("lost_tasks", "worker_kill", Outcome.FAIL, False),
        ("lost_tasks", None, Outcome.PASS, False),
    ],
)
def test_what_came_out_is_held_against_it(
    indicator: str, cause: str | None, expect: Outcome, *, as_meant: bool
) -> None:
    case = Case("t1", Path("t1.yaml"), Side.TRUTH, "celery", {}, (), (expect,), indicator, cause)
    result = judged(case, verdict(LOST, "slos: [lost_tasks == 0]\nevidence: lenient"))
    assert (result.outcome, result.as_meant) == (Outcome.FAIL, as_meant), result.found
