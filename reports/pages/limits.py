"""limits.html: where a scenario breaks."""

from collections.abc import Iterator, Sequence

from soak.reports.limits import BASES, answers, causes, chance, command, method, standing
from soak.reports.look.blocks import Facts, Part, Section, Sheet, Step, Text, Tile, code
from soak.reports.look.charts import Form
from soak.reports.look.figures import Drawing
from soak.reports.look.page import Head
from soak.reports.look.palette import Role
from soak.reports.look.plot import Axis, Dot, Plot, Rule
from soak.reports.look.plot import Cell as Field
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.reports.look.ticks import linear
from soak.reports.sheet import render_sheet
from soak.schemas import units
from soak.schemas.evidence.limits import Basis, Grid, Limits, NumberKind, Point, Search, SearchOutcome, VariedParameter
from soak.schemas.units import show_duration

_SHOW = {
    NumberKind.RATIO: units.show_ratio,
    NumberKind.DURATION: units.show_duration,
    NumberKind.WHOLE: units.show_count,
    NumberKind.FACTOR: units.show_count,
}
_MOST_WORDS = 12
"""Cells along an axis in which there is room for words."""


def limits_page(limits: Limits) -> bytes:
    """The page as a file."""
    return render_sheet(sheet_of(limits))


def sheet_of(limits: Limits) -> Sheet:
    """The page."""
    sections = [
        Section(limits.parameters[search.parameter].path, list(_along(limits, search)))
        for search in limits.searches
        if search.points
    ]
    if limits.grid:
        sections.append(Section("Both parameters", [_plane(limits, limits.grid), *_grid(limits, limits.grid)]))
    sections.append(Section("How this was found", [Text(method(limits), soft=False), _facts(limits)]))
    interrupted = [] if limits.complete else ["Interrupted: partial results."]
    return Sheet(_head(limits), list(_steps(limits)), sections, [*interrupted, *answers(limits)], list(_tiles(limits)))


def _head(limits: Limits) -> Head:
    found = [search for search in limits.searches if search.finding is SearchOutcome.FOUND]
    status, tone = "NO LIMIT", Tone.DOUBT
    paths = " and ".join(each.path for each in limits.parameters)
    lead = f"No limit was found along {paths} in the range."
    if not limits.complete:
        status, lead = "INTERRUPTED", "The search was interrupted: what is known so far."
    elif found:
        beyond = [limit for search in found for limit in search.limits if _is_beyond(limit.times, limit.side.value)]
        status, tone = "LIMIT FOUND", Tone.BAD if beyond else Tone.OK
        lead = _lead(limits, found[0])
    elif limits.found:
        status, tone, lead = "LIMIT FOUND", Tone.OK, "A limit runs through the plane of both parameters."
    elif all(search.finding is SearchOutcome.NOWHERE for search in limits.searches):
        tone = Tone.BAD
    return Head(
        title=f"{limits.scenario}: where it breaks",
        kicker=f"{limits.scenario} · limits · seed {limits.seed}",
        status=status,
        tone=tone,
        lead=lead,
        made="This is the model's answer: it is as good as the scenario's figures (task durations, fault rates, arrivals).",
    )


def _is_beyond(times: float | None, side: str) -> bool:
    """Whether the scenario's own value is beyond a limit."""
    return times is not None and (times < 1 if side == "largest" else times > 1)


def _lead(limits: Limits, search: Search) -> str:
    parameter, limit = limits.parameters[search.parameter], search.limits[0]
    what = f"{limit.at.texts[search.parameter]} is the {limit.side.value} value at which PASS is likely"
    return f"{parameter.path}: {what}; {standing(parameter, limit)}."


def _tiles(limits: Limits) -> Iterator[Tile]:
    for search in limits.searches:
        parameter = limits.parameters[search.parameter]
        for limit in search.limits:
            times = "" if limit.times is None else f"{limit.times:.2g} times your value"
            tone = Tone.BAD if _is_beyond(limit.times, limit.side.value) else Tone.OK
            yield Tile(f"{limit.side.value} {parameter.path}", limit.at.texts[search.parameter], times, tone)
            yield Tile("breaks at", limit.beyond.texts[search.parameter], causes(limit.beyond), Tone.BAD)
        yield Tile("the scenario has", parameter.own_text, parameter.path)
    yield Tile("replications", f"{limits.replications:,}", f"of {show_duration(limits.duration_s)} each")


def _steps(limits: Limits) -> Iterator[Step]:
    for search in limits.searches:
        path = limits.parameters[search.parameter].path
        if search.limits:
            value = search.limits[0].beyond.texts[search.parameter]
            yield Step("See what happens just beyond the limit", f"soak run scenario.yaml --set {path}={value}")
            yield Step(
                "Compare it with the scenario, indicator by indicator",
                f"soak compare scenario.yaml --with {path}={value}",
            )
        elif search.finding is SearchOutcome.EVERYWHERE:
            yield Step("Search a wider range", f"soak limits scenario.yaml --vary {path}=LOW..HIGH")
        elif search.finding is SearchOutcome.NOWHERE:
            yield Step("See why the scenario itself does not PASS", "soak predict scenario.yaml")
    yield Step("Repeat the search, in this directory", command(limits))


def _along(limits: Limits, search: Search) -> Iterator[Part]:
    parameter = limits.parameters[search.parameter]
    chosen = "" if parameter.given else ", a range around the scenario's value"
    others = "".join(f" {each.path} stays at {each.own_text}." for each in limits.parameters if each is not parameter)
    yield Text(
        f"{parameter.low_text} to {parameter.high_text}{chosen}; the scenario has {parameter.own_text}.{others}",
        soft=False,
    )
    yield _curve(limits, search)
    columns = (
        Column("", status=True),
        Column("value", number=True),
        Column("P(PASS)", number=True),
        Column("95 % interval", number=True),
        Column("PASS", number=True),
        Column("decided by"),
        Column("why the others failed", wide=True),
    )
    rows: list[list[AnyCell]] = [
        [
            _answer(point),
            point.texts[search.parameter],
            Cell(f"{100 * point.share:.1f} %", bar=point.share or None, tone=Tone.OK if point.passing else Tone.BAD),
            "{:.1f} … {:.1f} %".format(*(100 * each for each in point.interval)),
            f"{point.passes} of {point.replications}",
            BASES[point.basis],
            ", ".join(f"{cause.what} ({cause.replications})" for cause in point.causes),
        ]
        for point in search.points
    ]
    yield Table(columns, rows, f"Values of {parameter.path}")


def _answer(point: Point) -> Cell:
    return Cell("good enough", tone=Tone.OK) if point.passing else Cell("not good enough", tone=Tone.BAD)


def _curve(limits: Limits, search: Search) -> Drawing:
    """How likely PASS is at every value that was tried, the limits, and the scenario's own value."""
    parameter, number = limits.parameters[search.parameter], search.parameter
    dots = [
        Dot(
            point.values[number],
            point.share,
            Role.GREEN if point.passing else Role.BAD,
            f"{'good enough' if point.passing else 'not good enough'}{', only screened' if point.basis is Basis.GLANCE else ''}",
            point.interval,
            point.basis is Basis.GLANCE,
            not point.passing,
        )
        for point in search.points
    ]
    rules = [Rule(f"limit: {each.at.texts[number]}", each.at.values[number], Role.ORANGE) for each in search.limits]
    if parameter.low <= parameter.own <= parameter.high:
        rules.append(Rule(f"the scenario: {parameter.own_text}", parameter.own, Role.BLUE))
    low, high = limits.zone
    room = 0.02 * (parameter.high - parameter.low) or 0.5
    plot = Plot(
        f"P(PASS) along {parameter.path}",
        Axis(parameter.path, parameter.low - room, parameter.high + room, ticks=_ticks(parameter)),
        Axis("P(PASS)", 0.0, 1.0, Form.RATIO),
        dots=dots,
        rules=rules,
        zone=(low, high, "indifference zone"),
        tall=240,
    )
    return Drawing(f"P(PASS) along {parameter.path}", plot.picture)


def _ticks(parameter: VariedParameter) -> list[tuple[float, str]]:
    """Round numbers of the unit in which the parameter is written."""
    unit = parameter.own_text.rpartition("/")[2]
    scale = units.PER[unit] if parameter.kind is NumberKind.RATE else 1.0
    form = Form.SECONDS if parameter.kind is NumberKind.DURATION else Form.NUMBER
    found = linear(parameter.low * scale, parameter.high * scale, form, 6)
    if parameter.kind is NumberKind.RATE:
        return [(each / scale, f"{each:.6g}/{unit}") for each in found]
    whole = parameter.kind is NumberKind.WHOLE
    return [(each, _SHOW[parameter.kind](each)) for each in found if not whole or each == round(each)]


def _plane(limits: Limits, grid: Grid) -> Drawing:
    """How likely PASS is in each cell of the plane."""
    across, up = limits.parameters
    wordy = max(len(grid.rows), len(grid.columns)) <= _MOST_WORDS
    cells = [
        Field(x, y, cell.share, f"{100 * cell.share:.0f}%" if wordy else "", cell.passing)
        for y, row in enumerate(grid.cells)
        for x, cell in enumerate(row)
        if cell
    ]
    plot = Plot(
        f"P(PASS) over {across.path} and {up.path}",
        Axis(across.path, -0.5, len(grid.columns) - 0.5, ticks=_every(grid.column_texts)),
        Axis(up.path, -0.5, len(grid.rows) - 0.5, ticks=_every(grid.row_texts)),
        cells=cells,
        keys=[("good enough (bold)", Role.OK), ("not good enough", Role.BAD)],
        tall=max(200, 34 * len(grid.rows)),
    )
    return Drawing("P(PASS) of each cell", plot.picture)


def _every(texts: Sequence[str]) -> list[tuple[float, str]]:
    step = max(1, -(-len(texts) // _MOST_WORDS))
    return [(float(place), text) for place, text in enumerate(texts) if place % step == 0]


def _grid(limits: Limits, grid: Grid) -> Iterator[Part]:
    across, up = limits.parameters
    columns = (
        Column("", status=True),
        Column(across.path),
        Column(up.path),
        Column("P(PASS)"),
        Column("why the others failed", wide=True),
    )
    rows: list[list[AnyCell]] = [
        [_answer(cell), *cell.texts, chance(cell), ", ".join(cause.what for cause in cell.causes)]
        for row in grid.cells
        for cell in row
        if cell
    ]
    if len(rows) <= _MOST_WORDS**2:
        yield Table(columns, rows, "Both parameters")


def _facts(limits: Limits) -> Facts:
    made = f"{limits.replications:,}, of {show_duration(limits.duration_s)} each"
    return Facts(
        [
            ("replications", made, "every one with its seed in points.csv"),
            (
                "one of them",
                code("soak run scenario.yaml --set PATH=VALUE --seed SEED"),
                "the same verdict, with all its evidence",
            ),
            (
                "reproduce",
                code(command(limits)),
                "in this directory: the same replications, on any number of processors",
            ),
            ("scenario", f"SHA-256 {limits.scenario_sha256}", ""),
        ]
    )
