"""A plan in segments: intervals with constant arrival rate and constant faults of attempts."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from msgspec import Struct

from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Process, Scenario
from soak.schemas.stream.block import Floats
from soak.simulation.rate import ArrivalRate
from soak.simulation.shares import AtOnce, at_set_times


class Segment(Struct, frozen=True):
    """An interval of arrivals: its length, expected arrivals, and active faults.

    by_rate: arrivals that the rate brings; at_once: those at set times. burst: whether the arrival rate is that of a burst,
    or near its highest. faults: those by rate, in the order of the file.
    """

    length_s: float
    by_rate: float
    burst: bool
    faults: tuple[Fault, ...]
    at_once: tuple[AtOnce, ...] = ()

    @property
    def arrivals(self) -> float:
        """All of them."""
        return self.by_rate + sum(each.count for each in self.at_once)


def shortfall(scenario: Scenario, arrivals: int) -> list[str]:
    """A warning if fewer tasks than workload.tasks were drawn; with constant intervals it is independent of the seed."""
    tasks = scenario.workload.tasks
    if tasks is None or arrivals >= tasks or scenario.workload.process is Process.CONSTANT:
        return []
    return [f"with this seed only {arrivals:,} of {tasks:,} tasks arrive: the verdict will be INCONCLUSIVE"]


def segments(scenario: Scenario, rate: ArrivalRate) -> list[Segment]:
    """The segments up to the end of arrivals: that of the run, or when the last of the workload's tasks is due."""
    until_s = scenario.duration_s
    if scenario.workload.tasks is not None:
        until_s = min(until_s, rate.time_of(float(scenario.workload.tasks)))
    by_rate = [fault for fault in scenario.faults if fault.rate and not fault.by_time]
    edges = _edges(rate, by_rate, until_s)
    middles = (edges[:-1] + edges[1:]) / 2
    arrivals = np.diff(rate.flow(edges))
    at_once: list[list[AtOnce]] = [[] for _ in arrivals]
    for each in at_set_times(scenario, rate) if at_once else ():
        at_once[min(int(np.searchsorted(edges, each.t_s, side="right")), len(at_once)) - 1].append(each)
    return [
        Segment(
            length_s,
            expected,
            rate.is_peak(middle_s),
            tuple(fault for fault in by_rate if _holds(fault, middle_s)),
            tuple(together),
        )
        for length_s, expected, middle_s, together in zip(
            np.diff(edges).tolist(), arrivals.tolist(), middles.tolist(), at_once, strict=True
        )
    ]


def _edges(rate: ArrivalRate, faults: Iterable[Fault], until_s: float) -> Floats:
    windows = [edge for fault in faults for window in fault.windows for edge in (window.start_s, window.end_s)]
    edges = np.concatenate([rate.edges(until_s), windows])
    return np.unique(edges[(edges >= 0) & (edges <= until_s)])


def _holds(fault: Fault, t_s: float) -> bool:
    return not fault.windows or any(window.start_s <= t_s < window.end_s for window in fault.windows)


def mean_over(parts: Sequence[Segment], per_task: Callable[[Segment], float]) -> float:
    """Load per second: the mean over the time of these segments (0 without any)."""
    length_s = sum(part.length_s for part in parts)
    return sum(part.arrivals * per_task(part) for part in parts) / length_s if length_s else 0.0
