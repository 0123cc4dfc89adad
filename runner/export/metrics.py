"""The exported metrics: names, labels and values, from the state of a judge.

Names follow the conventions of Prometheus: base units as suffix, `_total` for counters. What differs between
scenarios (indicators, alerts, faults) is a label, so that one dashboard serves every scenario.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from soak.runner.judge.combined import AnyGuard, Combined
from soak.runner.judge.compared import shown
from soak.runner.judge.judge import Judge
from soak.runner.judge.objectives import standings
from soak.runner.judge.samples import Facts
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.conditions import Comparison
from soak.schemas.language.expression import Unit
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import SPECS, Kind

SUFFIXES = {
    Unit.DURATION: "_seconds",
    Unit.RATIO: "_ratio",
    Unit.COUNT: "",
    Unit.RATE: "_per_second",
    Unit.SIZE: "_bytes",
    Unit.DURATION_PER_HOUR: "_seconds_per_hour",
    Unit.COUNT_PER_HOUR: "_per_hour",
    Unit.SIZE_PER_HOUR: "_bytes_per_hour",
}
_SAMPLED = {"busy_workers": Unit.COUNT, "oldest_pending": Unit.DURATION}
"""Gauges that are no SLI."""
RUNNING = "soak_running"
VERDICT = "soak_verdict"
EXPORTED = "soak_exported_timestamp_seconds"
CONDITION = "soak_condition"
_BY_UNIT = {
    "soak_sli": "SLI of the run so far.",
    "soak_level": "Latest sample of a gauge.",
    "soak_objective": "Value of an objective, so far.",
    "soak_objective_target": "Target of an objective.",
    CONDITION: "Current value of an alert or abort condition, over its window.",
}
_PLAIN = {
    RUNNING: "Whether the run is in progress (1) or has ended (0).",
    VERDICT: "The verdict, once it is known.",
    EXPORTED: "Unix time of these values.",
    "soak_scenario_time_seconds": "Scenario time.",
    "soak_scenario_duration_seconds": "Duration of arrivals, in scenario time.",
    "soak_speed_ratio": "Seconds of scenario time per second of real time.",
    "soak_tasks": "Tasks by state.",
    "soak_objective_met": "Whether an objective is PASS (1) or FAIL (0), so far; nothing while it is neither.",
    "soak_alert_firing": "Whether an alert is firing.",
    "soak_fault_active": "Whether a scheduled fault is active.",
}
_COUNTERS = {
    "soak_events_total": "Events by type.",
    "soak_faults_injected_total": "Injected faults by name.",
}
HELP = {
    **_PLAIN,
    **_COUNTERS,
    **{f"{name}{suffix}": text for name, text in _BY_UNIT.items() for suffix in SUFFIXES.values()},
}
"""Descriptions of the metrics, by name."""

Labels = tuple[tuple[str, str], ...]


def is_counter(name: str) -> bool:
    """Whether a metric is a counter; the others are gauges."""
    return name in _COUNTERS


class Reading(Struct, frozen=True):
    """The value of a metric under its labels, in base units."""

    name: str
    labels: Labels
    value: float


class MetricSnapshot(Struct, frozen=True):
    """Every reading at a moment; `time_s`: Unix time."""

    time_s: float
    readings: tuple[Reading, ...]

    def later(self, by_s: float) -> "MetricSnapshot":
        """The same, shifted in time."""
        exported, *others = self.readings
        moved = replace(exported, value=exported.value + by_s)
        return MetricSnapshot(self.time_s + by_s, (moved, *others))


class Levels:
    """A sink of the engine that keeps the latest sample of every gauge: the judge does not."""

    def __init__(self, scenario: Scenario) -> None:
        gauges = [sli for sli in scenario.slis.values() if sli.aggregate is Aggregate.GAUGE]
        self._units = {sli.series: sli.unit for sli in gauges} | _SAMPLED
        self._latest: dict[str, float] = {}

    def append(self, block: Block, facts: Facts) -> None:
        """Take in what a block says."""
        for series in self._units:
            samples = facts.get(series)
            if len(samples):
                self._latest[series] = float(samples.value[-1])

    @property
    def units(self) -> list[Unit]:
        """The units that gauges have."""
        return list(self._units.values())

    def __iter__(self) -> Iterator[tuple[str, Unit, float]]:
        """Series, unit and latest sample."""
        return ((series, self._units[series], value) for series, value in self._latest.items())


def run_labels(scenario: str, target: str, run: str) -> Labels:
    """The labels of all metrics of a run."""
    # A path may contain bytes that are not text.
    return (("scenario", scenario), ("target", target), ("run", run.encode(errors="replace").decode()))


def brief_snapshot(time_s: float, own: Labels, *, running: bool) -> MetricSnapshot:
    """What is known of a run without its judge: whether it is in progress."""
    return _snapshot(time_s, own, [(RUNNING, (), float(running))])


def snapshot_of(
    judge: Judge,
    levels: Levels,
    own: Labels,
    *,
    time_s: float,
    speed: float,
    verdict: str = "",
    statuses: Sequence[Status] = (),
) -> MetricSnapshot:
    """Everything that has a value now; `own`: labels that all carry.

    verdict, statuses: once the run has ended; the latter of all objectives, in their order.
    """
    found = [
        *_of_the_run(judge, speed, verdict),
        *_of_slis(judge, levels),
        *_of_objectives(judge, statuses or standings(judge)),
        *_of_conditions(judge),
    ]
    return _snapshot(time_s, own, found)


_Found = Iterator[tuple[str, Labels, float]]


def _snapshot(time_s: float, own: Labels, found: list[tuple[str, Labels, float]]) -> MetricSnapshot:
    # A scenario may repeat an objective, but a series must be unique.
    values = {(name, (*own, *labels)): value for name, labels, value in found if math.isfinite(value)}
    readings = [Reading(name, labels, value) for (name, labels), value in values.items()]
    return MetricSnapshot(time_s, (Reading(EXPORTED, own, time_s), *readings))


def _of_the_run(judge: Judge, speed: float, verdict: str) -> _Found:
    scenario, now_s = judge.scenario, judge.until_s
    yield RUNNING, (), float(not verdict)
    if verdict:
        yield VERDICT, (("verdict", verdict),), 1.0
    yield "soak_scenario_time_seconds", (), now_s
    yield "soak_scenario_duration_seconds", (), scenario.duration_s
    yield "soak_speed_ratio", (), speed
    for state, count in judge.lifecycle.state_counts().items():
        yield "soak_tasks", (("state", state.name),), float(count)
    counts: Counter[str] = Counter()
    for kind, spec in SPECS.items():
        counts[spec.type] += int(judge.kinds_seen[kind])
    # Alerts are results of the judge, not input.
    stories = [firing for _, guard in judge.alerts for firing in guard.timer.firings]
    counts[SPECS[Kind.ALERT_FIRED].type] = len(stories)
    counts[SPECS[Kind.ALERT_RESOLVED].type] = sum(firing.resolved_s is not None for firing in stories)
    for event_type, count in counts.items():
        yield "soak_events_total", (("type", event_type),), float(count)
    for fault in scenario.faults:
        yield "soak_faults_injected_total", (("fault", fault.name),), float(judge.faults.injected(fault))
        if fault.windows:
            on = any(window.start_s <= now_s < window.end_s for window in fault.windows)
            yield "soak_fault_active", (("fault", fault.name),), float(on)


def _of_slis(judge: Judge, levels: Levels) -> _Found:
    for sli in judge.scenario.slis.values():
        yield f"soak_sli{SUFFIXES[sli.unit]}", (("sli", sli.name),), judge.sli_value(sli)
    for series, unit, value in levels:
        yield f"soak_level{SUFFIXES[unit]}", (("series", series),), value


def _of_objectives(judge: Judge, statuses: Sequence[Status]) -> _Found:
    for place, (objective, status) in enumerate(zip(judge.scenario.objectives, statuses, strict=True)):
        comparison, windows = objective.comparison, judge.windows.get(place)
        if windows is None:
            value, target = shown(judge, comparison)
        else:
            value, target = windows.so_far()[:2]
        labels, suffix = (("objective", comparison.text),), SUFFIXES[objective.unit]
        yield f"soak_objective{suffix}", labels, value
        yield f"soak_objective_target{suffix}", labels, target
        if status is not Status.INCONCLUSIVE:
            yield "soak_objective_met", labels, float(status is Status.PASS)


def _of_conditions(judge: Judge) -> _Found:
    for alert, guard in judge.alerts:
        for metric, labels, value in _of_parts("alert", guard):
            yield metric, labels, value
        severity = ("severity", alert.severity.value)
        yield "soak_alert_firing", (("alert", alert.condition.name), severity), float(guard.timer.firing)
    for guard in judge.aborts:
        for metric, labels, value in _of_parts("abort", guard):
            # The run ended inside a block: of the conditions only the one that ended it is known for that time.
            at_the_end = guard.timer.firings[0].value if guard is judge.aborted_by else math.nan
            yield metric, labels, at_the_end if judge.aborted_by else value


def _of_parts(role: str, guard: AnyGuard) -> _Found:
    """The value of a condition, or of each that it is made of."""
    for place, part in enumerate(guard.parts):
        number = place if isinstance(guard, Combined) else None
        labels = condition_labels(role, guard.condition.name, number)
        yield condition_metric(part.condition.comparison), labels, part.value


def condition_metric(comparison: Comparison) -> str:
    """The metric that holds what a condition compares."""
    return f"{CONDITION}{SUFFIXES[comparison.sli.unit]}"


def condition_labels(role: str, name: str, part: int | None = None) -> Labels:
    """The labels of a condition; `role`: alert or abort. part: of one of several that are combined, its place from 0."""
    own = (("role", role), ("condition", name))
    return own if part is None else (*own, ("part", str(part + 1)))
