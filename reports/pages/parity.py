"""parity.html: how two runs of the same scenario compare."""

from collections.abc import Iterator, Sequence

import numpy as np

from soak.reports.look.blocks import Part, Section, Sheet, Step, Text, Tile
from soak.reports.look.charts import Chart, Form, Limit, Line
from soak.reports.look.figures import Drawing
from soak.reports.look.page import Head
from soak.reports.look.palette import Role
from soak.reports.look.plot import Axis, Curve, Plot
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.reports.parity import summary_words
from soak.reports.sheet import render_sheet
from soak.reports.summary import shown
from soak.schemas.evidence.parity import Agreement, Figure, Latencies, Parity, ParityRun, TaskDifference
from soak.schemas.language.expression import Unit
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration

_TONES = {
    Agreement.AGREES: Tone.OK,
    Agreement.EXPLAINED: Tone.DOUBT,
    Agreement.DIFFERS: Tone.BAD,
    Agreement.NOT_COMPARED: Tone.DOUBT,
}
_SHARES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
_MOST_POINTS, _FEWEST_PER_BUCKET = 200, 20
_LOWEST_S = 1e-3
"""Smaller latencies are drawn here: a logarithmic scale has no zero."""


def parity_page(parity: Parity, latencies: Latencies) -> bytes:
    """The page as a file."""
    return render_sheet(sheet_of(parity, latencies))


def sheet_of(parity: Parity, latencies: Latencies) -> Sheet:
    """The page."""
    compared = [each for each in parity.figures if each.status is not Agreement.NOT_COMPARED]
    differing = [each for each in compared if each.status is Agreement.DIFFERS]
    explained = [each for each in compared if each.status is Agreement.EXPLAINED]
    agreeing = [each for each in compared if each.status is Agreement.AGREES]
    rest = [each for each in parity.figures if each.status is Agreement.NOT_COMPARED]
    sections = [
        Section("Figures that differ", [_figures(differing), Text(_allowed(parity))]),
        Section("Figures that this host's overhead explains", [_figures(explained)] if explained else []),
        Section("Latency", list(_pictures(parity, latencies))),
        Section("Tasks that differ", list(_tasks(parity))),
        Section("Both runs", [_both(parity)]),
        Section(f"{len(agreeing)} figures agree", [_figures(agreeing)], folded=True),
        Section(f"{len(rest)} figures were not compared", [_figures(rest)], folded=True),
    ]
    return Sheet(
        _head(parity, len(agreeing), len(compared)),
        list(_steps(parity)),
        [each for each in sections if each.parts],
        parity.reasons,
        list(_tiles(parity, len(agreeing), len(compared))),
    )


def _head(parity: Parity, agreeing: int, compared: int) -> Head:
    return Head(
        title=f"{parity.scenario}: {parity.base.target} against {parity.run.target}",
        kicker=f"{parity.scenario} · parity · seed {parity.seed}",
        status=parity.status.value.replace("_", " "),
        tone=_TONES[parity.status],
        lead=f"{summary_words(parity)}: {agreeing} of {compared} figures are within their tolerance.",
        made=f"Scenario SHA-256 {parity.scenario_sha256}, seed {parity.seed}. A difference is the run minus the base.",
    )


def _tiles(parity: Parity, agreeing: int, compared: int) -> Iterator[Tile]:
    yield Tile("figures that agree", f"{agreeing} of {compared}", "", Tone.OK if agreeing == compared else Tone.BAD)
    counts = parity.tasks
    if counts.seen:
        same = counts.same_state == counts.seen
        yield Tile(
            "tasks in the same state", f"{counts.same_state:,} of {counts.seen:,}", "", Tone.OK if same else Tone.DOUBT
        )
        yield Tile(
            "with as many attempts",
            f"{counts.same_attempts:,} of {counts.accepted_in_both:,}",
            "of those accepted in both",
        )
    for name, side in (("base", parity.base), ("run", parity.run)):
        yield Tile(f"verdict of the {name}", side.verdict.value, f"{side.target}, {side.directory}")


def _steps(parity: Parity) -> Iterator[Step]:
    if parity.status is Agreement.DIFFERS:
        yield Step("See what the run did at a task that differs", "soak report RUN_DIR")
        yield Step(
            "Fit the model to the run, where its times are others than those of the scenario", "soak calibrate RUN_DIR"
        )
        yield Step(
            "Run again on an idle machine, slower: the overhead of the machine counts less",
            "soak run SCENARIO --target TARGET --speed 10",
        )
    elif parity.status is Agreement.EXPLAINED:
        yield Step(
            "Run again on an idle machine, or slower: this run speaks neither for the model nor against it",
            "soak run SCENARIO --target TARGET --speed 10",
        )
    elif parity.status is Agreement.AGREES:
        yield Step("Ask the model what a real run costs days to show", "soak predict SCENARIO")
    else:
        yield Step("Run longer: there was too little to compare", "soak run SCENARIO --target TARGET")


def _allowed(parity: Parity) -> str:
    speed = max(parity.base.speed, parity.run.speed)
    return (
        "A difference is the run minus the base; a figure without separate values is computed from both runs "
        "together. The widest "
        f"tolerance in a row applies; a point is a percentage point. A second of real time is {speed:g} s of "
        "scenario time here."
    )


def _figures(found: Sequence[Figure]) -> Table:
    columns = (
        Column("", status=True),
        Column("figure", wide=True),
        Column("base", number=True),
        Column("run", number=True),
        Column("difference", number=True),
        Column("allowed", number=True),
        Column("tolerance"),
    )
    rows: list[list[AnyCell]] = [
        [
            Cell(f.status.value.replace("_", " "), tone=_TONES[f.status]),
            Cell(f.name, list(filter(None, [f.detail, f.description if f.topic.value != "sli" else ""]))),
            shown(f.base, f.unit),
            shown(f.run, f.unit),
            _signed(f),
            shown(f.allowed, f.unit),
            f.tolerance,
        ]
        for f in found
    ]
    return Table(columns, rows, "Figures", "None.")


def _signed(figure: Figure) -> str:
    if figure.difference is None:
        return "–"
    text = Unit(figure.unit).show(figure.difference)
    directed = figure.base is not None or figure.unit != Unit.RATIO
    return f"+{text}" if directed and figure.difference > 0 else text


def _pictures(parity: Parity, latencies: Latencies) -> Iterator[Part]:
    if not len(latencies.base_s) or not len(latencies.run_s):
        yield Text("One of the runs has no task that ended DONE or FAILED.")
        return
    yield _quantiles(parity, latencies)
    if len(latencies.due_s):
        yield _paired(parity, latencies)


def _quantiles(parity: Parity, latencies: Latencies) -> Drawing:
    """Both quantile functions; the tail is stretched: the same width for each nine."""
    last = max(_nines(1 - 0.5 / len(values)) for values in (latencies.base_s, latencies.run_s))
    curves = [
        Curve(f"{name}: {side.target}", role, _curve(values), dashed=number)
        for number, (name, side, values, role) in enumerate(
            (("base", parity.base, latencies.base_s, Role.BLUE), ("run", parity.run, latencies.run_s, Role.ORANGE))
        )
    ]
    values = [y for curve in curves for _, y in curve.points]
    ticks = [(_nines(share), f"{100 * share:g}%") for share in _SHARES if _nines(share) <= last]
    plot = Plot(
        "Latency of all tasks",
        Axis("share of tasks (the tail is stretched)", 0.0, last, ticks=ticks),
        Axis("latency", min(values) / 1.2, max(values) * 1.2, Form.SECONDS, log=True),
        curves,
    )
    return Drawing("Latency of all tasks", plot.picture)


def _nines(share: float) -> float:
    return float(-np.log10(1 - share))


def _curve(ascending: Floats) -> list[tuple[float, float]]:
    nines = np.linspace(0, _nines(1 - 0.5 / len(ascending)), _MOST_POINTS)
    values: Floats = np.quantile(ascending, 1 - 10**-nines, method="inverted_cdf")
    return list(zip(nines.tolist(), np.maximum(values, _LOWEST_S).tolist(), strict=True))


def _paired(parity: Parity, latencies: Latencies) -> Chart:
    """The difference of the same tasks over scenario time."""
    ended_s = max(parity.base.ended_s, parity.run.ended_s)
    count = max(1, min(_MOST_POINTS, len(latencies.due_s) // _FEWEST_PER_BUCKET))
    edges_s = np.linspace(0, ended_s, count + 1)
    parts = np.split(latencies.difference_s, np.searchsorted(latencies.due_s, edges_s[1:-1]))
    low, middle, high = (
        np.array([np.quantile(part, q) if len(part) else np.nan for part in parts]) for q in (0.05, 0.5, 0.95)
    )
    allowed = [each.allowed for each in parity.figures if each.name == "latency_paired_median" and each.allowed]
    limits = [
        Limit(f"allowed for the median: {show_duration(each)}", sign * each) for each in allowed for sign in (1, -1)
    ]
    return Chart(
        name="paired",
        title="Difference in latency of the same tasks, run minus base",
        t_s=edges_s[1:],
        lines=[Line("median", Role.BLUE, middle, around=(low, high))],
        form=Form.SECONDS,
        limits=limits,
        stepped=True,
        span_s=(0.0, ended_s),
        note="The band holds 90 % of the tasks.",
    )


def _tasks(parity: Parity) -> Iterator[Part]:
    counts = parity.tasks
    if not counts.seen:
        return
    if not parity.other_state and not parity.other_attempts:
        yield Text(
            "None: every task ends in the same state after the same number of attempts in both runs.", soft=False
        )
    if parity.other_state:
        more = counts.seen - counts.same_state
        yield Text(f"The first {len(parity.other_state)} of {more:,} that do not end in the same state:", soft=False)
        yield _different(parity.other_state)
    if parity.other_attempts:
        words = "that end in the same state after a different number of attempts:"
        yield Text(f"The first {len(parity.other_attempts)} {words}", soft=False)
        yield _different(parity.other_attempts)


def _different(found: Sequence[TaskDifference]) -> Table:
    columns = (Column("task", code=True), Column("in the base", wide=True), Column("in the run", wide=True))
    rows: list[list[AnyCell]] = [
        [
            each.task,
            Cell(f"{each.base_state}, attempts: {each.base_attempts}", [each.base_history]),
            Cell(f"{each.run_state}, attempts: {each.run_attempts}", [each.run_history]),
        ]
        for each in found
    ]
    return Table(columns, rows, "Tasks that differ")


def _both(parity: Parity) -> Table:
    def words(side: ParityRun) -> list[str]:
        speed = f", speed {side.speed:g}" if side.speed != 1 else ""
        return [
            side.directory,
            f"{side.target}, {side.clock} clock{speed}",
            f"{side.verdict.value}, {side.end.value} after {show_duration(side.ended_s)}",
            f"{side.events:,}",
        ]

    names = ("directory", "target", "verdict", "events")
    rows = [list(row) for row in zip(names, words(parity.base), words(parity.run), strict=True)]
    if parity.tasks.seen:
        rows.append(["tasks accepted", f"{parity.tasks.base_accepted:,}", f"{parity.tasks.run_accepted:,}"])
    return Table((Column(""), Column("base"), Column("run")), rows, "Both runs")
