"""JUnit XML: one test case for each check of a verdict, for tools that show test results."""

from xml.etree import ElementTree

import msgspec
from msgspec import Struct

from soak.schemas.evidence.verdict import Outcome, Status, Verdict

FILE = "junit.xml"


class Case(Struct, frozen=True):
    """A test case: `status` is passed, failed or skipped, `detail` explains it."""

    group: str
    name: str
    status: str
    detail: str = ""

    @property
    def full_name(self) -> str:
        """Group and name in one."""
        return f"{self.group}::{self.name}"


class Check(Struct, frozen=True):
    """One check of a verdict, with its status."""

    group: str
    name: str
    status: Status
    detail: str = ""


def verdict_checks(verdict: Verdict) -> list[Check]:
    """Each objective, law, alert with an expectation, fault and abort condition; last the verdict itself."""
    found = [
        *(("objectives", each.objective, each.status, each.warning or each.detail) for each in verdict.objectives),
        *(("laws", each.law, each.status, each.detail or each.description) for each in verdict.laws),
        *(("alerts", each.name, each.status or Status.PASS, each.detail) for each in verdict.alerts),
        *(("faults", each.name, each.status, each.detail) for each in verdict.faults),
    ]
    checks = [Check(*each) for each in found]
    for abort in verdict.aborts:
        name, held = f"{abort.name}: {abort.when}", abort.held_at_s is not None
        checks.append(
            Check("aborts", name, Status.FAIL if held else Status.PASS, "it held" if held else "")
            if abort.not_applicable is msgspec.UNSET
            else Check("aborts", name, Status.NOT_APPLICABLE, abort.not_applicable)
        )
    status = {Outcome.PASS: Status.PASS, Outcome.INCONCLUSIVE: Status.INCONCLUSIVE}.get(verdict.verdict, Status.FAIL)
    return [*checks, Check("verdict", verdict.headline, status, "; ".join(verdict.reasons))]


def verdict_cases(verdict: Verdict) -> list[Case]:
    """A case for each check. INCONCLUSIVE and what does not apply to the target are skipped; a verdict other than PASS failed."""
    *checks, whole = verdict_checks(verdict)
    cases = [Case(each.group, each.name, _STATUS[each.status], each.detail) for each in checks]
    passed = whole.status is Status.PASS
    return [*cases, Case(whole.group, whole.name, "passed" if passed else "failed", whole.detail)]


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
