"""Which charts a live page draws: what each line is called, its colour and column, and the limits beside it.

The page puts the columns of `Steps` into them and has them drawn as those of a report are.
"""

from collections.abc import Iterable, Iterator

import msgspec

from soak.runner.watch.flow import ACHIEVED, DEFERRED, FAILED, OFFERED, PLANNED
from soak.runner.watch.grid import WINDOW
from soak.runner.watch.rolling import window_steps
from soak.runner.watch.steps import ERROR, Steps
from soak.schemas.language.conditions import Comparison, Objective
from soak.schemas.language.expression import Unit
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.language.room import Minutes
from soak.schemas.language.slis import Aggregate
from soak.schemas.units import write_duration

_SERIES = ("c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8")
_DASHES: tuple[list[int], ...] = ([], [7, 3], [2, 2], [9, 3, 2, 3])
_MOST_LINES = 8
"""Lines of one chart; more of them get a chart of their own."""

_FORM = {
    Unit.DURATION: "s",
    Unit.RATIO: "%",
    Unit.SIZE: "B",
    Unit.DURATION_PER_HOUR: "s",
    Unit.SIZE_PER_HOUR: "B",
}
_RESOURCES = (
    ("cpu", "CPU of the system", "", "cores", (("cpu", "system"),)),
    ("memory", "Resident memory", "B", "", (("rss", "system"), ("broker_rss", "broker"), ("runner_rss", "runner"))),
    ("threads", "Threads", "", "", (("threads", "system"),)),
    ("files", "Open files", "", "", (("open_files", "system"), ("runner_open_files", "runner"))),
    ("database", "Size of the database", "B", "", (("db_size", "database"),)),
)


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line: the values of a column in a role of the palette."""

    name: str
    column: str
    role: str
    dash: list[int] = []


class Limit(msgspec.Struct, frozen=True):
    """A level with what is written on it."""

    words: str
    value: float
    role: str = "bad"


class Chart(msgspec.Struct, frozen=True, omit_defaults=True):
    """Lines on one scale; the names are those of the data that the script of all pages draws."""

    name: str
    title: str
    word: str
    lines: list[Line]
    form: str = ""
    unit: str = ""
    limits: list[Limit] = []
    low: float | None = None
    high: float | None = None
    part: str = "objectives"
    """Under which heading of the page: objectives, load, system, processes."""


def charts_of(scenario: Scenario, steps: Steps) -> list[Chart]:
    """The charts of a run, with those of its columns that it has so far."""
    minutes = language_of(scenario.system).minutes_of(scenario.system_settings)
    has = {*steps.table.names, PLANNED}
    found = [
        *_objectives(scenario, steps),
        *_load(scenario, minutes),
        *_waiting(minutes, has, steps.grid.step_s),
        *_errors(steps),
        *_system(minutes, has),
        *_resources(has),
    ]
    return [msgspec.structs.replace(chart, name=f"{place}-{chart.name}") for place, chart in enumerate(found)]


def _objectives(scenario: Scenario, steps: Steps) -> Iterator[Chart]:
    """A chart for each indicator and window: its objectives are lines, and their targets limits."""
    groups: dict[tuple[str, int], list[Objective]] = {}
    for objective in scenario.objectives:
        if objective in steps.rolling.column_of:
            key = objective.comparison.sli.name, window_steps(objective, steps.grid)
            groups.setdefault(key, []).append(objective)
    for (name, window), members in groups.items():
        for start in range(0, len(members), _MOST_LINES):
            yield _indicator(name, window * steps.grid.step_s, members[start : start + _MOST_LINES], steps, scenario)


def _indicator(name: str, window_s: float, members: list[Objective], steps: Steps, scenario: Scenario) -> Chart:
    sli = members[0].comparison.sli
    limits = {(limit.words, limit.value): limit for each in members for limit in _limits(each, scenario)}
    columns = {steps.rolling.column_of[each]: _called(each.comparison) for each in members}
    lines = lines_of((name, column) for column, name in columns.items())
    over = {
        Aggregate.COUNT: "so far",
        Aggregate.LONGEST: "longest so far",
        Aggregate.GAUGE: "lowest" if sli.lowest else "highest",
        Aggregate.GROWTH: "the level that must not grow",
    }.get(sli.aggregate, f"rolling {write_duration(window_s)}")
    title = f"{name}, {over}"
    ratio = sli.unit is Unit.RATIO
    return Chart(
        sli.name,
        title,
        f"{title}: {'; '.join(each.comparison.text for each in members)}",
        lines,
        _FORM.get(sli.unit, ""),
        "/s" if sli.unit is Unit.RATE else "",
        list(limits.values()),
        None if ratio else 0.0,
        1.0 if ratio else None,
    )


def _called(comparison: Comparison) -> str:
    return ", ".join(value for _, value in comparison.selector) or comparison.sli.name


def _limits(objective: Objective, scenario: Scenario) -> Iterator[Limit]:
    comparison = objective.comparison
    if comparison.sli.aggregate is Aggregate.GROWTH or comparison.is_quotient:
        return
    if comparison.limit is not None:
        yield Limit(f"{comparison.op} {comparison.sli.unit.show(comparison.limit)}", comparison.limit)
    if objective.warn is not None and objective.warn.limit is not None:
        yield Limit(
            f"warning {objective.warn.op} {comparison.sli.unit.show(objective.warn.limit)}",
            objective.warn.limit,
            "doubt",
        )
    for alert in scenario.alerts:
        for part in alert.condition.parts:
            same = (part.comparison.sli.name, part.comparison.selector) == (comparison.sli.name, comparison.selector)
            if same and part.comparison.limit is not None:
                yield Limit(
                    f"alert {part.comparison.op} {comparison.sli.unit.show(part.comparison.limit)}",
                    part.comparison.limit,
                    "doubt",
                )


def lines_of(named: Iterable[tuple[str, str]]) -> list[Line]:
    """Lines by name and column, in the colours of the palette."""
    return [
        Line(name, column, _SERIES[place % len(_SERIES)], _DASHES[place % len(_DASHES)])
        for place, (name, column) in enumerate(named)
    ]


def _load(scenario: Scenario, minutes: Minutes) -> Iterator[Chart]:
    """Work offered against work achieved."""
    work = language_of(scenario.system).work
    if work:
        sent = [name for name in minutes.amounts if name.endswith(f"_{work.offered}")]
        stored = [name for name in minutes.amounts if name.startswith(f"{work.answered}:")]
        named = [("planned", PLANNED), *((name.replace("_", " "), name) for name in (*sent, *stored))]
        units = work.units
    else:
        named = [
            ("planned", PLANNED),
            ("accepted", OFFERED),
            ("done", ACHIEVED),
            ("failed", FAILED),
            ("deferred", DEFERRED),
        ]
        units = "tasks"
    if scenario.workload.users:
        named = named[1:]
    lines = [
        Line(
            name,
            column,
            "c8" if column == PLANNED else "bad" if column == FAILED else _SERIES[place % 8],
            _DASHES[(place + 1) % 4] if column == PLANNED else [],
        )
        for place, (name, column) in enumerate(named)
    ]
    title = f"Offered against achieved, {units} per minute"
    yield Chart("load", title, title, lines, "", "/min", low=0.0, part="load")


def _waiting(minutes: Minutes, has: set[str], step_s: float) -> Iterator[Chart]:
    """How long tasks take, how many wait, and how many workers are busy."""
    if "latency_p95_s" in has:
        named = [(q, f"latency_{q}_s") for q in ("p50", "p95", "p99")]
        words = f"Latency, rolling {write_duration(WINDOW * step_s)}"
        yield Chart("latency", words, words, lines_of(named), "s", low=0.0, part="load")
    if "queue_depth" in has and minutes.waiting:
        depth = lines_of((("mean", "queue_depth"), ("highest", "queue_depth_max")))
        yield Chart(
            "depth", "Tasks waiting", "Tasks waiting, mean and highest of each step", depth, low=0.0, part="load"
        )
    if "busy_workers" in has and minutes.workers:
        yield Chart(
            "busy",
            "Busy workers",
            "Busy workers, mean of each step",
            lines_of([("busy", "busy_workers")]),
            low=0.0,
            part="load",
        )


def _errors(steps: Steps) -> Iterator[Chart]:
    if steps.errors:
        title = "Failed attempts by error class, per minute"
        yield Chart(
            "errors",
            title,
            title,
            lines_of((name, ERROR + name) for name in steps.errors),
            "",
            "/min",
            low=0.0,
            part="load",
        )


def _system(minutes: Minutes, has: set[str]) -> Iterator[Chart]:
    """What the system adds to metrics.csv."""
    for name in minutes.levels:
        if name in has:
            words = name.replace("_", " ")
            yield Chart(
                name,
                words.capitalize(),
                words,
                lines_of((("mean", name), ("highest", f"{name}_max"))),
                low=0.0,
                part="system",
            )
    counts = [name for name in minutes.more if name in has]
    for start in range(0, len(counts), _MOST_LINES):
        some = counts[start : start + _MOST_LINES]
        title = f"{', '.join(name.replace('_', ' ') for name in some)}, per minute"
        title = title[0].upper() + title[1:]
        yield Chart(
            "events",
            title,
            title,
            lines_of((name.replace("_", " "), name) for name in some),
            "",
            "/min",
            low=0.0,
            part="system",
        )
    for title, members in _amounts(minutes, has).items():
        for start in range(0, len(members), _MOST_LINES):
            yield Chart("amounts", title, title, lines_of(members[start : start + _MOST_LINES]), low=0.0, part="system")


def _amounts(minutes: Minutes, has: set[str]) -> dict[str, list[tuple[str, str]]]:
    """Those of each part of the system together, such as `stored:a` and `stored:b`; others by themselves."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, amount in minutes.amounts.items():
        if name in has:
            what, _, part = name.partition(":")
            words = what.replace("_", " ").capitalize()
            title = f"{words}, highest of each step" if amount.most else f"{words} per minute"
            groups.setdefault(title, []).append((part or words.lower(), name))
    return groups


def _resources(has: set[str]) -> Iterator[Chart]:
    for name, title, form, unit, members in _RESOURCES:
        known = [(words, column) for column, words in members if column in has]
        if known:
            yield Chart(name, title, title, lines_of(known), form, unit, low=0.0, part="processes")
