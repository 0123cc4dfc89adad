"""What a scenario schedules: phases, bursts of arrivals, and windows of faults; and which of them a time falls into."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from soak.schemas.evidence.explanation import FaultWindow
from soak.schemas.language.model import Scenario
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Floats
from soak.simulation.plan import inside_windows


@dataclass(frozen=True, slots=True)
class Hits:
    """How many of some times fall into each phase, into bursts, and into windows of each fault; names without any left out."""

    phases: dict[str, int]
    bursts: int
    faults: dict[str, int]


class Calendar:
    """The schedule of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        burst, duration_s = scenario.workload.burst, scenario.duration_s
        count = math.ceil(duration_s / burst.every_s) if burst else 0
        starts_s = [number * burst.every_s for number in range(count)] if burst else []
        self.bursts = tuple(Window(start_s, min(start_s + burst.for_s, duration_s)) for start_s in starts_s if burst)
        """Bursts of arrivals, in order."""
        self._phases = scenario.phases
        self._faults = [(fault.name, fault.windows) for fault in scenario.faults if fault.windows]

    def hits(self, t_s: Floats) -> Hits:
        """Into what these times fall."""
        phases = {phase.name: _within(t_s, (phase.window,)) for phase in self._phases}
        faults = {name: _within(t_s, windows) for name, windows in self._faults}
        return Hits(_seen(phases), _within(t_s, self.bursts), _seen(faults))

    def phases(self, span: Window) -> list[str]:
        """The phases that overlap a span, in the order of the scenario."""
        return [phase.name for phase in self._phases if overlap(phase.window, span)]

    def bursts_in(self, span: Window) -> list[int]:
        """The numbers of the bursts that overlap a span, from 1."""
        return [number for number, window in enumerate(self.bursts, 1) if overlap(window, span)]

    def faults(self, span: Window) -> list[FaultWindow]:
        """The windows of faults that overlap a span, in time order."""
        return sorted(self._overlapping(span), key=lambda each: each.start_s)

    def _overlapping(self, span: Window) -> Iterator[FaultWindow]:
        for name, windows in self._faults:
            yield from (FaultWindow(name, each.start_s, each.end_s) for each in windows if overlap(each, span))


def overlap(one: Window, other: Window) -> bool:
    """Whether two windows have a time in common; a span that is an instant lies in what begins or goes on then."""
    if other.start_s == other.end_s:
        return one.start_s <= other.start_s < one.end_s
    return one.start_s < other.end_s and other.start_s < one.end_s


def _within(t_s: Floats, windows: tuple[Window, ...]) -> int:
    return int(np.count_nonzero(inside_windows(t_s, windows))) if windows else 0


def _seen(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}
