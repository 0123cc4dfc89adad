"""A chart for each indicator that an objective is about, with its limits: from minutes or else from checkpoints."""

from collections.abc import Iterator, Sequence

import numpy as np

from soak.reports.data import RunData
from soak.reports.look.charts import Chart, Form, Limit, Line
from soak.reports.look.palette import Role
from soak.reports.plots.success import moving_rate
from soak.reports.room import room_of
from soak.reports.run_page.over_time import minutes_of, span
from soak.reports.run_page.surroundings import bands, marks, steps
from soak.reports.run_page.windows import Windows
from soak.schemas.evidence.verdict import ObjectiveResult, Status
from soak.schemas.language.expression import Unit
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration

_WINDOW_MINUTES = 30
"""Of the moving rate here, and of the quantiles in metrics.csv."""
_FORMS = {
    Unit.DURATION: Form.SECONDS,
    Unit.RATIO: Form.RATIO,
    Unit.SIZE: Form.BYTES,
    Unit.ANSWER: Form.NUMBER,
}
_UNITS = {Unit.RATE: "per second", Unit.COUNT_PER_HOUR: "per hour"}


def objective_charts(run: RunData, windows: Windows | None = None) -> Iterator[Chart]:
    """The charts in the order of the objectives, those of one indicator together; none for what has no course.

    windows: of a short run, shown instead of minutes.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[ObjectiveResult]] = {}
    for each in run.verdict.objectives:
        if each.status is not Status.NOT_APPLICABLE:
            groups.setdefault((_subject(each), tuple(each.labels.values())), []).append(each)
    for place, found in enumerate(groups.values()):
        chart = _chart(run, found, f"objective-{place}", windows)
        if chart is not None:
            yield chart
    # What anybody asks of any run, whether or not an objective does.
    if ("success_rate", ()) not in groups and run.has("success_rate"):
        yield _success(run, [], "success", windows)
    if ("latency", ()) not in groups and run.has("latency_p50", "latency_p95", "latency_p99"):
        yield _latency(run, [], "latency", windows)


def _subject(objective: ObjectiveResult) -> str:
    """Quantiles of the latency share a chart."""
    return "latency" if _quantile(objective) else objective.sli


def _quantile(objective: ObjectiveResult) -> bool:
    return objective.sli in {"latency_p50", "latency_p95", "latency_p99"} and not objective.labels


def _chart(run: RunData, objectives: Sequence[ObjectiveResult], name: str, windows: Windows | None) -> Chart | None:
    first, points = objectives[0], len(run.metrics.t_s) or windows
    if _quantile(first) and points:
        return _latency(run, objectives, name, windows)
    if first.sli == "success_rate" and not first.labels and points:
        return _success(run, objectives, name, windows)
    column = None if first.labels else column_of(run, first.sli)
    if column is not None:
        return _by_minute(run, objectives, name, column)
    return _so_far(run, objectives, name)


def _latency(run: RunData, objectives: Sequence[ObjectiveResult], name: str, windows: Windows | None) -> Chart:
    roles = {"p50": Role.BLUE, "p95": Role.ORANGE, "p99": Role.PURPLE}
    values = windows.quantiles_s if windows else [run.metrics.get(f"latency_{each}_s") for each in roles]
    lines = [
        Line(each, role, np.maximum(found, 1e-6)) for (each, role), found in zip(roles.items(), values, strict=True)
    ]
    return _drawn(
        run,
        objectives,
        name,
        f"Latency, {windows.words if windows else _window(run)}",
        windows.t_s if windows else minutes_of(run),
        lines,
        unit=Unit.DURATION,
        log=True,
        steps_of="latency_",
    )


def _success(run: RunData, objectives: Sequence[ObjectiveResult], name: str, windows: Windows | None) -> Chart:
    moving = moving_rate(run.metrics.get("done"), run.metrics.get("failed"), _WINDOW_MINUTES)
    rate = windows.success if windows else moving
    aborts = [
        Limit(f"abort: {each.when}", each.target, Role.DOUBT)
        for each in run.aborts_of("success_rate")
        if each.target is not None
    ]
    limits = [each.value for each in [*aborts, *_limits(objectives)]]
    lowest = min([*limits, *rate[np.isfinite(rate)].tolist(), 0.99])
    return _drawn(
        run,
        objectives,
        name,
        f"Success rate, {windows.words if windows else _window(run)}",
        windows.t_s if windows else minutes_of(run),
        [Line("success rate", Role.BLUE, rate)],
        unit=Unit.RATIO,
        further=aborts,
        low=max(0.0, lowest - 0.15 * (1 - lowest)),
        high=1.0,
        steps_of="success_rate",
    )


def _window(run: RunData) -> str:
    return f"{_WINDOW_MINUTES} min window" if run.verdict.ended_s > _WINDOW_MINUTES * 60 else "since the start"


def column_of(run: RunData, sli: str) -> str | None:
    """The column of metrics.csv that an indicator summarises."""
    grown = {each.sli: each.column for each in room_of(run.scenario.system).grown}
    known = (sli, f"{sli}_s", grown.get(sli, ""), f"{sli.removesuffix('_max')}_s", sli.removesuffix("_max"))
    return next((each for each in known if each in run.metrics.columns), None)


def _by_minute(run: RunData, objectives: Sequence[ObjectiveResult], name: str, column: str) -> Chart:
    values = run.metrics.columns[column]
    grows = Unit(objectives[0].unit) in {Unit.COUNT_PER_HOUR, Unit.DURATION_PER_HOUR, Unit.SIZE_PER_HOUR}
    lines = [Line(column, Role.BLUE, values), *([_fitted(run, objectives[0])] if grows else [])]
    title = f"{objectives[0].sli}: {column} by the minute"
    # A growth has no level that it must not pass: its limit is that of the slope.
    drawn = [each for each in lines if each]
    unit = Unit(objectives[0].unit)
    return _drawn(
        run, objectives, name, title, minutes_of(run), drawn, unit=unit, limited=not grows, low=0.0, of=column
    )


def _fitted(run: RunData, objective: ObjectiveResult) -> Line | None:
    for growth in run.verdict.growths:
        if growth.sli == objective.sli:
            return Line("fitted", Role.BAD, growth.level + growth.slope * minutes_of(run) / 3600.0)
    return None


def _so_far(run: RunData, objectives: Sequence[ObjectiveResult], name: str) -> Chart | None:
    """What the checkpoints say of the run up to them; None where they say nothing, or of too few."""
    key = objectives[0].sli
    if objectives[0].labels:
        return None
    points = [(each.t_s, each.slis[key]) for each in run.checkpoints.checkpoints if each.slis.get(key) is not None]
    if len(points) < 3:
        return None
    t_s, values = np.array([each for each, _ in points]), np.array([float(value or 0.0) for _, value in points])
    every = show_duration(run.checkpoints.every_s)
    lines = [Line("so far", Role.BLUE, values)]
    title, unit = f"{key}: the run so far, at checkpoints (every {every})", Unit(objectives[0].unit)
    return _drawn(run, objectives, name, title, t_s, lines, unit=unit)


def _limits(objectives: Sequence[ObjectiveResult]) -> list[Limit]:
    return [
        Limit(each.objective, each.limit, Role.BAD if each.status is Status.FAIL else Role.OK)
        for each in objectives
        if each.limit is not None
    ]


def _drawn(
    run: RunData,
    objectives: Sequence[ObjectiveResult],
    name: str,
    title: str,
    t_s: Floats,
    lines: Sequence[Line],
    *,
    unit: Unit,
    further: Sequence[Limit] = (),
    limited: bool = True,
    steps_of: str = "",
    log: bool = False,
    low: float | None = None,
    high: float | None = None,
    of: str = "",
) -> Chart:
    form = _FORMS.get(unit, Form.NUMBER)
    low, high = _scale(form, lines, low, high) if not log else (low, high)
    limits = [each for each in _limits(objectives) if each.value > 0 or not log] if limited else []
    return Chart(
        name,
        title,
        t_s,
        lines,
        form=form,
        unit=_UNITS.get(unit, ""),
        limits=[*limits, *further],
        bands=bands(run),
        marks=[*marks(run), *(steps(run, steps_of) if steps_of else [])],
        log=log,
        low=low,
        high=high,
        of=of,
        span_s=span(run),
    )


def _scale(
    form: Form, lines: Sequence[Line], low: float | None, high: float | None
) -> tuple[float | None, float | None]:
    """Shares end at 100 %; what cannot be negative begins at 0."""
    if form is Form.RATIO:
        return low, 1.0 if high is None else high
    positive = all(np.nanmin(each.values, initial=0.0) >= 0 for each in lines)
    return 0.0 if low is None and positive else low, high
