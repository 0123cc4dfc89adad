"""Explanations in the terminal, in the summary, on the page and in the incident."""

from pathlib import Path

import pytest
from histories import verdict

from soak.reports.data import read_run
from soak.reports.render import render
from soak.runner.cli import run_command
from soak.runner.explained import reasons_explained
from soak.schemas.evidence.explanation import Explanation
from soak.schemas.evidence.verdict import Verdict

TWICE = """
0 enqueued 1
2 dispatched 1 w0
2 started 1 w0 @1
3 dispatched 1 w1
3 started 1 w1 @1
9 ended 1 w0 @1
9 done 1
9 ended 1 w1 @1
"""
ABORTED = """
version: 1
name: zombies
system: queue
duration: 1h
drain: 10m
seed: 3
workload:
  arrivals: {rate: 6/min}
  task: {duration: {distribution: constant, value: 5s}, }
queue: {workers: 3, lease: {duration: 30s, heartbeat: 10s}}
faults: [{name: hang, type: worker_hang, rate: 20%, hang_for: 2m}]
slos: [duplicate_executions == 0]
abort: [{name: twice, when: duplicate_executions >= 3}]
"""


def lines_of(made: Verdict) -> list[str]:
    return [line for text, below in reasons_explained(made) for line in (f"  {text}", *below)]


def test_each_reason_is_followed_by_what_explains_it() -> None:
    made = verdict(TWICE, "slos: [duplicate_executions == 0, illegal_transitions == 0]")
    assert lines_of(made) == [
        "  objective duplicate_executions == 0 is broken: 1 observed",
        "    duplicate_executions was above 0 from 3s on. First: task 1 at 3s on w1. By cause: claimed twice (1).",
        "    claimed twice, 1 (running on w0 to running on w1): task 1 at 3s on w1",
        "  objective illegal_transitions == 0 is broken: 1 observed",
        "    illegal_transitions was above 0 from 3s on. First: task 1 at 3s on w1. By cause: IN_PROGRESS to IN_PROGRESS (1).",
        "    IN_PROGRESS to IN_PROGRESS, 1: task 1 at 3s on w1",
        "  law legal_transitions is broken: 1 illegal transitions",
        "    First: task 1 at 3s on w1. By cause: IN_PROGRESS to IN_PROGRESS (1).",
        "    the cases are those of illegal_transitions == 0",
    ]


def test_lines_of_a_terminal_are_not_too_long() -> None:
    history = "".join(
        f"{n} enqueued {n}\n{n} dispatched {n} w0\n{n} failed {n} w0 error=e{n % 7}\n" for n in range(1, 40)
    )
    lines = lines_of(verdict(history, "slos: [success_rate >= 50%]"))
    assert max(map(len, lines)) <= 116
    assert lines[-1] == "    2 more causes are in the report"


@pytest.fixture(scope="module")
def aborted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("aborted")
    (directory / "zombies.yaml").write_text(ABORTED, encoding="utf-8")
    assert run_command(["run", str(directory / "zombies.yaml"), "--out", str(directory / "run")]) == 4
    return directory / "run"


def explained(directory: Path, subject: str) -> Explanation:
    [found] = [each for each in read_run(directory).verdict.explanation if each.subject == subject]
    return found


def test_every_document_says_why(aborted: Path) -> None:
    abort, objective = explained(aborted, "twice"), explained(aborted, "duplicate_executions == 0")
    assert abort.cases == objective.cases
    assert sum(each.count for each in abort.cases) == 3
    files = render(aborted)
    summary, page, incident = (files[name].decode() for name in ("soak_summary.md", "report.html", "incident.md"))
    for document in (summary, incident):
        assert abort.text in document
        assert document.count("| claimed again after its lease expired |") == 1
    assert objective.text in page
    assert ">claimed again after its lease expired</td>" in page
    assert "The cases are those of" in summary


def test_verify_recomputes_the_explanation(aborted: Path) -> None:
    assert run_command(["verify", str(aborted)]) == 0
    path = aborted / "verdict.json"
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b'"cause": "claimed', b'"cause": "forged', 1))
    assert path.read_bytes() != kept
    assert run_command(["verify", str(aborted)]) == 3
    path.write_bytes(kept)
