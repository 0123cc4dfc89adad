"""What a scenario schedules: phases, bursts of arrivals, and windows of faults; and which of them a time falls into."""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct

from soak.schemas.evidence.explanation import BurstWindow, FaultWindow, Spread, Stretch
from soak.schemas.language.model import Scenario
from soak.schemas.language.rhythms import burst_windows
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Floats


class Hits(Struct, frozen=True):
    """How many of some times fall into each phase, into bursts, and into windows of each fault; names without any left out."""

    phases: dict[str, int]
    bursts: int
    faults: dict[str, int]


class Calendar:
    """The schedule of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.bursts = burst_windows(scenario)
        """Bursts of arrivals, in order."""
        self._phases = scenario.phases
        self._faults = [(fault.name, fault.windows) for fault in scenario.faults if fault.windows]
        self._burst_edges = _edges(self.bursts)
        self._phase_edges = {phase.name: _edges((phase.window,)) for phase in scenario.phases}
        self._fault_edges = {name: _edges(windows) for name, windows in self._faults}

    @property
    def scheduled(self) -> bool:
        """Whether there are bursts or scheduled faults at all."""
        return bool(self.bursts or self._faults)

    def hits(self, t_s: Floats) -> Hits:
        """Into what these times fall."""
        phases = {name: _within(t_s, edges) for name, edges in self._phase_edges.items()}
        faults = {name: _within(t_s, edges) for name, edges in self._fault_edges.items()}
        return Hits(_seen(phases), _within(t_s, self._burst_edges), _seen(faults))

    def spread(self, length_s: float, seen: Sequence[Stretch], broken: Sequence[Stretch]) -> Spread:
        """How many stretches there are and how many are broken, with a burst or a scheduled fault in them and in all."""
        windows = tuple(window for _, own in self._faults for window in own)
        return Spread(
            length_s=length_s,
            stretches=len(seen),
            broken=len(broken),
            with_burst=_overlapping(seen, self.bursts),
            broken_with_burst=_overlapping(broken, self.bursts),
            with_fault=_overlapping(seen, windows),
            broken_with_fault=_overlapping(broken, windows),
        )

    def phases(self, span: Window) -> list[str]:
        """The phases that overlap a span, in the order of the scenario."""
        return [phase.name for phase in self._phases if overlap(phase.window, span)]

    def bursts_in(self, span: Window) -> list[BurstWindow]:
        """The bursts that overlap a span, in order."""
        return [
            BurstWindow(number, each.start_s, each.end_s)
            for number, each in enumerate(self.bursts, 1)
            if overlap(each, span)
        ]

    def faults(self, span: Window) -> list[FaultWindow]:
        """The windows of faults that overlap a span, in time order."""
        return sorted(self._faults_in(span), key=lambda each: each.start_s)

    def _faults_in(self, span: Window) -> Iterator[FaultWindow]:
        for name, windows in self._faults:
            yield from (FaultWindow(name, each.start_s, each.end_s) for each in windows if overlap(each, span))


def overlap(one: Window, other: Window) -> bool:
    """Whether two windows have a time in common; a span that is an instant lies in what begins or goes on then."""
    if other.start_s == other.end_s:
        return one.start_s <= other.start_s < one.end_s
    return one.start_s < other.end_s and other.start_s < one.end_s


def _overlapping(stretches: Sequence[Stretch], windows: Sequence[Window]) -> int:
    """How many stretches overlap any of the windows."""
    if not stretches or not windows:
        return 0
    starts = np.sort(np.array([each.start_s for each in windows]))
    ends = np.sort(np.array([each.end_s for each in windows]))
    # Windows that began before a stretch ends, less those that ended by its beginning.
    began = np.searchsorted(starts, np.array([each.end_s for each in stretches]), side="left")
    ended = np.searchsorted(ends, np.array([each.start_s for each in stretches]), side="right")
    return int(np.count_nonzero(began > ended))


def _edges(windows: Sequence[Window]) -> Floats:
    """Beginning and end of each window in turn; they are ascending and apart."""
    return np.array([edge for window in windows for edge in (window.start_s, window.end_s)])


def _within(t_s: Floats, edges: Floats) -> int:
    return int(np.count_nonzero(np.searchsorted(edges, t_s, side="right") % 2)) if len(edges) else 0


def _seen(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}
