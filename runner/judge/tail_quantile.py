"""The value that one in a thousand observations passes, with an interval that allows for their dependence."""

import math

import numpy as np

from soak.runner.judge.clusters import Clusters
from soak.runner.judge.pareto import Pareto, fit
from soak.runner.judge.tails import Largest
from soak.schemas.stream.block import Floats, Ints

PART = 0.001
_BLOCKS, _T = 30, 2.045
"""Blocks of the run, and the 97.5 % quantile of Student's t distribution with one degree of freedom less."""

_Z = 1.96
_CONFIDENCE = 0.95
_IRREGULAR = -0.5
"""At and below this shape the variance is not that of Smith (1985)."""

Estimate = tuple[float, float, float]
"""A value, and the ends of its 95 % interval."""


def tail_quantile(largest: Largest, clusters: Clusters, peaks: Pareto) -> Estimate | None:
    """The value that one of 1,000 passes: from all large values, in an interval that covers that from the peaks as well.

    Under dependence one of the two alone is too narrow (benchmarks/coverage_tails.py). Below the threshold: by ranks.
    """
    if len(clusters.values) <= largest.samples * PART:
        return quantile_of_ranks(largest)
    first, second = quantile_of_all(clusters, largest.samples), quantile_of_peaks(clusters, peaks, largest.samples)
    return None if first is None else (first[0], min(first[1], second[1]), max(first[2], second[2]))


def quantile_of_ranks(largest: Largest) -> Estimate | None:
    """The order statistics around the quantile; None where too few have been kept to know both."""
    _, value, place = largest.kept()
    rank = int(largest.samples * PART)
    descending = np.sort(value)[::-1]
    if rank >= len(descending):
        return None
    passed = _per_block(place[value > descending[rank]], largest.samples)
    half = _T * math.sqrt(max(_variance(passed), rank))
    low, high = rank + half, max(rank - half, 0)
    if low >= len(descending):
        return None
    return float(descending[rank]), float(descending[int(low)]), float(descending[int(high)])


def quantile_of_peaks(clusters: Clusters, peaks: Pareto, samples: int) -> Estimate:
    """From the fit to the peaks of clusters: their tail is that of all large values, which are a multiple of them.

    The uncertainty of that multiple is added to that of the fit as by Zou and Donner (2008).
    """
    count = len(clusters.values)
    odds = count / (samples * PART)
    compound = float((clusters.sizes.astype(np.float64) ** 2).sum())
    deviation = math.sqrt(max(_variance(_per_block(clusters.places, samples)), compound))
    factor = math.exp(_T * deviation / count)
    value, (low, high) = peaks.level(odds), peaks.region(_CONFIDENCE).level(odds)
    below, above = value - peaks.level(odds / factor), peaks.level(odds * factor) - value
    middle = clusters.threshold + value
    return middle, middle - math.hypot(value - low, below), middle + math.hypot(high - value, above)


def quantile_of_all(clusters: Clusters, samples: int) -> Estimate | None:
    """From a fit to all large values, with the variance between 30 blocks of the run (Chandler and Bate 2007).

    None where nothing fits.
    """
    count = len(clusters.values)
    odds = count / (samples * PART)
    fitted = fit(clusters.values - clusters.threshold)
    if fitted is None or fitted.shape <= _IRREGULAR:
        return None
    scores = _scores(clusters, fitted, samples)
    slope = _slope(fitted, odds)
    # The expected information of one excess (Smith 1985), inverted: the covariance of scale and shape.
    shape, scale = fitted.shape, fitted.scale
    covariance = (1 + shape) / count * np.array([[2 * scale**2, -scale], [-scale, 1 + shape]])
    per_rate = scale * math.exp(shape * math.log(odds))
    rate = (_per_block(clusters.places, samples) - count / _BLOCKS) / count
    independent = float(slope @ covariance @ slope)
    variance = max(_variance(slope @ covariance @ scores + per_rate * rate), independent + per_rate**2 / count)
    wider = (_T / _Z) ** 2 * variance / independent
    low, high = fitted.region(_CONFIDENCE, wider).level(odds)
    base = clusters.threshold
    return base + fitted.level(odds), base + low, base + high


def _slope(fitted: Pareto, odds: float) -> Floats:
    """The derivatives of the level by scale and shape."""
    log = math.log(odds)
    unit = fitted.level(odds) / fitted.scale
    if abs(fitted.shape) < 1e-4:
        return np.array([unit, fitted.scale * log * log / 2])
    return np.array([unit, fitted.scale * (math.exp(fitted.shape * log) * log - unit) / fitted.shape])


def _scores(clusters: Clusters, fitted: Pareto, samples: int) -> Floats:
    """The derivatives of the log-likelihood by scale and shape, summed over each block; 2 x _BLOCKS."""
    shape, scale = fitted.shape, fitted.scale
    v = (clusters.values - clusters.threshold) / scale
    d = v / (1 + shape * v)
    by_scale = ((1 + shape) * d - 1) / scale
    by_shape = v * v / 2 - v if abs(shape) < 1e-3 else np.log1p(shape * v) / shape**2 - (1 + 1 / shape) * d
    block = _block(clusters.places, samples)
    return np.stack([np.bincount(block, by_scale, _BLOCKS), np.bincount(block, by_shape, _BLOCKS)])


def _per_block(places: Ints, samples: int) -> Floats:
    return np.bincount(_block(places, samples), minlength=_BLOCKS).astype(np.float64)


def _block(places: Ints, samples: int) -> Ints:
    return places * _BLOCKS // samples


def _variance(sums: Floats) -> float:
    """The variance of the total of the blocks' sums."""
    return float(((sums - sums.mean()) ** 2).sum()) * _BLOCKS / (_BLOCKS - 1)
