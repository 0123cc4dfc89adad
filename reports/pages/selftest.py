"""selftest.html: which check found which planted defect, and what is known of task systems of others."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from soak.reports.look.blocks import Part, Section, Sheet, Step, Text, Tile
from soak.reports.look.page import Head
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.reports.sheet import render_sheet
from soak.schemas.units import show_duration

_MOST_CHECKS = 8
_NOT_RUN = "not run"


class FoundCheck(Struct, frozen=True):
    """A check that did not pass, its status, and since when in seconds of scenario time (None: known at the end)."""

    check: str
    status: str
    at_s: float | None = None
    meant: bool = False


class Tried(Struct, frozen=True):
    """A run of the self-test. name: of the defect or the truth; sound: nothing must be found. target: the system, or a scenario.

    verdict: None where it could not be run, and `why` not. expected: what had to come out. after_s: when it was found.
    """

    name: str
    target: str
    sound: bool
    verdict: str | None
    expected: str
    as_meant: bool
    found: Sequence[FoundCheck] = ()
    after_s: float | None = None
    why: str = ""
    tries: int = 1


def selftest_page(tried: Sequence[Tried], target: str, command: str) -> bytes:
    """The page as a file. target: what was tested; command: how."""
    return render_sheet(sheet_of(tried, target, command))


def sheet_of(tried: Sequence[Tried], target: str, command: str) -> Sheet:
    """The page."""
    wrong = [each for each in tried if not each.as_meant]
    sections = []
    if wrong:
        sections.append(Section("Not as meant", [_table(wrong, "Not as meant")]))
    sections.append(Section("Which check found what", list(_matrix(tried))))
    sections.append(Section("Every run", [_table(tried, "Every run"), Text(_AFTER)]))
    reasons = [f"{each.name}, {each.target}: {_why(each)}" for each in wrong]
    return Sheet(_head(tried, wrong, target), list(_steps(wrong, command)), sections, reasons, _tiles(tried))


_AFTER = "After: scenario time until a check meant for it found it; the end, for checks that are made at the end."


def _head(tried: Sequence[Tried], wrong: Sequence[Tried], target: str) -> Head:
    planted = [each for each in tried if not each.sound]
    found = sum(each.as_meant for each in planted)
    sound = [each for each in tried if each.sound]
    quiet = sum(each.as_meant for each in sound)
    parts = [f"{found} of {len(planted)} were found by a check meant for them"] if planted else []
    parts += [f"{quiet} of {len(sound)} runs of a sound system came out clean"] if sound else []
    return Head(
        title=f"Does a soak find what is wrong? {target}",
        kicker=f"self-test · {target}",
        status="NOT AS MEANT" if wrong else "AS MEANT",
        tone=Tone.BAD if wrong else Tone.OK,
        lead=f"{'; '.join(parts) or 'Nothing was run'}.",
        made="Made by soak selftest; the evidence of every run is in the directories beside this file.",
    )


def _tiles(tried: Sequence[Tried]) -> list[Tile]:
    groups = [
        ("defects found", [e for e in tried if not e.sound]),
        ("sound runs without findings", [e for e in tried if e.sound]),
    ]
    tiles = []
    for what, group in groups:
        if group:
            right = sum(each.as_meant for each in group)
            tiles.append(Tile(what, f"{right} of {len(group)}", "", Tone.OK if right == len(group) else Tone.BAD))
    times = [each.after_s for each in tried if each.after_s is not None]
    if times:
        tiles.append(Tile("found at the latest after", show_duration(round(max(times))), "of scenario time"))
    return tiles


def _steps(wrong: Sequence[Tried], command: str) -> Iterator[Step]:
    for each in wrong[:1]:
        yield Step(f"Read the report of the run that came out otherwise: {each.name}", "soak report RUN_DIR")
    if any(each.verdict == "INCONCLUSIVE" for each in wrong):
        yield Step("Repeat on an idle machine: a load that is offered late proves nothing")
    yield Step("Repeat the self-test", command)


def _why(each: Tried) -> str:
    if each.verdict is None:
        return f"{_NOT_RUN}: {each.why}"
    found = ", ".join(check.check for check in each.found) or "nothing"
    return f"{each.verdict}, found: {found}; expected: {each.expected}"


def _matrix(tried: Sequence[Tried]) -> Iterator[Part]:
    """Defects down, checks across: the check that was meant is marked."""
    counts: dict[str, int] = {}
    for each in tried:
        for check in each.found:
            counts[check.check] = counts.get(check.check, 0) + 1
    checks = sorted(counts, key=lambda name: -counts[name])[:_MOST_CHECKS]
    columns = (
        Column("run", code=True),
        Column("as meant", status=True),
        *(Column(each) for each in checks),
        Column("other checks"),
    )
    rows = [_marks(each, checks) for each in tried]
    yield Table(columns, rows, "Which check found what")
    yield Text("A tick: a check that is meant for the defect found it. A dot: another check did not pass either.")


def _marks(each: Tried, checks: Sequence[str]) -> list[AnyCell]:
    by_name = {check.check: check for check in each.found}
    marks: list[AnyCell] = []
    for name in checks:
        found = by_name.get(name)
        sign = "" if found is None else "✓" if found.meant else "•"
        marks.append(Cell(sign, [found.status] if found else [], tone=Tone.OK if found and found.meant else Tone.NONE))
    others = [name for name in by_name if name not in checks]
    return [each.name, _answer(each), *marks, ", ".join(others)]


def _answer(each: Tried) -> Cell:
    return Cell("yes", tone=Tone.OK) if each.as_meant else Cell("NO", tone=Tone.BAD)


def _table(tried: Sequence[Tried], caption: str) -> Table:
    columns = (
        Column("as meant", status=True),
        Column("run", code=True),
        Column("on"),
        Column("expected"),
        Column("verdict"),
        Column("after", number=True),
        Column("found by", wide=True),
    )
    return Table(columns, [_row(each) for each in tried], caption)


def _row(each: Tried) -> list[AnyCell]:
    after = "" if each.after_s is None else show_duration(round(each.after_s))
    repeated = [f"try {each.tries}"] if each.tries > 1 else []
    found = [
        f"{check.check}: "
        f"{check.status}{f' (since {show_duration(round(check.at_s))})' if check.at_s is not None else ''}"
        for check in each.found
    ]
    first = found[0] if found else each.why or "nothing"
    return [
        _answer(each),
        each.name,
        each.target,
        each.expected,
        Cell(each.verdict or _NOT_RUN, repeated),
        after,
        Cell(first, found[1:]),
    ]
