"""The series that are searched: an objective's indicator in windows of equal length, as long as a statement needs."""

import math
from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.runner.judge.course import Course, Windows
from soak.schemas.evidence.changepoints import LEAST_WINDOWS
from soak.schemas.language.expression import Unit
from soak.schemas.language.model import Scenario
from soak.schemas.language.rhythms import cycle_s
from soak.schemas.language.slis import AT_THE_END, Aggregate, Sli
from soak.schemas.stream.block import Floats

MOST_WINDOWS = 96
"""More tell no more of a step, and cost more to search."""

_LEAST_IN_A_WINDOW = 10
"""Of a share or a mean; a quantile needs two observations above it."""

_LENGTHS_S = (
    1,
    2,
    5,
    10,
    15,
    20,
    30,
    60,
    120,
    300,
    600,
    900,
    1200,
    1800,
    3600,
    7200,
    10800,
    14400,
    21600,
    43200,
    86400,
)
"""Lengths of windows where there are no bursts; longer ones are whole days."""

_LEVELS = {Unit.DURATION_PER_HOUR: Unit.DURATION, Unit.COUNT_PER_HOUR: Unit.COUNT, Unit.SIZE_PER_HOUR: Unit.SIZE}


class Series(Struct, frozen=True):
    """An indicator in windows of `window_s`, of which only those with observations count.

    short: why it cannot be searched; empty where it can.
    """

    course: Course
    sli: Sli
    window_s: float
    windows: Windows
    short: str = ""

    def over(self, *edges_s: float) -> Floats:
        """The indicator between neighbours of these edges."""
        return self.course.windows(self.sli, np.array(edges_s)).value


def searchable(sli: Sli) -> bool:
    """Whether an indicator has a course that can step: not what is known at the end only, and no longest interval."""
    return sli.name != AT_THE_END and sli.aggregate is not Aggregate.LONGEST


def series_of(course: Course, indicator: Sli, scenario: Scenario, until_s: float) -> Series:
    """An indicator over the time of arrivals: not in the warm-up, nor while the system drains."""
    sli = level_of(indicator)
    begin_s, end_s = scenario.warmup_s, min(scenario.duration_s, until_s)
    last: Series | None = None
    for window_s in _lengths(end_s - begin_s, _period_s(scenario, end_s - begin_s)):
        count = int((end_s - begin_s) / window_s + 1e-9)
        if count < LEAST_WINDOWS:
            break
        edges_s = begin_s + window_s * np.arange(count + 1, dtype=np.float64)
        found = course.windows(sli, edges_s)
        known = np.isfinite(found.value)
        windows = Windows(found.start_s[known], found.end_s[known], found.value[known], found.samples[known])
        last = Series(course, sli, window_s, windows)
        if sli.aggregate in {Aggregate.COUNT, Aggregate.RATE} or (
            len(windows) >= LEAST_WINDOWS and float(np.median(windows.samples)) >= _least_in_a_window(sli)
        ):
            return last
    what = f"fewer than {LEAST_WINDOWS} windows of the run have enough observations"
    nothing = Windows(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.int64))
    return replace(last, short=what) if last else Series(course, sli, 0.0, nothing, what)


def level_of(sli: Sli) -> Sli:
    """What is searched for an indicator: of a growth the level that grows, and of samples of a level their mean."""
    if sli.aggregate is Aggregate.GROWTH:
        return replace(sli, name=sli.series, unit=_LEVELS.get(sli.unit, sli.unit), aggregate=Aggregate.MEAN)
    return replace(sli, aggregate=Aggregate.MEAN) if sli.aggregate is Aggregate.GAUGE else sli


def _least_in_a_window(sli: Sli) -> int:
    if sli.aggregate is Aggregate.QUANTILE:
        return math.ceil(2 / (1 - sli.q) - 1e-9) if sli.q < 1 else _LEAST_IN_A_WINDOW
    return _LEAST_IN_A_WINDOW if sli.aggregate in {Aggregate.RATIO, Aggregate.MEAN} and sli.per_task else 1


def _period_s(scenario: Scenario, span_s: float) -> float:
    """The period of what comes back: of bursts, or of faults that come back with whole numbers of them; 0 without one.

    Faults that come back too seldom for enough windows are single events.
    """
    period_s = cycle_s(scenario)
    for fault in scenario.faults:
        if len(fault.windows) > 1:
            fault_s = fault.windows[1].start_s - fault.windows[0].start_s
            whole = not period_s or fault_s % period_s == 0
            if whole and fault_s > period_s and fault_s * LEAST_WINDOWS <= span_s:
                period_s = fault_s
    return period_s


def _lengths(span_s: float, period_s: float) -> Iterator[float]:
    """Lengths to try, each about half as long again: whole multiples of the period, so that a burst is not a step."""
    shortest_s = max(span_s, 1.0) / MOST_WINDOWS
    if period_s:
        times = math.ceil(shortest_s / period_s - 1e-9)
        while times * period_s <= span_s:
            yield times * period_s
            times = max(times + 1, times * 3 // 2)
        return
    days = (86400.0 * number for number in range(2, 1 + math.ceil(span_s / 86400)))
    yield from (length_s for length_s in (*_LENGTHS_S, *days) if shortest_s <= length_s <= span_s)
