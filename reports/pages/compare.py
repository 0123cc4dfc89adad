"""changes.html: how a run compares with a base."""

from collections.abc import Iterator

from soak.reports.changes import one_by_one, show_signed
from soak.reports.look.blocks import Part, Points, Section, Sheet, Step, Text, Tile
from soak.reports.look.figures import Drawing, Span
from soak.reports.look.page import Head
from soak.reports.look.palette import Role
from soak.reports.look.plot import Curve, Plot
from soak.reports.look.table import AnyCell, Column, Table, Tone
from soak.reports.pages.changed import (
    MOST_ROWS,
    ORDER,
    TONES,
    axis_of,
    direction_cell,
    drawn,
    numbered,
    percent,
    relative_objectives,
)
from soak.reports.pages.paired import over_time, sizes, tables_of_tasks
from soak.reports.sheet import render_sheet
from soak.reports.summary import shown
from soak.schemas.evidence.changes import Changes, Differences, Direction, SliChange
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_ratio


def changes_page(changes: Changes, differences: Differences | None = None) -> bytes:
    """The page as a file; `differences`: of the tasks, if they were paired."""
    return render_sheet(sheet_of(changes, differences))


def sheet_of(changes: Changes, differences: Differences | None = None) -> Sheet:
    """The page."""
    ordered = sorted(changes.changes, key=lambda each: ORDER.index(each.direction))
    known = [each for each in ordered if each.direction is not Direction.UNKNOWN]
    told = [each for each in known if each.direction in {Direction.WORSE, Direction.BETTER}]
    sections = [Section("Both runs", list(_both(changes)))]
    if changes.objectives:
        units = {name: sli.unit for name, sli in changes.run.slis.items()}
        sections.append(Section("Relative objectives", [relative_objectives(changes.objectives, units)]))
    rest = [each for each in known if each not in told]
    sections.append(Section("Indicators", [*_pictures(changes, known), _indicators(told), Text(_method(changes))]))
    if rest:
        title = f"{len(rest)} more indicators: no more than noise, or untested"
        sections.append(Section(title, [_indicators(rest)], folded=True))
    sections.append(Section(one_by_one(changes).capitalize(), list(_tasks(changes, differences))))
    return Sheet(_head(changes), list(_steps(changes)), sections, _reasons(changes), [_tile(each) for each in told[:6]])


def _head(changes: Changes) -> Head:
    status, tone = "NOTHING COMPARED", Tone.DOUBT
    lead = "Nothing could be compared: no indicator has enough independent parts to be tested, and no objective was asked for."
    tested = sum(each.p is not None for each in changes.changes)
    if changes.regressed:
        worse = sum(each.direction is Direction.WORSE for each in changes.changes)
        status, tone = "REGRESSED", Tone.BAD
        lead = f"{worse} of {tested} tested SLIs became worse by more than noise and {show_ratio(changes.least)}."
        if not worse:
            lead = "What was required relative to the base does not hold."
    elif changes.compared and changes.different:
        status, tone = "NOT COMPARABLE", Tone.DOUBT
        lead = f"The runs are not like for like: that none of {tested} tested SLIs became worse says little of each difference."
    elif changes.compared:
        status, tone = "NOT REGRESSED", Tone.OK
        lead = f"Nothing became worse by more than noise and {show_ratio(changes.least)}; {tested} SLIs were tested."
    return Head(
        title=f"{changes.run.scenario}: the run against its base",
        kicker=f"{changes.run.scenario} · compare · {changes.run.target}",
        status=status,
        tone=tone,
        lead=lead,
        made="Made by soak compare from the evidence of both runs; changes.json has every figure.",
    )


def _reasons(changes: Changes) -> list[str]:
    return [*changes.reasons, *(f"not like for like: {each}" for each in changes.different)]


def _tile(each: SliChange) -> Tile:
    change = show_signed(each.change, each.unit) if each.relative is None else percent(each.relative)
    return Tile(
        each.sli,
        change,
        f"{each.direction.value} · {shown(each.base, each.unit)} to {shown(each.run, each.unit)}",
        TONES[each.direction],
    )


def _steps(changes: Changes) -> Iterator[Step]:
    if changes.regressed:
        yield Step("Read why in the report of the run: since when, what went on then", "soak report RUN_DIR")
        yield Step("Ask the model which change does it", "soak compare SCENARIO --with KEY=VALUE")
    elif changes.compared and changes.different:
        yield Step(
            "Repeat the run as the base was made: same scenario, settings, target and speed", "soak run SCENARIO"
        )
    elif changes.compared:
        yield Step("Make the run the base of later ones", "soak baseline RUN_DIR baseline.json")
    else:
        yield Step(
            "Ask for an objective relative to the base",
            'soak compare BASE RUN --objective "latency_p95 <= 1.1x baseline"',
        )
    if changes.tasks is None:
        yield Step("Compare task by task: simulate both with the same seed", "soak run scenario.yaml --seed 1")


def _both(changes: Changes) -> Iterator[Part]:
    base, run = changes.base, changes.run
    rows: list[tuple[AnyCell, AnyCell, AnyCell]] = [
        ("scenario", base.scenario, run.scenario),
        ("target", base.target, run.target),
        ("seed", str(base.seed), str(run.seed)),
        ("verdict", base.verdict.value, run.verdict.value),
        ("commit", base.commit or "not known", run.commit or "not known"),
    ]
    yield Table((Column(""), Column("base"), Column("run")), rows, "Both runs")
    if changes.different:
        yield Text("Not like for like, which may explain changes:", soft=False)
        yield Points(changes.different)


def _pictures(changes: Changes, known: list[SliChange]) -> Iterator[Part]:
    found = [each for each in known if each.relative is not None and each.p is not None]
    found = sorted(found, key=lambda each: (each.direction is Direction.UNCHANGED, each.p or 0.0))[:MOST_ROWS]
    if not found:
        return
    rows = [
        Span(
            each.sli,
            f"{percent(each.relative or 0.0)} {each.direction.value}",
            min(0.0, each.relative or 0.0),
            max(0.0, each.relative or 0.0),
            dot=each.relative,
            tone=TONES.get(each.direction, Tone.NONE),
        )
        for each in found
    ]
    yield Drawing(
        "Change of each indicator",
        drawn(rows, "Change of each indicator"),
        "The run less the base, relative to the base.",
    )
    yield from _parts(found[0], changes)


def _parts(most: SliChange, changes: Changes) -> Iterator[Part]:
    """The indicator that changed most, over the parts of both runs."""
    sides = [
        [(float(place), value) for place, value in enumerate(side.slis[most.sli].slices, 1) if value is not None]
        for side in (changes.base, changes.run)
    ]
    values = [value for side in sides for _, value in side]
    count = max((len(side.slis[most.sli].slices) for side in (changes.base, changes.run)), default=0)
    if count < 2 or not values:
        return
    y, x = axis_of(most.sli, Unit(most.unit), values), numbered("part of the run", count)
    curves = [Curve("base", Role.BLUE, sides[0]), Curve("run", Role.ORANGE, sides[1], dashed=1)]
    title = f"{most.sli}, part by part"
    yield Drawing(title, Plot(title, x, y, curves).picture)


def _indicators(known: list[SliChange]) -> Table:
    columns = (
        Column("", status=True),
        Column("SLI", code=True),
        Column("base", number=True),
        Column("run", number=True),
        Column("change", number=True),
        Column("p", number=True),
        Column("parts are worth", number=True),
    )
    rows: list[list[AnyCell]] = [
        [
            direction_cell(c.direction),
            c.sli,
            shown(c.base, c.unit),
            shown(c.run, c.unit),
            shown(c.change, c.unit) if c.relative is None else f"{100 * c.relative:+.1f} %",
            "" if c.p is None else f"{c.p:.2g}",
            "" if c.effective is None else f"{c.effective:.3g}",
        ]
        for c in known
    ]
    return Table(columns, rows, "Indicators", "None is worse or better.")


def _method(changes: Changes) -> str:
    return (
        "p: how likely noise alone gives such a change, by Student's test over equally long parts of the runs, each "
        "of whole bursts "
        "where there are any; parts at the same place are held against each other. Parts that follow each other are "
        "alike: the test "
        "takes as many as they are worth (Zwiers and von Storch 1995), and says nothing (UNTESTED) below 4. "
        "Significant over all SLIs "
        f"together at {show_ratio(changes.alpha)} (Holm); less than {show_ratio(changes.least)} does not matter."
    )


def _tasks(changes: Changes, differences: Differences | None) -> Iterator[Part]:
    tasks = changes.tasks
    if tasks is None:
        yield Text(f"Not compared: {changes.unpaired or 'not requested'}.", soft=False)
        return
    if differences is not None and len(differences.due_s) and tasks.latency is not None:
        yield from sizes(differences)
        yield from over_time(tasks, differences)
    yield from tables_of_tasks(tasks)
