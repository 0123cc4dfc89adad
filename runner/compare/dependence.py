"""Means of values that follow each other in time: how many independent ones they are worth, and tests that respect it.

Parts of a run that follow each other meet the same queue, so that they are alike, and a test that takes them as independent
raises false alarms. Autocorrelation at lag 1 says how many independent values they are worth; Student's test with as many is
valid for them (Zwiers and von Storch, Taking serial correlation into account in tests of the mean, Journal of Climate 8, 1995).
"""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from soak.runner.judge.student import t_of, t_tail
from soak.schemas.stream.block import Floats

LEAST_PARTS = 6
"""Values below which nothing is said."""
LEAST_EFFECTIVE = 4.0
"""Independent values that they must be worth: below, what they depend on is too long to be estimated from them."""
_MOST_ALIKE = 0.97
_SAFE = 0.75
"""Standard errors that are added to an autocorrelation, so that false alarms of all comparisons of 72 parts stay below 5 %,
however much their parts are alike (`benchmarks/coverage_compare.py`)."""
_NOTHING = 1e-18
"""Rounding residue of a zero variance, relative to the square of the largest value."""


class Tested(Struct, frozen=True):
    """A mean (or a difference of two) held against 0. `p`: how likely noise alone makes it as large; None: nothing can be said.

    `effective`: how many independent values they are worth; None for too few values.
    """

    mean: float | None
    p: float | None
    effective: float | None


def effective_number(values: Floats) -> float:
    """How many independent values make as sure a mean as these, in order of time: n (1 - r) / (1 + r), at most n.

    r is their autocorrelation at lag 1, estimated to the safe side: with the bias of estimates of it added back, (1 + 4 r) / n
    (Marriott and Pope, Bias in the estimation of autocorrelations, Biometrika 41, 1954), and three quarters of its standard
    error, the square root of (1 - r**2) / n (Bartlett 1946). Values that are all the same are worth n.
    """
    count, apart = len(values), values - values.mean()
    squares = float((apart * apart).sum())
    if squares <= _NOTHING * count * float(np.abs(values).max(initial=0.0)) ** 2:
        return float(count)
    alike = float((apart[1:] * apart[:-1]).sum()) / squares
    alike += (1 + 4 * alike) / count
    alike += _SAFE * math.sqrt(max(1 - alike**2, 0.0) / count)
    alike = min(max(alike, 0.0), _MOST_ALIKE)
    return count * (1 - alike) / (1 + alike)


def hold_against(base: Sequence[float | None], run: Sequence[float | None]) -> Tested:
    """Parts of two runs place by place: whether their differences, run less base, have a mean of 0."""
    known = [b - a for a, b in zip(base, run, strict=True) if a is not None and b is not None]
    differences = np.array(known, dtype=np.float64)
    if len(differences) < LEAST_PARTS:
        return Tested(None, None, None)
    mean, worth = float(differences.mean()), effective_number(differences)
    if not differences.any():
        return Tested(mean, 1.0, worth)
    return Tested(mean, _p(mean, _of_mean(differences, worth), worth - 1, worth), worth)


def hold_apart(base: Sequence[float | None], run: Sequence[float | None]) -> Tested:
    """Parts of two runs that are not of the same places: whether their means are the same (Welch 1947)."""
    sides = [np.array([value for value in side if value is not None], dtype=np.float64) for side in (base, run)]
    if min(map(len, sides)) < LEAST_PARTS:
        return Tested(None, None, None)
    worths = [effective_number(side) for side in sides]
    squares = [_of_mean(side, worth) for side, worth in zip(sides, worths, strict=True)]
    mean = float(sides[1].mean() - sides[0].mean())
    if not any(squares):
        return Tested(mean, 0.0 if mean else 1.0, min(worths))
    freedom = sum(squares) ** 2 / sum(square**2 / (worth - 1) for square, worth in zip(squares, worths, strict=True))
    return Tested(mean, _p(mean, sum(squares), freedom, min(worths)), min(worths))


def interval_of(values: Floats, middle: float, confidence: float) -> tuple[float, float] | None:
    """Student's interval around the mean of values in order of time; None where nothing can be said, or none varies."""
    if len(values) < LEAST_PARTS:
        return None
    worth = effective_number(values)
    variance = _of_mean(values, worth)
    if worth < LEAST_EFFECTIVE or not variance:
        return None
    half = t_of(confidence, max(1, math.floor(worth - 1))) * math.sqrt(variance)
    return middle - half, middle + half


def _of_mean(values: Floats, worth: float) -> float:
    """The variance of the mean of values that are worth as many; around their own mean they vary less the more they are alike."""
    apart = values - values.mean()
    squares = float((apart * apart).sum())
    if squares <= _NOTHING * len(values) * float(np.abs(values).max(initial=0.0)) ** 2:
        return 0.0
    return squares / max(len(values) - len(values) / worth, 1.0) / worth


def _p(mean: float, variance: float, freedom: float, worth: float) -> float | None:
    if worth < LEAST_EFFECTIVE:
        return None
    if not variance:
        return 0.0 if mean else 1.0
    return 2 * t_tail(abs(mean) / math.sqrt(variance), max(1, math.floor(freedom)))
