"""What a scenario schedules: cycles that repeat all through the run, and single events.

A run is one of many with the same schedule. What comes back with every cycle is part of the truth: batches are made of whole
cycles. What comes once cannot be told from its own noise: observations during it, and for as long again, are compared with their
own mean.
"""

from collections.abc import Iterator

from msgspec import Struct

from soak.schemas.language.model import Scenario
from soak.schemas.language.rhythms import bursts_of, cycles_of
from soak.schemas.language.windows import Window

LEAST_CYCLES = 10
"""A period that comes less often is a number of single events."""


class Schedule(Struct, frozen=True):
    """`cycle_s`: the longest period that comes often enough, from `start_s` on; 0 without one. `events`: the rest, disjoint."""

    start_s: float = 0.0
    cycle_s: float = 0.0
    events: tuple[Window, ...] = ()


NOTHING_SCHEDULED = Schedule()


def schedule_of(scenario: Scenario) -> Schedule:
    """What a scenario schedules."""
    length_s = scenario.duration_s - scenario.warmup_s
    periods = filter(None, map(_period, _scheduled(scenario)))
    often = [each for each in periods if length_s / each >= LEAST_CYCLES]
    cycle_s = max(often, default=0.0)
    windows = [window for each in _scheduled(scenario) if _period(each) not in often for window in each]
    return Schedule(scenario.warmup_s, cycle_s, tuple(_apart(windows)))


def _scheduled(scenario: Scenario) -> Iterator[tuple[Window, ...]]:
    """The windows of bursts, of cycles of the load that come often enough, and of each fault."""
    yield from (burst.windows for burst in bursts_of(scenario))
    often = (cycle for cycle in cycles_of(scenario) if len(cycle.windows) >= LEAST_CYCLES)
    yield from (cycle.windows for cycle in often)
    yield from (fault.windows for fault in scenario.faults)


def _period(windows: tuple[Window, ...]) -> float:
    return windows[1].start_s - windows[0].start_s if len(windows) > 1 else 0.0


def _apart(windows: list[Window]) -> Iterator[Window]:
    """The windows with their aftermath, those that overlap made one."""
    begin_s = end_s = -1.0
    for each in sorted(windows, key=lambda window: window.start_s):
        over_s = each.end_s + (each.end_s - each.start_s)
        if each.start_s > end_s:
            if end_s > begin_s:
                yield Window(begin_s, end_s)
            begin_s, end_s = each.start_s, over_s
        end_s = max(end_s, over_s)
    if end_s > begin_s:
        yield Window(begin_s, end_s)
