"""The generalised Pareto distribution of excesses over a threshold: fit, confidence region, levels and the check of fit.

Maximum likelihood by Grimshaw (1993): with theta = shape / scale the likelihood depends on the data through the sum of
log(1 + theta y) alone, so that one table over theta gives the fit and every profile-likelihood interval (Coles 2001, 4.3).
"""

import math

import numpy as np
from msgspec import Struct

from soak.runner.judge.interval import z_of
from soak.schemas.stream.block import Floats

LEAST_SHAPE = -1.0
"""At and below it the likelihood has no maximum (Grimshaw 1993)."""

_SMALL_SAMPLE = 4.0
"""Deviances of n excesses are larger than chi-squared by about 1 + this / n (measured: benchmarks/coverage_tails.py)."""

_BELOW = -(1 - np.exp(-np.linspace(7.0, 0.02, 40)))
_ABOVE = np.geomspace(1e-3, 1e3, 48)
_ZOOMS, _ZOOM_POINTS, _FINE = 4, 12, 100
_LEAST = 10


class Region(Struct, frozen=True):
    """Pairs (theta, shape) on the border of a confidence region, in units of `mean`; every interval is a range over it."""

    theta: Floats
    shape: Floats
    mean: float

    def shapes(self) -> tuple[float, float]:
        """The interval of the shape."""
        return float(self.shape.min()), float(self.shape.max())

    def level(self, odds: float) -> tuple[float, float]:
        """The interval of the excess that one of `odds` excesses passes; an end may be infinite."""
        levels = _level(self.theta, self.shape, odds) * self.mean
        return float(levels.min()), float(levels.max())


class Pareto(Struct, frozen=True):
    """A fit to `excesses` (ascending, above 0): the survival function is (1 + shape y / scale) ** (-1 / shape)."""

    excesses: Floats
    scale: float
    shape: float
    _mean: float
    _log_likelihood: float
    """Per excess, in units of the mean."""

    def level(self, odds: float) -> float:
        """The excess that one of `odds` excesses passes (a return level; Coles 2001, 4.3.3)."""
        return float(_level(np.array([self.shape / self.scale]), np.array([self.shape]), odds)[0])

    @property
    def end(self) -> float | None:
        """The largest possible excess, where the shape is negative."""
        return -self.scale / self.shape if self.shape < 0 else None

    def log_survival(self) -> Floats:
        """Logarithm of the fitted probability to pass each excess."""
        survival: Floats = -np.log1p(self.shape / self.scale * self.excesses) / self.shape
        return survival

    def region(self, confidence: float, inflation: float = 1.0) -> Region:
        """The profile-likelihood region at `confidence`.

        inflation: by how much dependence enlarges the variance of what is asked for (Chandler and Bate 2007).
        """
        count = len(self.excesses)
        cut = z_of(confidence) ** 2 * (1 + _SMALL_SAMPLE / count) * inflation
        least = self._log_likelihood - cut / (2 * count)
        best = self.shape / self.scale * self._mean
        theta = _without_zero(np.append(np.linspace(*self._reach(best, least), _FINE), best))
        tops, shape = _profile(self.excesses / self._mean, theta)
        inside = tops >= least
        theta, shape = theta[inside], shape[inside]
        # At one theta the border is where w - log w is 1 + what its top has to spare, with w = best shape / shape.
        low, high = _roots(1 + tops[inside] - least)
        theta, shape = np.tile(theta, 2), np.concatenate([shape / low, shape / high])
        possible = shape > LEAST_SHAPE
        return Region(theta[possible], shape[possible], self._mean)

    def _reach(self, best: float, least: float) -> tuple[float, float]:
        """The part of the rough grid in which the profile likelihood is at least `least`, and the points beside it."""
        theta = _rough(float(self.excesses[-1]) / self._mean)
        tops, _ = _profile(self.excesses / self._mean, theta)
        at = int(np.searchsorted(theta, best))
        above = np.append(np.flatnonzero(tops >= least), [at - 1, at])
        return float(theta[max(above.min() - 1, 0)]), float(theta[min(above.max() + 1, len(theta) - 1)])


def fit(excesses: Floats) -> Pareto | None:
    """The maximum-likelihood fit to excesses above 0; None for fewer than ten, or without a maximum at a shape above -1."""
    if len(excesses) < _LEAST:
        return None
    ordered = np.sort(excesses)
    mean = float(ordered.mean())
    y = ordered / mean
    theta = _rough(float(y[-1]))
    tops, _ = _profile(y, theta)
    best = int(np.argmax(tops))
    if best in {0, len(theta) - 1} or not math.isfinite(tops[best - 1]):
        return None
    low, high = theta[best - 1], theta[best + 1]
    for _ in range(_ZOOMS):
        near = _without_zero(np.linspace(low, high, _ZOOM_POINTS))
        heights, shapes = _profile(y, near)
        at = int(np.argmax(heights))
        low, high = near[max(at - 1, 0)], near[min(at + 1, len(near) - 1)]
    shape = float(shapes[at])
    scale = shape / float(near[at]) * mean
    return Pareto(ordered, scale, shape, mean, float(heights[at]))


def _rough(largest: float) -> Floats:
    return np.concatenate([_BELOW / largest, _ABOVE])


def _without_zero(theta: Floats) -> Floats:
    """At theta = 0, the exponential distribution, the formulas are limits: a value next to it serves."""
    result: Floats = np.where(np.abs(theta) < 1e-9, 1e-9, theta)
    return result


def _profile(y: Floats, theta: Floats) -> tuple[Floats, Floats]:
    """The largest log-likelihood per excess for each theta, and the shape at which it is (Grimshaw 1993, section 2)."""
    shape = np.log1p(theta[:, np.newaxis] * y[np.newaxis, :]).mean(axis=1)
    tops = np.where(shape > LEAST_SHAPE, -np.log(shape / theta) - shape - 1, -np.inf)
    return tops, shape


def _level(theta: Floats, shape: Floats, odds: float) -> Floats:
    with np.errstate(over="ignore"):
        level: Floats = np.expm1(shape * math.log(odds)) / theta
    return level


def _roots(k: Floats) -> tuple[Floats, Floats]:
    """Both solutions w of w - log w = k, for k >= 1: Newton's method for log w, which comes from outside and never overshoots."""
    k = np.maximum(k, 1 + 1e-9)
    low, high = -k, np.sqrt(2 * (k - 1))
    for _ in range(14):
        low = low - (np.exp(low) - low - k) / np.expm1(low)
        high = high - (np.exp(high) - high - k) / np.expm1(high)
    return np.exp(low), np.exp(high)
