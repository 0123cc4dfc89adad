"""A plan in segments: intervals with constant arrival rate and constant faults of attempts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Process, Scenario
from soak.schemas.stream.block import Floats
from soak.simulation.rate import ArrivalRate


@dataclass(frozen=True, slots=True)
class Segment:
    """An interval of arrivals: its length, expected arrivals, and active faults.

    burst: whether the arrival rate is that of a burst, or near its highest. faults: those by rate, in the order of the file.
    """

    length_s: float
    arrivals: float
    burst: bool
    faults: tuple[Fault, ...]


def expected_arrivals(scenario: Scenario, rate: ArrivalRate) -> float:
    """Expected arrivals in the run: the integral of the rate, and at most workload.tasks."""
    by_rate = rate.expected(scenario.duration_s)
    return by_rate if scenario.workload.tasks is None else min(by_rate, float(scenario.workload.tasks))


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
    arrivals = np.diff(rate.expected(edges))
    return [
        Segment(
            length_s, expected, rate.is_peak(middle_s), tuple(fault for fault in by_rate if _holds(fault, middle_s))
        )
        for length_s, expected, middle_s in zip(
            np.diff(edges).tolist(), arrivals.tolist(), middles.tolist(), strict=True
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
