"""The statistic of E-divisive, of many series at once, corrected for dependence between neighbouring values.

Matteson and James, A nonparametric approach for multiple change point analysis of multivariate data, JASA 109 (2014): for two
stretches X and Y of m and l values, `m l / (m + l) * (2 E|X - Y| - E|X - X'| - E|Y - Y'|)` (their equations 5 to 7, alpha = 1),
and the largest of it over all places where X ends and all where Y does. Here values are ranks, so that outliers do not decide.

Dependent values wander, and wandering looks like a change: the statistic of independent values is exceeded by the factor by
which dependence makes the variance of a mean larger. It is divided by this factor, estimated from what the change leaves over.
"""

from functools import lru_cache

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Floats, Ints

_BIAS, _BIAS_BY_LAG1, _FEW = 4.0, 5.0, 24.0
"""Lag-1 autocorrelation is estimated too low, by (1 + 3 rho) / n around one mean (Kendall, Biometrika 41, 1954); around levels
whose places were chosen so that little is left over, by about (4 + 5 rho) / n, for few values times 1 + 24 / n (measured)."""

_UNSURE = 1.5
"""What dependence adds is taken as half as large again: the place was chosen so that little is left over (measured)."""

_MOST_LAG1 = 0.95


class Splits(Struct, frozen=True):
    """Of each series: the statistic, where the change is (`first` values come before it), where the stretch after it ends
    (`second`), and the factor by which dependence makes a mean less sure (`inflation`, at least 1)."""

    statistic: Floats
    first: Ints
    second: Ints
    inflation: Floats


def best_splits(ranks: Floats, least: int) -> Splits:
    """The best split of each row of `ranks` (series by values), into stretches of at least `least` values."""
    count = ranks.shape[1]
    first, second = _places(count, least)
    before, after = first.astype(np.float64), (second - first).astype(np.float64)
    sums = _sums_of_distances(ranks)
    inside_before = sums[:, first, first]
    both = sums[:, first, second]
    inside_after = sums[:, second, second] - 2 * both + inside_before
    apart = 2 * (both - inside_before) / (before * after)
    energy = before * after / (before + after) * (apart - inside_before / before**2 - inside_after / after**2)
    best = energy.argmax(axis=1)
    mean_distance = sums[:, count, count] / count**2
    inflation = _inflation(_left_over(ranks, first[best], second[best]))
    scaled = energy[np.arange(len(ranks)), best] / np.where(mean_distance > 0, mean_distance, 1.0)
    return Splits(scaled / inflation, first[best], second[best], inflation)


@lru_cache(maxsize=64)
def _places(count: int, least: int) -> tuple[Ints, Ints]:
    """Every place where the first stretch can end, and the second."""
    first, second = np.triu_indices(count + 1, least)
    fits = first >= least
    return first[fits], second[fits]


def _sums_of_distances(ranks: Floats) -> Floats:
    """Of each series: sums of the distances between its first i values and its first j, for all i and j."""
    rows, count = ranks.shape
    sums = np.zeros((rows, count + 1, count + 1))
    np.abs(ranks[:, :, None] - ranks[:, None, :], out=sums[:, 1:, 1:])
    np.cumsum(sums, axis=1, out=sums)
    np.cumsum(sums, axis=2, out=sums)
    return sums


def _left_over(ranks: Floats, first: Ints, second: Ints) -> Floats:
    """What is left of each series without its three levels, or without its straight line where that leaves less."""
    levels, line = without_levels(ranks, np.stack([first, second], axis=1)), without_line(ranks)
    straight = (line**2).sum(axis=1) < (levels**2).sum(axis=1)
    return np.where(straight[:, None], line, levels)


def without_levels(ranks: Floats, cuts: Ints) -> Floats:
    """What is left of each series when the means between its ascending `cuts` (series by cuts) are taken off."""
    rows, count = ranks.shape
    ends = np.concatenate([np.zeros((rows, 1), np.int64), cuts, np.full((rows, 1), count)], axis=1)
    sums = np.concatenate([np.zeros((rows, 1)), ranks.cumsum(axis=1)], axis=1)
    means = np.diff(np.take_along_axis(sums, ends, axis=1), axis=1) / np.maximum(np.diff(ends, axis=1), 1)
    stretch = (np.arange(count)[None, :, None] >= cuts[:, None, :]).sum(axis=2)
    left: Floats = ranks - np.take_along_axis(means, stretch, axis=1)
    return left


def without_line(ranks: Floats) -> Floats:
    """What is left of each series when its least-squares line is taken off."""
    place = np.arange(ranks.shape[1]) - (ranks.shape[1] - 1) / 2
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    left: Floats = centred - (centred @ place / (place @ place))[:, None] * place
    return left


def _inflation(left: Floats) -> Floats:
    """(1 + rho) / (1 - rho), by which the variance of a mean of an AR(1) series with lag-1 autocorrelation rho is larger than
    that of independent values (Law, Simulation Modeling and Analysis, 5th ed. 2015, section 4.4), with its corrections."""
    count = left.shape[1]
    squares = (left**2).sum(axis=1)
    products = (left[:, 1:] * left[:, :-1]).sum(axis=1)
    nothing = squares <= 1e-9 * count**3
    lag1 = products / np.where(nothing, 1.0, squares)
    bias = (_BIAS + _BIAS_BY_LAG1 * np.maximum(lag1, 0.0)) / count * (1 + _FEW / count)
    lag1 = np.clip(lag1 + bias, 0.0, _MOST_LAG1)
    inflation: Floats = 1 + _UNSURE * np.where(nothing, 0.0, 2 * lag1 / (1 - lag1))
    return inflation
