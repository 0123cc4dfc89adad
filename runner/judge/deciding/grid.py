"""When it is asked whether a verdict is known: after whole steps of scenario time, each of whole cycles of the load."""

import math
from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from soak.runner.judge.deciding.bounds import LEAST_BATCHES
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.language.rhythms import bursts_of, cycles_of, is_cyclic
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import TICKS_PER_S, Bools, Floats, Ints

MOST_STEPS = 256
LEAST_CYCLES = LEAST_BATCHES
LEAST_PART = 8
"""Nothing is decided in the first eighth of a run: what is rare had no time to happen."""

_LOOKS_PER_DOUBLING = 8
_ENDLESS = 1 << 62
"""Ticks that no run has: a cycle of many intervals that fit into nothing common is not longer, and fits into an integer."""


class Grid(Struct, frozen=True):
    """Steps of equal length over the arrivals of a run.

    cycle_s: of the load and of recurring faults, 0 without any. first: the first step after the warm-up. least: steps before
    anything is decided. once: windows of faults that do not recur often enough to be part of a cycle.
    """

    step_ticks: int
    count: int
    first: int
    least: int
    cycle_s: float
    once: tuple[Window, ...]

    @classmethod
    def of(cls, scenario: Scenario) -> "Grid":
        """The steps of a scenario."""
        cycles = [_ticks(rhythm.period_s) for rhythm in (*bursts_of(scenario), *cycles_of(scenario)) if rhythm.period_s]
        once: list[Window] = []
        for fault in scenario.faults:
            between = _ticks(fault.windows[1].start_s - fault.windows[0].start_s) if len(fault.windows) > 1 else 0
            if len(fault.windows) >= LEAST_CYCLES:
                cycles.append(between)
            else:
                once += fault.windows
        whole, cycle = max(1, _ticks(scenario.duration_s)), min(math.lcm(*cycles), _ENDLESS) if cycles else 1
        step = cycle * math.ceil(whole / (cycle * MOST_STEPS))
        count, first = whole // step, math.ceil(_ticks(scenario.warmup_s) / step)
        # What a load that never repeats itself will do is not known before the end, nor what a system will that changes.
        lasting = is_cyclic(scenario) and language_of(scenario.system).steady(scenario.system_settings)
        least = max(LEAST_BATCHES, (count - first) // LEAST_PART) if lasting else count + 1
        return cls(step, count, first, least, cycle / TICKS_PER_S if cycles else 0.0, tuple(once))

    @property
    def step_s(self) -> float:
        """The length of a step."""
        return self.step_ticks / TICKS_PER_S

    def looks(self) -> Iterator[int]:
        """After how many steps, from the beginning of the run, it is looked: the more there are, the less often."""
        after = self.least
        while after + self.first <= self.count:
            yield after + self.first
            after += max(1, after // _LOOKS_PER_DOUBLING)

    def end_s(self, steps: int) -> float:
        """When that many steps are over."""
        return steps * self.step_ticks / TICKS_PER_S

    def step_of(self, t_s: Floats) -> Ints:
        """The step of each time, which ascend; those after the last one have the number `count`."""
        # Whole ticks divided by the same number keep their order, so that no tick has to be counted.
        ends_s = np.arange(1, self.count + 1) * self.step_ticks / TICKS_PER_S
        begins = np.concatenate([[0], np.searchsorted(t_s, ends_s, side="left"), [len(t_s)]])
        return np.repeat(np.arange(self.count + 1), np.diff(begins))

    def usual(self) -> Bools:
        """The steps that are like any other: after the warm-up, and without a fault that is not part of a cycle, or its wake."""
        usual = np.arange(self.count) >= self.first
        for window in self.once:
            begin = _ticks(window.start_s) // self.step_ticks
            usual[begin : _ticks(window.end_s) // self.step_ticks + 2] = False
        return usual


def _ticks(seconds: float) -> int:
    return round(seconds * TICKS_PER_S)
