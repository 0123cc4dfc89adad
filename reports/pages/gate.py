"""gate.html: the decision of a gate."""

from collections.abc import Iterator

from soak.reports.gate import summary
from soak.reports.look.blocks import Part, Section, Sheet, Step, Text, Tile
from soak.reports.look.page import Head
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.reports.sheet import render_sheet
from soak.schemas.evidence.decision import Decision, RuleResult

_MOST_CHECKS = 200


def gate_page(decision: Decision) -> bytes:
    """The page as a file."""
    return render_sheet(sheet_of(decision))


def sheet_of(decision: Decision) -> Sheet:
    """The page."""
    rules = [*decision.rules, *decision.evidence]
    broken = [each for each in rules if not each.ok]
    sections = [Section("Rules", [_rules(rules)])]
    sections += [Section(f"Broken: {each.rule}", list(_checked(each))) for each in broken]
    sections += [Section(f"Holds: {each.rule}", list(_checked(each)), folded=True) for each in rules if each.ok]
    reasons = [f"{each.rule}: {summary(each)}" for each in broken]
    return Sheet(_head(decision, rules, broken), list(_steps(decision, broken)), sections, reasons, _tiles(rules))


def _head(decision: Decision, rules: list[RuleResult], broken: list[RuleResult]) -> Head:
    if decision.passed:
        lead = f"All {len(rules)} rules hold: the evidence is what the gate asks for."
    else:
        lead = f"{len(broken)} of {len(rules)} rules {'is' if len(broken) == 1 else 'are'} broken."
    commit = f"commit {decision.commit[:12]}" if decision.commit else ""
    of_commit = f" for commit {decision.commit}" if decision.commit else ""
    return Head(
        title=decision.title or decision.gate,
        kicker=" · ".join(filter(None, [decision.gate, "gate", commit])),
        status="PASSED" if decision.passed else "REFUSED",
        tone=Tone.OK if decision.passed else Tone.BAD,
        lead=lead,
        made=f"Decided at {decision.decided_at}{of_commit}; gate.json has every check.",
    )


def _tiles(rules: list[RuleResult]) -> list[Tile]:
    checks = [check for rule in rules for check in rule.checks]
    ok = sum(check.ok for check in checks)
    held = sum(rule.ok for rule in rules)
    return [
        Tile("rules that hold", f"{held} of {len(rules)}", "", Tone.OK if held == len(rules) else Tone.BAD),
        Tile(
            "checks that are satisfied",
            f"{ok:,} of {len(checks):,}",
            "files and runs",
            Tone.OK if ok == len(checks) else Tone.DOUBT,
        ),
    ]


def _steps(decision: Decision, broken: list[RuleResult]) -> Iterator[Step]:
    bad = [(check.file, rule) for rule in broken for check in rule.checks if not check.ok]
    if decision.passed:
        yield Step("Keep gate.json with the release: it names every run and file that was looked at")
    if any(rule.rule == "evidence" for rule in broken):
        yield Step("Recompute the verdict of a run whose evidence is doubted", "soak verify RUN_DIR")
    if bad:
        yield Step(f"Open what is named first: {bad[0][0]}")
    if any(not rule.checks for rule in broken):
        yield Step("Make the evidence that is missing, and see that it is below --root", "soak run SCENARIO")
    if not decision.passed:
        yield Step("Decide again", "soak gate GATE")


def _rules(rules: list[RuleResult]) -> Table:
    columns = (Column("", status=True), Column("rule"), Column("checked", number=True), Column("result"))
    rows: list[list[AnyCell]] = [
        [
            _answer("holds" if rule.ok else "broken", ok=rule.ok),
            rule.rule,
            f"{sum(check.ok for check in rule.checks):,} of {len(rule.checks):,}",
            summary(rule),
        ]
        for rule in rules
    ]
    return Table(columns, rows, "Rules")


def _answer(word: str, *, ok: bool) -> Cell:
    return Cell(word, tone=Tone.OK if ok else Tone.BAD)


def _checked(rule: RuleResult) -> Iterator[Part]:
    if rule.detail:
        yield Text(rule.detail, soft=False)
    ordered = sorted(rule.checks, key=lambda check: check.ok)
    columns = (Column("", status=True), Column("file", code=True), Column("result"))
    rows: list[list[AnyCell]] = [
        [_answer("ok" if check.ok else "no", ok=check.ok), check.file, check.detail] for check in ordered[:_MOST_CHECKS]
    ]
    yield Table(columns, rows, rule.rule, "Nothing was checked.")
    if len(ordered) > _MOST_CHECKS:
        yield Text(f"{len(ordered) - _MOST_CHECKS:,} more are in gate.json.")
