"""Evidence that may be looked at again and again: e-values, and how much dependence takes from the number of observations.

An e-value is a random variable whose mean is at most 1 while the hypothesis holds; of a sequence of them that is a nonnegative
martingale, the probability that it ever exceeds 1 / alpha is at most alpha (Ville 1939; Howard et al. 2021).
"""

import math

from soak.schemas.stream.block import Floats

LEAST_BATCHES = 8
"""There are from 8 to 15 batches; when there would be 16, they are joined in pairs."""

_WIDEN = 8.0
"""A variance that is estimated from k steps counts as 1 + 8 / k times as large."""


def log_e_share(good: float, total: float, share: float) -> float:
    """The logarithm of the e-value against `share` being the probability of `good` of `total` independent observations.

    The mixture of the likelihood ratios with Jeffreys' prior, Beta(1/2, 1/2) (Robbins 1970).
    """
    bad = total - good
    if (good and share <= 0) or (bad and share >= 1):
        return math.inf
    mixed = math.lgamma(good + 0.5) + math.lgamma(bad + 0.5) - math.lgamma(total + 1.0) - math.log(math.pi)
    return mixed - (good * math.log(share) if good else 0.0) - (bad * math.log1p(-share) if bad else 0.0)


def log_e_batches(sums: Floats, least_square: float) -> float:
    """The logarithm of the e-value of a t test against the mean of normal sums being 0, of whatever variance.

    The mixture over effects in standard deviations with a standard normal prior (Wang and Ramdas 2025: scale
    invariant). `least_square`: the sum of squares counts as at least this much.
    """
    count, square = len(sums), max(float((sums * sums).sum()), least_square)
    if not count or not square:
        return 0.0
    explained = float(sums.sum()) ** 2 / ((count + 1) * square)
    return -math.log1p(count) / 2 - count / 2 * math.log1p(-explained)


def log_e_mean(sums: Floats, variance: float, steps: int, error: float) -> float:
    """The logarithm of the asymptotic e-value against the mean of `sums`, with that variance a step, being 0.

    A normal mixture (Robbins 1970; Waudby-Smith et al. 2024), tightest at `steps`.
    """
    if variance <= 0:
        return 0.0
    level = -2 * math.log(error)
    tuned = (level + math.log1p(level)) / steps
    spread = 1 + len(sums) * tuned
    return (tuned * float(sums.sum()) ** 2 / (variance * spread) - math.log(spread)) / 2


def batches(sums: Floats) -> Floats:
    """The sums of steps joined to 8 to 15 batches of 1, 2, 4, … steps; the first steps are left out where they do not fit."""
    length = 1
    while len(sums) // length >= 2 * LEAST_BATCHES:
        length *= 2
    whole = len(sums) // length
    joined: Floats = sums[len(sums) - whole * length :].reshape(whole, length).sum(axis=1)
    return joined


def levels(steps: int) -> int:
    """How many lengths of batches there are up to `steps`: each has its share of the error."""
    return max(1, math.floor(math.log2(max(1, steps) / LEAST_BATCHES)) + 1)


def long_run_variance(sums: Floats) -> float:
    """The variance of the sum of many steps, a step: Geyer's initial monotone sequence (Geyer 1992), larger for few steps."""
    count = len(sums)
    centred = sums - sums.sum() / count
    first = float((centred * centred).sum()) / count
    total, last = -first, math.inf
    for lag in range(0, count - 1, 2):
        even = first if not lag else float((centred[:-lag] * centred[lag:]).sum()) / count
        pair = min(last, even + float((centred[: -lag - 1] * centred[lag + 1 :]).sum()) / count)
        if pair <= 0:
            break
        total, last = total + 2 * pair, pair
    return max(total, 0.0) * (1 + _WIDEN / count)


def inefficiency(sums: Floats, counts: Floats, variance: float) -> float:
    """How many observations are worth one independent one: 1 or more.

    sums, counts: of the observations of each step, less what is expected. variance: of a single observation.
    """
    total = float(counts.sum())
    if not variance > 0 or not total:
        return 1.0
    return max(1.0, long_run_variance(sums) * len(sums) / (total * variance))


def share_bounds(good: float, total: float, log_limit: float) -> tuple[float, float]:
    """The shares against which the e-value does not exceed its limit: a confidence interval that holds at every look."""
    share = good / total
    low, high = (_edge(good, total, log_limit, share, side) for side in (0.0, 1.0))
    return round(low, 6), round(high, 6)


def _edge(good: float, total: float, log_limit: float, inside: float, outside: float) -> float:
    """Where the e-value reaches its limit, by bisection."""
    if inside == outside:
        return outside
    for _ in range(40):
        middle = (inside + outside) / 2
        if log_e_share(good, total, middle) < log_limit:
            inside = middle
        else:
            outside = middle
    return inside
