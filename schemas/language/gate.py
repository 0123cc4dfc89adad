"""The gate language as typed data: a gate file to a typed gate, or to all its problems."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from soak.schemas.errors import Problem, ScenarioError
from soak.schemas.evidence.verdict import Outcome
from soak.schemas.language.comparison import sli_of_other_tools
from soak.schemas.language.derived import derived
from soak.schemas.language.document import Document, read_document
from soak.schemas.language.expression import Op, UnclearError, Unit, parse_expression
from soak.schemas.language.registry import catalogues
from soak.schemas.language.schema import read_schema
from soak.schemas.language.shape import did_you_mean, shape_problems, with_defaults
from soak.schemas.language.slis import Sli
from soak.schemas.units import duration

_KINDS = ("tests", "runs")


@cache
def slis_of_every_system() -> dict[str, Sli]:
    """The built-in indicators of all systems, by name; of those of the same name the first, which is ours if we have one."""
    found: dict[str, Sli] = {}
    for slis in catalogues().values():
        found = {**slis, **found}
    return found


class Evidence(Struct, frozen=True):
    """Requirements for every run that a rule checks; `max_age_s` None: any age."""

    max_age_s: float | None
    one_commit: bool
    clean_tree: bool
    recompute: bool
    laws: bool


class TestsRule(Struct, frozen=True):
    """JUnit results in which every test case must have passed; `cases` are patterns that must each match one."""

    name: str
    files: str
    at_least: int
    cases: tuple[str, ...]
    skipped: bool


class Bound(Struct, frozen=True):
    """`sli op target`, in base units."""

    text: str
    sli: str
    op: Op
    target: float
    unit: Unit


class ReviewsRule(Struct, frozen=True):
    """Acceptances that each run needs: by how many people, in which roles, and how old they may be (None: any age)."""

    at_least: int
    roles: tuple[str, ...]
    within_s: float | None


class RunsRule(Struct, frozen=True):
    """Run directories with a verdict; see the schema for the fields. None: not required."""

    name: str
    where: str
    scenarios: tuple[str, ...]
    at_least: int | None
    verdicts: tuple[Outcome, ...]
    target: str | None
    least_s: float | None
    fastest: float | None
    bounds: tuple[Bound, ...]
    newest: bool
    warnings: bool
    """Whether runs with warnings count."""
    thin: bool
    """Whether runs count in which an objective holds on thin evidence."""
    documents: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    reviewed: ReviewsRule | None = None


class Gate(Struct, frozen=True):
    """A whole gate, checked."""

    name: str
    title: str
    evidence: Evidence
    rules: tuple[TestsRule | RunsRule, ...]


def load_gate(path: Path) -> Gate:
    """The gate in a file. Raises ScenarioError with every problem of the file, and UsageError when it cannot be read."""
    document = read_document(path, "gate")
    problems = document.problems + shape_problems(document, schema="gate")
    if not problems:
        problems = list(_problems(document))
    if problems:
        raise ScenarioError(problems)
    data: Any = with_defaults(document.data, read_schema("gate"))
    evidence = data["evidence"]
    return Gate(
        name=data["name"],
        title=data["title"],
        evidence=Evidence(
            max_age_s=duration(evidence["max_age"]) if "max_age" in evidence else None,
            one_commit=evidence["one_commit"],
            clean_tree=evidence["clean_tree"],
            recompute=evidence["recompute"],
            laws=evidence["laws"],
        ),
        rules=tuple(_rule(rule) for rule in data["rules"]),
    )


def _problems(document: Document) -> Iterator[Problem]:
    data: Any = document.data
    names: set[str] = set()
    for place, rule in enumerate(data["rules"]):
        where = "rules", place
        kinds = [kind for kind in _KINDS if kind in rule]
        if len(kinds) != 1:
            what = "has both tests and runs" if kinds else "has neither tests nor runs"
            yield document.problem(where, what, "write either tests: or runs: in each rule")
        if rule["name"] in names:
            yield document.problem((*where, "name"), f"the name {rule['name']!r} is duplicated", "give it another name")
        names.add(rule["name"])
        for number, text in enumerate(rule.get("runs", {}).get("slis", [])):
            try:
                _bound(text)
            except UnclearError as error:
                yield document.problem((*where, "runs", "slis", number), error.what, error.remedy)


def _rule(rule: Any) -> TestsRule | RunsRule:
    if "tests" in rule:
        tests = rule["tests"]
        return TestsRule(rule["name"], tests["files"], tests["at_least"], tuple(tests["cases"]), tests["skipped"])
    runs = rule["runs"]
    return RunsRule(
        name=rule["name"],
        where=runs["in"],
        scenarios=tuple(runs["scenarios"]),
        at_least=runs.get("at_least"),
        verdicts=tuple(map(Outcome, runs["verdicts"])),
        target=runs.get("target"),
        least_s=duration(runs["duration"]) if "duration" in runs else None,
        fastest=runs.get("fastest"),
        bounds=tuple(map(_bound, runs["slis"])),
        newest=runs["newest"],
        warnings=runs["warnings"],
        thin=runs["thin"],
        documents=tuple(runs["documents"]),
        alerts=tuple(runs["alerts"]),
        reviewed=_reviews(runs["reviewed"]) if "reviewed" in runs else None,
    )


def _reviews(reviewed: Any) -> ReviewsRule:
    within_s = duration(reviewed["within"]) if "within" in reviewed else None
    return ReviewsRule(reviewed["by_at_least"], tuple(reviewed["roles"]), within_s)


def _bound(text: str) -> Bound:
    expression = parse_expression(text)
    if expression.selector or expression.relative:
        raise UnclearError("a gate compares an SLI of the whole run with a fixed target", "write <sli> <op> <target>")
    slis = slis_of_every_system()
    sli = slis.get(expression.sli) or derived(expression.sli, slis)
    if sli is None:
        hint = sli_of_other_tools(expression.sli, slis) or did_you_mean(expression.sli, list(slis))
        raise UnclearError(f"unknown SLI {expression.sli!r}", hint)
    return Bound(expression.text, expression.sli, expression.op, sli.unit.parse(expression.target), sli.unit)
