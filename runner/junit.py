"""JUnit XML: one test case for each check of a verdict, for tools that show test results."""

from dataclasses import dataclass
from xml.etree import ElementTree

import msgspec

from soak.schemas.evidence.verdict import Status, Verdict

FILE = "junit.xml"


@dataclass(frozen=True, slots=True)
class Case:
    """A test case: `status` is passed, failed or skipped, `detail` explains it."""

    group: str
    name: str
    status: str
    detail: str = ""

    @property
    def full_name(self) -> str:
        """Group and name in one."""
        return f"{self.group}::{self.name}"


def verdict_cases(verdict: Verdict) -> list[Case]:
    """One case for each objective, alert with an expectation, law, abort condition and fault.

    What is INCONCLUSIVE or does not apply to the target is skipped.
    """
    found = [
        *(("objectives", each.objective, each.status, each.warning or each.detail) for each in verdict.objectives),
        *(("laws", each.law, each.status, each.detail or each.description) for each in verdict.laws),
        *(("alerts", each.name, each.status or Status.PASS, each.detail) for each in verdict.alerts),
        *(("faults", each.name, each.status, each.detail) for each in verdict.faults),
    ]
    cases = [Case(group, name, _STATUS[status], detail) for group, name, status, detail in found]
    for abort in verdict.aborts:
        held = abort.held_at_s is not None
        cases.append(
            Case("aborts", f"{abort.name}: {abort.when}", "failed" if held else "passed", "it held" if held else "")
            if abort.not_applicable is msgspec.UNSET
            else Case("aborts", f"{abort.name}: {abort.when}", "skipped", abort.not_applicable)
        )
    passed = verdict.verdict.exit_code == 0
    cases.append(Case("verdict", verdict.headline, "passed" if passed else "failed", "; ".join(verdict.reasons)))
    return cases


_STATUS = {
    Status.PASS: "passed",
    Status.FAIL: "failed",
    Status.INCONCLUSIVE: "skipped",
    Status.NOT_APPLICABLE: "skipped",
}


def write_junit(name: str, cases: list[Case]) -> bytes:
    """JUnit XML with one suite for each group of cases."""
    root = ElementTree.Element("testsuites", _counts(name, cases))
    for group in dict.fromkeys(case.group for case in cases):
        members = [case for case in cases if case.group == group]
        suite = ElementTree.SubElement(root, "testsuite", _counts(f"{name}.{group}", members))
        for case in members:
            written = ElementTree.SubElement(
                suite, "testcase", {"classname": f"{name}.{group}", "name": _clean(case.name), "time": "0"}
            )
            if case.status != "passed":
                kind = "failure" if case.status == "failed" else "skipped"
                ElementTree.SubElement(written, kind, {"message": _clean(case.detail)})
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _counts(name: str, cases: list[Case]) -> dict[str, str]:
    counts = {status: sum(case.status == status for case in cases) for status in ("failed", "skipped")}
    numbers = {"tests": len(cases), "failures": counts["failed"], "errors": 0, "skipped": counts["skipped"]}
    return {"name": name, **{key: str(number) for key, number in numbers.items()}}


def _clean(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\t\n")
