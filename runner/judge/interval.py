"""Confidence intervals."""

import math
from functools import lru_cache
from statistics import NormalDist


@lru_cache(maxsize=256)
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
    low, high = score_interval(good / total, total, z_of(confidence))
    return 0.0 if good <= 0 else low, 1.0 if good >= total else high


def score_interval(share: float, count: float, z: float) -> tuple[float, float]:
    """The true shares that `share` of `count` > 0 independent observations lies within `z` standard errors of (Wilson 1927)."""
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def quantile_ranks(q: float, count: int, confidence: float) -> tuple[int, int]:
    """Ranks, from 1, whose values enclose the `q` quantile: the normal form of the binomial interval (Conover 1999, 3.2).

    A rank of 0 or above `count` says that the sample does not bound the quantile on that side.
    """
    return ranks_within(q, count, count, z_of(confidence))


def ranks_within(q: float, count: int, effective: float, z: float) -> tuple[int, int]:
    """The same for `count` observations that say as much as `effective` independent ones, with `z` standard errors."""
    half = count * z * math.sqrt(q * (1 - q) / effective)
    return math.floor(count * q - half), math.ceil(count * q + half) + 1
