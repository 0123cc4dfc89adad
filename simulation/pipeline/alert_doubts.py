"""Alerts of the pipeline's own that nothing in a scenario brings about, or that always fire. Without NumPy."""

import math
from collections.abc import Iterator, Sequence

from soak.schemas.errors import Where
from soak.schemas.language.model import Scenario
from soak.schemas.language.windows import Window
from soak.schemas.systems.pipeline.faults import OF_SINK, PipelineFaultType
from soak.schemas.systems.pipeline.settings import AlertRule, pipeline_of
from soak.schemas.units import show_duration, show_ratio
from soak.simulation.pipeline.capacity import path_to, share_of
from soak.simulation.pipeline.course import Course
from soak.simulation.pipeline.rules import MINUTE_S, SETTLING_S, minutes_of
from soak.simulation.rate import rate_of
from soak.simulation.room import Doubt

_FEW = 10.0
"""A minute of which fewer records are expected may have none."""

_FAR = 4.0
"""Standard deviations by which the share of a minute may be off."""

_ROUNDING = 1e-6


def alert_doubts(scenario: Scenario, courses: Sequence[Course]) -> Iterator[Doubt]:
    """Of each alert that the scenario expects."""
    minutes = int((scenario.duration_s + _ROUNDING) // MINUTE_S)
    alerts, rate = pipeline_of(scenario).alerts, rate_of(scenario.workload)
    if not minutes and alerts.rules:
        what = f"no minute of {show_duration(scenario.duration_s)} is closed: no alert can fire"
        yield Doubt(("pipeline", "alerts"), what, "raise duration")
        return
    share = _first_share(scenario)
    records = [share * (rate.expected((n + 1) * MINUTE_S) - rate.expected(n * MINUTE_S)) for n in range(minutes)]
    if alerts.no_records_s is not None:
        yield from _no_records(scenario, courses, records, alerts.no_records_s)
    if alerts.low_consistency is not None:
        yield from _share(scenario, AlertRule.LOW_CONSISTENCY, alerts.low_consistency, records)
    if alerts.strong_ratio is not None:
        yield from _share(scenario, AlertRule.STRONG_RATIO, alerts.strong_ratio, records)


def _first_share(scenario: Scenario) -> float:
    """The share of all records that the first sink gets."""
    pipeline = pipeline_of(scenario)
    path = path_to(pipeline, pipeline.sinks[0].of)
    return share_of(pipeline, tuple(pipeline.processes[each].passes for each in path))


def _no_records(
    scenario: Scenario, courses: Sequence[Course], records: Sequence[float], for_s: float
) -> Iterator[Doubt]:
    wanted, in_a_row = minutes_of(for_s), 0
    dark = _union(_dark(scenario, courses))
    for number, count in enumerate(records):
        begin_s, closes_s = number * MINUTE_S, (number + 1) * MINUTE_S + SETTLING_S
        hidden = any(window.start_s <= begin_s and closes_s <= window.end_s for window in dark)
        in_a_row = in_a_row + 1 if hidden or count < _FEW else 0
        if in_a_row >= wanted:
            return
    silence = f"add a source_silence that holds {wanted} whole minutes, or remove the alert"
    many = "a whole minute" if wanted == 1 else f"{wanted} whole minutes in a row"
    yield Doubt(("pipeline", "alerts", "no_records"), f"cannot fire: nothing keeps records away for {many}", silence)


def _dark(scenario: Scenario, courses: Sequence[Course]) -> Iterator[Window]:
    """When nothing gets into the first sink."""
    pipeline = pipeline_of(scenario)
    for number in path_to(pipeline, pipeline.sinks[0].of):
        yield from (absence.window for absence in courses[number].absences)
    for fault in scenario.faults:
        closed = fault.type in OF_SINK and fault.dependency == pipeline.sinks[0].name
        if closed or fault.type == PipelineFaultType.SOURCE_DISCONNECT:
            yield from fault.windows


def _union(windows: Iterator[Window]) -> list[Window]:
    found: list[Window] = []
    for window in sorted(windows, key=lambda each: each.start_s):
        if found and window.start_s <= found[-1].end_s:
            found[-1] = Window(found[-1].start_s, max(found[-1].end_s, window.end_s))
        else:
            found.append(window)
    return found


def _share(scenario: Scenario, rule: AlertRule, limit: float, records: Sequence[float]) -> Iterator[Doubt]:
    pipeline = pipeline_of(scenario)
    low = rule is AlertRule.LOW_CONSISTENCY
    usual = pipeline.low_consistency if low else pipeline.strong
    if _first_share(scenario) < 1:
        # What a process does not pass on changes the shares of the rest.
        return
    type_ = PipelineFaultType.CONSISTENCY_DROP if low else PipelineFaultType.STRENGTH_DROP
    where: Where = ("pipeline", "alerts", rule.value)
    beyond = "above" if low else "below"
    if usual > limit if low else usual < limit:
        what = f"fires all the time: the usual share, {show_ratio(usual)}, is {beyond} {show_ratio(limit)}"
        yield Doubt(where, what, f"write a limit {beyond} {show_ratio(usual)}")
        return
    for number, count in enumerate(records):
        reached = _most_extreme(scenario, type_, usual, number, low=low)
        by_chance = _FAR * math.sqrt(max(reached * (1 - reached), 0.0) / max(count, 1.0))
        if reached + by_chance > limit if low else reached - by_chance < limit:
            return
    drop = f"add a {type_.value} of a minute or longer to {'more' if low else 'less'} than {show_ratio(limit)}, or remove it"
    what = f"cannot fire: nothing brings the share of a minute {beyond} {show_ratio(limit)}, from {show_ratio(usual)}"
    yield Doubt(where, what, drop)


def _most_extreme(scenario: Scenario, type_: PipelineFaultType, usual: float, minute: int, *, low: bool) -> float:
    """The share of a minute while the fault that changes it most does."""
    begin_s, end_s, shares = minute * MINUTE_S, (minute + 1) * MINUTE_S, [usual]
    for fault in scenario.faults:
        for window in fault.windows if fault.type == type_ else ():
            part = max(0.0, min(end_s, window.end_s) - max(begin_s, window.start_s)) / MINUTE_S
            shares.append(part * pipeline_of(scenario).faults[fault.name].share + (1 - part) * usual)
    return max(shares) if low else min(shares)
