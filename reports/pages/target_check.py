"""The page of `soak target check`: promises kept, broken and not tested, or the steps of a trial."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from soak.reports.look.blocks import Points, Section, Sheet, Step, Text, Tile
from soak.reports.look.page import Head
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.reports.sheet import render_sheet

TONES = {
    "kept": Tone.OK,
    "ok": Tone.OK,
    "broken": Tone.BAD,
    "failed": Tone.BAD,
    "not tested": Tone.DOUBT,
    "skipped": Tone.DOUBT,
    "not run": Tone.DOUBT,
}
_GOOD, _BAD = ("kept", "ok"), ("broken", "failed")


class Checked(Struct, frozen=True):
    """A promise or a step, what came out, and why."""

    name: str
    status: str
    detail: str = ""


class TargetCheck(Struct, frozen=True):
    """A check of a target. noun: what was checked, `promise` or `step`. level: what can be judged, in words; empty: no levels.

    tasks: how many there were by state. laws: that were broken. works: whether any task was executed, where tasks were submitted.
    """

    name: str
    noun: str
    checks: Sequence[Checked]
    level: str = ""
    tasks: Mapping[str, int] | None = None
    laws: Sequence[str] = ()
    works: bool = True

    @property
    def kept(self) -> bool:
        """Whether nothing is broken."""
        return self.works and not any(each.status in _BAD for each in self.checks)


def target_page(check: TargetCheck) -> bytes:
    """The page as a file."""
    return render_sheet(sheet_of(check))


def sheet_of(check: TargetCheck) -> Sheet:
    """The page."""
    bad = [each for each in check.checks if each.status in _BAD]
    open_ones = [each for each in check.checks if each.status not in {*_GOOD, *_BAD}]
    sections = [Section(f"Every {check.noun}", [_table(check.checks, check.noun)])]
    if open_ones:
        words = "Nothing is known of these: what depends on them is INCONCLUSIVE in a soak, or left out."
        sections.insert(0, Section("What is missing", [_table(open_ones, check.noun, "What is missing"), Text(words)]))
    if bad:
        sections.insert(0, Section("Broken", [_table(bad, check.noun, "Broken")]))
    if check.laws:
        sections.append(Section("Integrity laws that are broken", [Points(check.laws)]))
    reasons = [f"{each.name}: {each.detail}" if each.detail else each.name for each in bad]
    if not check.works:
        reasons.insert(0, "No task was executed: see that workers take what is submitted, and that a body reports.")
    return Sheet(_head(check, bad, open_ones), list(_steps(check, bad)), sections, reasons, list(_tiles(check)))


def _head(check: TargetCheck, bad: Sequence[Checked], open_ones: Sequence[Checked]) -> Head:
    good = sum(each.status in _GOOD for each in check.checks)
    word = "kept" if check.noun == "promise" else "ok"
    missing = f", {len(open_ones)} not tested or not applicable" if open_ones else ""
    return Head(
        title=f"Check of {check.name}",
        kicker="target check",
        status="KEPT" if check.kept else "BROKEN",
        tone=Tone.OK if check.kept else Tone.BAD,
        lead=f"{good} of {len(check.checks)} {check.noun}s {word}, {len(bad)} broken{missing}.",
        made="Made by soak target check: it runs the target by itself, without a scenario of yours.",
    )


def _tiles(check: TargetCheck) -> Iterator[Tile]:
    if check.level:
        yield Tile("what can be judged", check.level.partition(":")[0], check.level.partition(":")[2].strip())
    counts: dict[str, int] = {}
    for each in check.checks:
        counts[each.status] = counts.get(each.status, 0) + 1
    for status, count in counts.items():
        yield Tile(status, f"{count} of {len(check.checks)}", "", TONES.get(status, Tone.NONE))
    if check.tasks:
        told = ", ".join(f"{count:,} {state}" for state, count in check.tasks.items() if count and state != "accepted")
        yield Tile("tasks", f"{check.tasks.get('accepted', sum(check.tasks.values())):,}", told)


def _steps(check: TargetCheck, bad: Sequence[Checked]) -> Iterator[Step]:
    if bad:
        yield Step(f"Mend what is named first, {bad[0].name}, or leave that promise out of the target's declaration")
        yield Step("Check again", f"soak target check {check.name}")
    else:
        yield Step("Soak it, faster than real time", f"soak run scenarios/72h.yaml --target {check.name} --speed 60")


def _table(found: Sequence[Checked], noun: str, caption: str = "") -> Table:
    columns = (Column("", status=True), Column(noun), Column("what was seen", wide=True))
    rows: list[list[AnyCell]] = [
        [Cell(each.status, tone=TONES.get(each.status, Tone.NONE)), each.name, each.detail] for each in found
    ]
    return Table(columns, rows, caption or f"Every {noun}", "Nothing was checked.")
