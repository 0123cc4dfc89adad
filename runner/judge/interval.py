"""Confidence intervals."""

import math
from statistics import NormalDist


def z_of(confidence: float) -> float:
    """The two-sided standard normal quantile for a confidence level below 1."""
    return NormalDist().inv_cdf((1 + min(confidence, 1 - 1e-12)) / 2)


def normal_tail(z: float) -> float:
    """Probability that a standard normal variable exceeds `z`."""
    return math.erfc(z / math.sqrt(2)) / 2


def wilson(good: float, total: float, confidence: float) -> tuple[float, float]:
    """Wilson score interval of a share (Wilson 1927); it stays inside 0..1 and is not empty at 0 or 1."""
    if total <= 0:
        return 0.0, 1.0
    z, share = z_of(confidence), good / total
    middle = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    low, high = (middle - half) / scale, (middle + half) / scale
    return 0.0 if good <= 0 else max(0.0, low), 1.0 if good >= total else min(1.0, high)


def quantile_ranks(q: float, count: int, confidence: float) -> tuple[int, int]:
    """Ranks, from 1, whose values enclose the `q` quantile: the normal form of the binomial interval (Conover 1999, 3.2).

    A rank of 0 or above `count` says that the sample does not bound the quantile on that side.
    """
    half = z_of(confidence) * math.sqrt(count * q * (1 - q))
    return math.floor(count * q - half), math.ceil(count * q + half) + 1
