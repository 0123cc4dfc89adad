"""The arrival rate as a pure function of time: of one time, or of an array of them.

NumPy is not imported here, so that a scenario can be checked without loading it. Choices are products with 0 and 1,
which are exact: one number and an array of numbers come out the same.
"""

import math
from typing import TYPE_CHECKING, Any, TypeVar

from soak.schemas.language.model import Workload

if TYPE_CHECKING:
    from soak.schemas.stream.block import Bools, Floats

Number = TypeVar("Number", float, "Floats")


class Rate:
    """The arrival rate over time: a base rate and, at the start of each period, a burst."""

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
        rest = expected % self._in_period
        early = rest < self._in_burst
        begin_s = _either(early, 0.0, self.burst_s)
        # While the rate is 0 nothing comes: no value lies there.
        rate = _either(early, self.burst_per_s or 1.0, self.base_per_s or 1.0)
        within_s = (rest - _either(early, 0.0, self._in_burst)) / rate
        t_s: Number = expected // self._in_period * self.period_s + begin_s + within_s
        return t_s


def _either(first: "bool | Bools", one: "float | Floats", other: "float | Floats") -> Any:
    """`one` where `first` is so, otherwise `other`; both finite."""
    return first * one + (1 - first) * other
