"""Test results: JUnit XML of whatever wrote it."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import JUnitXmlError

from runner.junit import Case
from schemas.errors import EvidenceError


def read_junit(path: Path) -> list[Case]:
    """All test cases of a file. Raises EvidenceError for a file that is missing or is not JUnit XML."""
    try:
        found = JUnitXml.fromfile(str(path))
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror or error} (this evidence is missing)") from None
    except (ParseError, JUnitXmlError, ValueError, TypeError) as error:
        raise EvidenceError(f"{path}: is not JUnit XML: {error}") from None
    suites = [found] if isinstance(found, TestSuite) else list(found)
    return [_case(case) for suite in suites for case in _cases(suite)]


def _cases(suite: TestSuite) -> Iterator[TestCase]:
    yield from (case for case in suite if isinstance(case, TestCase))
    for inner in suite.testsuites():  # type: ignore[no-untyped-call]
        yield from _cases(inner)


def _case(case: TestCase) -> Case:
    results = list(case.result)
    bad = [result for result in results if isinstance(result, Failure | Error)]
    skipped = any(isinstance(result, Skipped) for result in results)
    status = "failed" if bad else "skipped" if skipped else "passed"
    detail = str(bad[0].message or "") if bad else ""
    return Case(str(case.classname or ""), str(case.name or ""), status, " ".join(detail.split())[:200])
