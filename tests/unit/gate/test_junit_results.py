"""Results of tests as JUnit XML: what is not understood does not pass."""

from pathlib import Path

import pytest

from soak.runner.gate.test_results import read_junit
from soak.schemas.errors import EvidenceError


def statuses(path: Path, text: str) -> list[tuple[str, str]]:
    (path / "results.xml").write_text(text)
    return [(case.name, case.status) for case in read_junit(path / "results.xml")]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("", "passed"),
        ("<system-out>text</system-out><properties/>", "passed"),
        ("<flakyFailure/>", "passed"),
        ("<failure/>", "failed"),
        ("<error/>", "failed"),
        ("<Failure/>", "failed"),
        ("<rerunFailure/>", "failed"),
        ('<a:failure xmlns:a="urn:a"/>', "failed"),
        ("<skipped/>", "skipped"),
    ],
)
def test_what_a_case_holds(tmp_path: Path, inside: str, expected: str) -> None:
    assert statuses(tmp_path, f'<testsuite><testcase name="a">{inside}</testcase></testsuite>') == [("a", expected)]


@pytest.mark.parametrize("words", ['status="notrun"', 'status="run" result="suppressed"', 'status="disabled"'])
def test_a_case_that_was_not_run_is_skipped(tmp_path: Path, words: str) -> None:
    assert statuses(tmp_path, f'<testsuite><testcase name="a" {words}/></testsuite>') == [("a", "skipped")]


def test_cases_count_wherever_they_stand(tmp_path: Path) -> None:
    text = """
        <testsuites><testcase name="top"><failure/></testcase>
          <testsuite><testcase name="in"/><testsuite><testcase name="deep"><error/></testcase></testsuite></testsuite>
        </testsuites>
    """
    assert statuses(tmp_path, text) == [("top", "failed"), ("in", "passed"), ("deep", "failed")]


def test_counters_that_tell_of_more_failures_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="reports 7 failed test cases, but contains 0"):
        statuses(tmp_path, '<testsuite tests="9" failures="4" errors="3"><testcase name="a"/></testsuite>')
