"""How far the slope of a straight line is off by chance where observations depend on each other.

The slowest movements of noise look like a slope. Their size is that of the parts of the series, without its line, along LOWEST
cosines: half a cycle, one cycle … over the run (Müller 2007; Lazarus et al. 2018). Where dependence is short, the slope varies as
these parts do, and over their root mean square it is Student's t. Where it is long, slower parts vary more, and the slope most.
How long it lasts is not known: a correlation that falls by a factor of e within a 4th, 8th … 64th of the run, and none at all,
are weighted by the likelihood of these parts, and the slope's distribution is the mixture (after Müller and Watson 2016).
"""

import math
from functools import lru_cache

import numpy as np
from msgspec import Struct

from soak.runner.judge.student import t_of
from soak.schemas.stream.block import Floats

LOWEST = 12
"""How many cosines: up to 6 cycles over the run."""

LEAST_EFFECTIVE = 10.0
"""With fewer independent samples the length of the dependence cannot be told from that of the run."""

LEAST_MEANS = 8
_ENOUGH_FOR_ALL = 24
_DECAYS = (4.0, 8.0, 16.0, 32.0, 64.0)
"""How often the correlation time of a kind of noise fits into the run."""
_GRID = 64
_STEPS = 25
_STRICTER = 5.0
_TINY = 1e-200


class Spread(Struct, frozen=True):
    """How a slope varies by chance, in the unit of the values times the square root of their number.

    scales: of Student's t with `freedom` degrees, one for each length of the dependence, of probability `weights`. walk: the
    scale if the series were a random walk.
    """

    freedom: int
    weights: Floats
    scales: Floats
    walk: float

    def effective(self, variance: float, means: int, most: int) -> float:
        """How many independent samples of this variance would tell the slope as well; at most as many as there are."""
        return min(float(most), variance * means * math.exp(-2 * float(self.weights @ np.log(self.scales))))

    def half_width(self, confidence: float) -> float:
        """Half of the interval of this confidence."""
        wanted, quantile = (1 - confidence) / 2, t_quantile(confidence, self.freedom)
        low, high = quantile * float(self.scales.min()), quantile * float(self.scales.max())
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.tail(middle) > wanted else (low, middle)
        return (low + high) / 2

    def widest(self, confidence: float) -> float:
        """Half of the interval if it were a random walk, with a fifth of the error: more than slower cycles make, too."""
        return t_quantile(1 - (1 - confidence) / _STRICTER, self.freedom) * self.walk

    def tail(self, slope: float) -> float:
        """Probability that chance makes a slope above this one."""
        return float((self.weights * t_tails(slope / self.scales, self.freedom)).sum())

    def walk_tail(self, slope: float) -> float:
        """The same, if it were a random walk."""
        return float(t_tails(np.array([slope / self.walk]), self.freedom)[0])


def spread_of(rest: Floats, span: Floats | None = None, correction: Floats | None = None) -> Spread:
    """From a series of means without its line, of LEAST_MEANS at least.

    span, correction: of the cycles that were taken out of it (see `Cycles`).
    """
    count = len(rest)
    lowest = LOWEST if count >= _ENOUGH_FOR_ALL else min(LOWEST, (count - 2) // 2 * 2)
    cosines = basis(count)[1][:, :lowest]
    slope, free = np.eye(1 + lowest)[0], np.eye(lowest)
    if span is not None and correction is not None:
        # The parts, and the slope, that no such cycle changes: the slope is then known less well.
        inside = cosines.T @ span
        free = np.linalg.qr(inside, mode="complete")[0][:, span.shape[1] :]
        slope = np.concatenate([[1.0], inside @ correction])
    parts = rest @ cosines @ free
    freedom = len(parts)
    logs, scales = [], []
    for whole in _covariances():
        covariance = whole[: lowest + 1, : lowest + 1]
        root = np.linalg.cholesky(free.T @ covariance[1:, 1:] @ free)
        square = max(_TINY, float((np.linalg.solve(root, parts) ** 2).sum()))
        logs.append(-float(np.log(np.diag(root)).sum()) - freedom / 2 * math.log(square))
        scales.append(math.sqrt(float(slope @ covariance @ slope) * square / freedom))
    weights = np.exp(np.array(logs[1:]) - max(logs[1:]))
    return Spread(freedom, weights / weights.sum(), np.array(scales[1:]), scales[0])


@lru_cache(maxsize=8)
def basis(count: int) -> tuple[Floats, Floats]:
    """The line and the cosines at `count` even steps, each orthogonal to the ones before it and of length 1."""
    middle = (np.arange(count) + 0.5) / count
    columns = [np.ones(count), middle - 0.5]
    columns += [np.cos(np.pi * half * middle) for half in range(1, min(LOWEST, count - 2) + 1)]
    made = np.linalg.qr(np.column_stack(columns))[0]
    return made[:, 1], made[:, 2:]


@lru_cache(maxsize=1)
def _covariances() -> list[Floats]:
    """Of line and cosines: of a random walk first, then of each length of the dependence, then of independent values."""
    line, cosines = basis(_GRID)
    columns = np.column_stack([line, cosines])
    apart = np.abs(np.subtract.outer(np.arange(_GRID), np.arange(_GRID))) / _GRID
    # Of a random walk only differences have a variance: that of sums without a mean is minus half of theirs.
    correlations = [-apart, *(np.exp(-decay * apart) for decay in _DECAYS), np.eye(_GRID)]
    return [columns.T @ each @ columns for each in correlations]


def t_tails(t: Floats, freedom: int) -> Floats:
    """Probability that Student's t with an even number of degrees exceeds `t` (Abramowitz and Stegun 26.7.4)."""
    cosine2 = freedom / (freedom + t * t)
    term, total = np.ones_like(t), np.ones_like(t)
    for step in range(1, freedom // 2):
        term = term * cosine2 * (2 * step - 1) / (2 * step)
        total = total + term
    tails: Floats = (1 - total * t / np.sqrt(freedom + t * t)) / 2
    return tails


@lru_cache(maxsize=64)
def t_quantile(confidence: float, freedom: int) -> float:
    """Student's two-sided quantile."""
    return t_of(confidence, freedom)
