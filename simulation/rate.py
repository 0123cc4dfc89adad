"""The arrival rate as a pure function of time: of one time, or of an array of them.

NumPy is not imported here, so that a scenario can be checked without loading it. Choices are products with 0 and 1,
which are exact: one number and an array of numbers come out the same.
"""

import math
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from soak.schemas.language.model import Workload

if TYPE_CHECKING:
    from soak.schemas.stream.block import Bools, Floats

Number = TypeVar("Number", float, "Floats")


class ArrivalRate(Protocol):
    """The arrival rate of a workload, and what it comes to."""

    @property
    def mean_per_s(self) -> float:
        """Arrivals per second, averaged over a cycle, or over the run if there is none."""

    @property
    def highest_per_s(self) -> float:
        """The highest rate at any time."""

    @property
    def cycle_s(self) -> float:
        """After which the rate repeats itself, in seconds; 0 if it is constant, the whole run if it never does."""

    def at(self, t_s: Number) -> Number:
        """Arrivals per second at each time."""

    def expected(self, t_s: Number) -> Number:
        """Expected number of arrivals from 0 to each time, those at set times included."""

    def time_of(self, expected: Number) -> Number:
        """The time at which that many arrivals are expected: the inverse of `expected` (inf where it never is)."""

    def flow(self, t_s: Number) -> Number:
        """The integral of the rate from 0 to each time: `expected` without arrivals at set times."""

    def when(self, flow: Number) -> Number:
        """The time at which the integral of the rate exceeds each value: the inverse of `flow` (inf where it never does)."""

    def edges(self, until_s: float) -> list[float]:
        """The times in [0, until_s] between which the rate is nearly constant."""

    def is_peak(self, t_s: float) -> bool:
        """Whether the rate is then that of a burst, or of the busiest times."""

    def most_within(self, length_s: float) -> float:
        """The most arrivals to be expected in any interval of this length."""


def rate_of(workload: Workload) -> ArrivalRate:
    """The arrival rate of a workload."""
    if workload.shape is None and not workload.scheduled:
        return Rate(workload)
    from soak.simulation.shaped_rate import ShapedRate

    return ShapedRate(workload)


class Rate:
    """A rate that is constant but for a burst at the start of each period."""

    def __init__(self, workload: Workload) -> None:
        burst = workload.burst
        self.base_per_s = workload.rate_per_s
        self.burst_per_s = burst.rate_per_s if burst else workload.rate_per_s
        self.burst_s = burst.for_s if burst else 0.0
        self.period_s = burst.every_s if burst else 3600.0
        self._in_burst = self.burst_s * self.burst_per_s
        self._in_period = self._in_burst + (self.period_s - self.burst_s) * self.base_per_s

    @property
    def mean_per_s(self) -> float:
        """Arrivals per second, averaged over a period."""
        return self._in_period / self.period_s

    @property
    def highest_per_s(self) -> float:
        """The higher of both rates."""
        return max(self.base_per_s, self.burst_per_s)

    @property
    def cycle_s(self) -> float:
        """The period of the bursts; 0 if they change nothing."""
        return self.period_s if self.burst_s and self.burst_per_s != self.base_per_s else 0.0

    def edges(self, until_s: float) -> list[float]:
        """The beginnings and ends of bursts."""
        count = math.ceil(until_s / self.period_s) if self.burst_s else 0
        starts = [number * self.period_s for number in range(count)]
        return sorted({0.0, until_s, *starts, *(min(start + self.burst_s, until_s) for start in starts)})

    def is_peak(self, t_s: float) -> bool:
        """Whether it is in a burst."""
        return t_s % self.period_s < self.burst_s

    def most_within(self, length_s: float) -> float:
        """The most arrivals to be expected in any interval no longer than a period."""
        burst_s = min(self.burst_s, length_s)
        return burst_s * self.highest_per_s + (length_s - burst_s) * self.base_per_s

    def at(self, t_s: Number) -> Number:
        """Arrivals per second at each time."""
        rate: Number = _either(t_s % self.period_s < self.burst_s, self.burst_per_s, self.base_per_s)
        return rate

    def expected(self, t_s: Number) -> Number:
        """Expected number of arrivals from 0 to each time: the integral of the rate."""
        rest = t_s % self.period_s
        early = rest < self.burst_s
        in_burst = _either(early, rest, self.burst_s) * self.burst_per_s
        later = _either(early, 0.0, rest - self.burst_s) * self.base_per_s
        expected: Number = t_s // self.period_s * self._in_period + in_burst + later
        return expected

    def time_of(self, expected: Number) -> Number:
        """The time at which the integral of the rate reaches each value: the inverse of `expected` (inf where it never does)."""
        if not self._in_period:
            never: Number = expected * 0.0 + math.inf
            return never
        periods, rest = divmod(expected, self._in_period)
        late = rest >= self._in_burst
        # While the rate is 0 nothing comes: no value lies there.
        rate = _either(late, self.base_per_s or 1.0, self.burst_per_s or 1.0)
        within_s = (rest - late * self._in_burst) / rate
        t_s: Number = periods * self.period_s + late * self.burst_s + within_s
        return t_s

    flow = expected
    when = time_of


def _either(first: "bool | Bools", one: "float | Floats", other: "float | Floats") -> Any:
    """`one` where `first` is so, otherwise `other`; both finite."""
    return first * one + (1 - first) * other
