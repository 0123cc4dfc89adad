"""Test results: JUnit XML from any tool. Anything not understood does not pass."""

from pathlib import Path
from xml.etree.ElementTree import ParseError

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase
from junitparser.junitparser import JUnitXmlError

from soak.runner.junit import Case
from soak.schemas.errors import EvidenceError, reason

_NOT_RUN = frozenset({"notrun", "skipped", "disabled", "suppressed", "ignored"})
_OUTPUT = frozenset({"system-out", "system-err", "properties", "skipped", "flakyFailure", "flakyError"})
"""Elements allowed in a test case that passed or was skipped; a flaky test of Maven passed in the end."""


def read_junit(path: Path) -> list[Case]:
    """All test cases of a file.

    Raises EvidenceError, which does not name the file, for one that is missing, is not JUnit XML or contradicts itself.
    """
    try:
        found = JUnitXml.fromfile(str(path))
    except OSError as error:
        raise EvidenceError(f"{reason(error)} (this evidence is missing)") from None
    except (ParseError, JUnitXmlError, ValueError, TypeError) as error:
        raise EvidenceError(f"is not JUnit XML: {error}") from None
    root = found._elem
    cases = [_case(TestCase.fromelem(element)) for element in root.iter() if _plain(element.tag) == "testcase"]
    counted, seen = _counted_bad(found), sum(case.status == "failed" for case in cases)
    if counted > seen:
        what = f"reports {counted} failed test cases, but contains {seen}"
        raise EvidenceError(f"{what} (it is truncated, or was merged incorrectly)")
    return cases


def _counted_bad(found: JUnitXml) -> int:
    """Failed test cases, according to the largest of the counters in a file."""
    suites = [element for element in found._elem.iter() if _plain(element.tag) in {"testsuite", "testsuites"}]
    return max((_number(suite.get("failures")) + _number(suite.get("errors")) for suite in suites), default=0)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _plain(tag: object) -> str:
    """A tag without its namespace; empty for a comment."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _case(case: TestCase) -> Case:
    results = list(case.result)
    bad = [result for result in results if isinstance(result, Failure | Error)]
    unknown = [_plain(child.tag) for child in case._elem if _plain(child.tag) not in _OUTPUT]
    words = {str(case._elem.get(name, "")).lower() for name in ("status", "result")}
    skipped = any(isinstance(result, Skipped) for result in results) or not _NOT_RUN.isdisjoint(words)
    status = "failed" if bad or any(unknown) else "skipped" if skipped else "passed"
    detail = str(bad[0].message or "") if bad else ", ".join(filter(None, unknown))
    return Case(str(case.classname or ""), str(case.name or ""), status, " ".join(detail.split())[:200])
