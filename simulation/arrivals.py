"""Arrival times: a rate as a pure function of time, and the processes that follow it."""

from collections.abc import Iterator

import numpy as np

from schemas.block import Floats, quantise
from schemas.model import Process, Workload
from simulation.streams import BLOCK, Stream


class Rate:
    """The arrival rate over time: a base rate and, at the start of each period, a burst."""

    def __init__(self, workload: Workload) -> None:
        burst = workload.burst
        self.base_per_s = workload.rate_per_s
        self.burst_per_s = burst.rate_per_s if burst else workload.rate_per_s
        self.burst_s = burst.for_s if burst else 0.0
        self.period_s = burst.every_s if burst else 3600.0
        lengths = ((0.0, self.burst_s, self.burst_per_s), (self.burst_s, self.period_s - self.burst_s, self.base_per_s))
        segments = [segment for segment in lengths if segment[1] > 0 and segment[2] > 0]
        self._starts_s = np.array([start for start, _, _ in segments])
        self._rates = np.array([rate for _, _, rate in segments])
        self._counts = np.cumsum([0.0, *(length * rate for _, length, rate in segments)])

    @property
    def mean_per_s(self) -> float:
        """Arrivals per second, averaged over a period."""
        return float(self._counts[-1]) / self.period_s

    def at(self, t_s: Floats) -> Floats:
        """Arrivals per second at each time."""
        return np.where(np.mod(t_s, self.period_s) < self.burst_s, self.burst_per_s, self.base_per_s)

    def expected(self, t_s: Floats) -> Floats:
        """Expected number of arrivals from 0 to each time: the integral of the rate."""
        periods, rest = np.divmod(t_s, self.period_s)
        in_burst = np.minimum(rest, self.burst_s) * self.burst_per_s
        result: Floats = periods * self._counts[-1] + in_burst + np.maximum(rest - self.burst_s, 0.0) * self.base_per_s
        return result

    def time_of(self, expected: Floats) -> Floats:
        """The time at which the integral of the rate reaches each value: the inverse of `expected` (inf where it never does)."""
        if not len(self._rates):
            return np.full(len(expected), np.inf)
        periods, rest = np.divmod(expected, self._counts[-1])
        segment = np.searchsorted(self._counts[1:-1], rest, side="right")
        within = (rest - self._counts[segment]) / self._rates[segment]
        result: Floats = periods * self.period_s + self._starts_s[segment] + within
        return result


def arrival_times(workload: Workload, seed: int, until_s: float) -> Iterator[Floats]:
    """Arrival times below `until_s`, ascending, in chunks of at most BLOCK; no more than the workload has tasks.

    Poisson: a unit-rate process carried through the inverse of the integrated rate (Cinlar 1975), which is exact
    for a rate that varies. Constant: evenly spaced in the integrated rate, the first at its start.
    """
    rate = Rate(workload)
    stream = Stream(seed, "arrivals")
    reached, block = 0.0, 0
    while True:
        if workload.process is Process.POISSON:
            marks = reached + np.cumsum(stream.at(block).standard_exponential(BLOCK))
            reached = float(marks[-1])
        else:
            marks = np.arange(block * BLOCK, (block + 1) * BLOCK, dtype=np.float64)
        times = quantise(rate.time_of(marks))
        inside = times[: int(np.searchsorted(times, until_s, side="left"))]
        if workload.tasks is not None:
            inside = inside[: max(0, workload.tasks - block * BLOCK)]
        yield inside
        if len(inside) < BLOCK:
            return
        block += 1
