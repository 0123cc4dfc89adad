"""Figures of many values: shares with Wilson's intervals, quantiles as of Hyndman and Fan (1996), definition 7."""

import math
from collections.abc import Sequence

from soak.runner.judge.interval import wilson
from soak.schemas.evidence.prediction import QUANTILES, Distribution, Quantile, Share

CONFIDENCE = 0.95


def share_of(count: int, total: int) -> Share:
    """`count` of `total` with its Wilson interval; 0 to 1 for a total of 0."""
    return Share(count, count / total if total else 0.0, wilson(count, total, CONFIDENCE))


def half_width(share: Share) -> float:
    """Half the width of the interval of a share."""
    low, high = share.interval
    return (high - low) / 2


def distribution_of(values: Sequence[float]) -> Distribution | None:
    """Mean, standard deviation of a sample and quantiles; None without values. Sums are exact, so the order does not matter."""
    if not values:
        return None
    ordered = sorted(values)
    count = len(ordered)
    # Rounding must not carry the mean of equal values off them.
    mean = ordered[0] if ordered[0] == ordered[-1] else math.fsum(ordered) / count
    squares = math.fsum((value - mean) ** 2 for value in ordered)
    sd = math.sqrt(squares / (count - 1)) if count > 1 else None
    quantiles = [Quantile(q, quantile(ordered, q)) for q in QUANTILES]
    return Distribution(count, mean, sd, ordered[0], ordered[-1], quantiles)


def quantile(ordered: Sequence[float], q: float) -> float:
    """The `q` quantile of ordered values by linear interpolation: Hyndman and Fan (1996), definition 7."""
    place = (len(ordered) - 1) * q
    below = math.floor(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return low + (place - below) * (high - low)
