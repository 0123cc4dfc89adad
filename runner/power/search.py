"""The smallest violation that is detected, and the shortest time in which one of a given size is."""

import math

from soak.runner.power.detection import Detector

LONGEST_H = 24 * 366 * 100.0
"""A hundred years: beyond that no duration is named."""

_STEPS = 60


def smallest(detector: Detector, hours: float, power: float) -> float | None:
    """The size nearest to the limit that is detected with probability `power`; None when none is."""
    if detector.probability(detector.worst, hours) < power:
        return None
    seen, unseen = detector.worst, detector.limit
    for _ in range(_STEPS):
        middle = _between(unseen, seen)
        if middle in {seen, unseen}:
            break
        if detector.probability(middle, hours) >= power:
            seen = middle
        else:
            unseen = middle
    return seen


def shortest(detector: Detector, size: float, power: float, least_h: float) -> float | None:
    """The hours, `least_h` or more, from which on a violation of this size is detected; None: not in a hundred years."""
    if detector.probability(size, LONGEST_H) < power:
        return None
    low, high = least_h, LONGEST_H
    if detector.probability(size, low) >= power:
        return low
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        if detector.probability(size, middle) >= power:
            high = middle
        else:
            low = middle
    return high


def _between(one: float, other: float) -> float:
    """The middle of two sizes: by ratio where both are far apart, so that small ones are found as exactly as large ones."""
    low, high = sorted((abs(one), abs(other)))
    if one * other > 0 and high > 4 * low:
        return math.copysign(math.sqrt(low * high), one)
    if low == 0 and high > 1e-9:
        # Towards zero by steps of a thousand: nothing below a billionth needs telling apart.
        return math.copysign(high / 1000, one + other)
    return (one + other) / 2
