"""The interval of one figure in terms of another that is not exactly known either."""

import math

Interval = tuple[float, float]


def ratio_interval(value: float, interval: Interval, other: float, other_interval: Interval) -> Interval:
    """The interval of `value` / `other`, as multiples of `other`: compare it with a factor times `other`.

    From the two intervals, taken as independent, on the scale of logarithms (the method of variance estimates recovery: Zou and
    Donner 2008). Unbounded on a side where one of the two is, or where a figure is not above 0.
    """
    if value <= 0 or other <= 0:
        return -math.inf, math.inf
    low = math.hypot(_apart(interval[0], value), _apart(other, other_interval[1]))
    high = math.hypot(_apart(value, interval[1]), _apart(other_interval[0], other))
    return value * math.exp(-low), value * math.exp(high) if high < math.inf else math.inf


def _apart(low: float, high: float) -> float:
    """The distance of two figures as logarithms."""
    return math.log(high / low) if 0 < low < math.inf and high < math.inf else math.inf
