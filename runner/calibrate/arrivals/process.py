"""Given a rate: are arrivals independent of one another?

Times are rescaled by the integral of the rate: a Poisson process then has the rate 1 all the time (Brown et al. 2002).
"""

import math
from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from soak.runner.calibrate.arrivals.forms import Fit
from soak.runner.calibrate.arrivals.source import Arrivals
from soak.schemas.evidence.arrivals import Dispersion
from soak.schemas.stream.block import Floats, Ints
from soak.simulation.streams import BLOCK, Stream

_FIRST_EXPECTED, _STEP, _LEAST_WINDOWS = 10, 4, 30
_WINDOWS_PER_RATE = 4
"""Fitted rates take away from the variance of counts in windows as long as their parts: this many windows per rate are needed."""
_Z99 = 2.5758293035489004
_CLASSES, _FINE = 20, 4_000
_LAGS = 10
_LEAST_FOR_LAGS = 200


class Batches(Struct, frozen=True):
    """Arrivals at the same time: how many batches, the mean and the variance of their sizes."""

    count: int
    mean: float
    variance: float


def batches_of(arrivals: Arrivals, resolution_us: int) -> Batches:
    """Sizes of batches. A batch of one is where arrivals meet no more often than times of this resolution do by chance."""
    count = square = total = 0
    carried_us, carried = 0, 0
    for time_us in arrivals.times():
        if not len(time_us):
            continue
        times, sizes = np.unique(time_us, return_counts=True)
        if carried and times[0] == carried_us:
            sizes[0] += carried
        elif carried:
            count, total, square = count + 1, total + carried, square + carried * carried
        carried_us, carried = int(times[-1]), int(sizes[-1])
        count += len(sizes) - 1
        total += int(sizes[:-1].sum())
        square += int((sizes[:-1].astype(np.int64) ** 2).sum())
    count, total, square = count + 1, total + carried, square + carried * carried
    mean = total / count
    by_chance = total / max(1.0, (arrivals.last_us - arrivals.first_us) / resolution_us)
    if mean - 1 < 0.02 + 2 * by_chance:
        return Batches(total, 1.0, 0.0)
    return Batches(count, mean, square / count - mean * mean)


class Rescaled:
    """Arrivals, or the first of each batch, in rescaled time: counts in windows and a histogram of gaps.

    Times that are rounded to a coarse resolution are spread evenly over it (Kim and Whitt 2014).
    """

    def __init__(self, arrivals: Arrivals, fit: Fit, batches: Batches, resolution_us: int) -> None:
        whole = float(fit.expected.sum())
        before = np.concatenate([[0.0], np.cumsum(fit.expected)]) * (batches.count / whole)
        self.count = batches.count
        self.windows = np.zeros(max(1, math.ceil(batches.count / _FIRST_EXPECTED)), dtype=np.int64)
        self.gaps = np.zeros(_FINE, dtype=np.int64)
        self._gap_sum = self._gap_square = 0.0
        stream, last = Stream(1, "un-rounding"), 0.0
        for block, time_us in enumerate(_first_of_each(arrivals) if batches.mean > 1 else arrivals.times()):
            times: Floats = time_us.astype(np.float64)
            if batches.mean == 1 and resolution_us > 1:
                uniform = np.concatenate(
                    [stream.at(block, n).random(BLOCK) for n in range(-(-len(times) // BLOCK))] or [times]
                )
                times = np.sort(times + uniform[: len(times)] * resolution_us)
            passed = np.interp(times, fit.edges_us, before)
            self.windows += np.bincount(
                np.minimum((passed / _FIRST_EXPECTED).astype(np.int64), len(self.windows) - 1),
                minlength=len(self.windows),
            )
            gaps = np.diff(passed, prepend=last)
            if len(passed):
                last = float(passed[-1])
            self._take_gaps(np.maximum(gaps, 0.0))

    def _take_gaps(self, gaps: Floats) -> None:
        share = -np.expm1(-gaps)
        self.gaps += np.bincount(np.minimum((share * _FINE).astype(np.int64), _FINE - 1), minlength=_FINE)
        self._gap_sum += float(gaps.sum())
        self._gap_square += float((gaps * gaps).sum())

    @property
    def gap_variation(self) -> float:
        """The squared coefficient of variation of gaps."""
        mean = self._gap_sum / self.count
        return (self._gap_square / self.count - mean * mean) / (mean * mean)

    def dispersion(self, mean_gap_s: float, rates: int) -> list[Dispersion]:
        """The index of dispersion at several scales, each four times the one before (Cox and Lewis 1966, 6.3)."""
        result, counts, expected = [], self.windows[:-1].astype(np.float64), float(_FIRST_EXPECTED)
        while len(counts) >= max(_LEAST_WINDOWS, _WINDOWS_PER_RATE * rates):
            index = float(((counts - expected) ** 2).mean() / expected)
            half = _Z99 * math.sqrt((2 + 1 / expected) / len(counts))
            result.append(Dispersion(expected, expected * mean_gap_s, len(counts), index, max(0.0, 1 - half), 1 + half))
            whole = len(counts) // _STEP * _STEP
            counts, expected = counts[:whole].reshape(-1, _STEP).sum(axis=1), expected * _STEP
        return result

    def autocorrelation(self) -> tuple[float, float]:
        """That of consecutive counts at the coarsest scale with enough of them, and the p-value of Ljung and Box (1978)."""
        counts = self.windows[:-1].astype(np.float64)
        while len(counts) >= _STEP * _LEAST_FOR_LAGS:
            whole = len(counts) // _STEP * _STEP
            counts = counts[:whole].reshape(-1, _STEP).sum(axis=1)
        rest, count = counts - counts.mean() if len(counts) else counts, len(counts)
        square = float(rest @ rest)
        if count <= 2 * _LAGS or not square:
            return 0.0, 1.0
        lags = [float(rest[lag:] @ rest[:-lag]) / square for lag in range(1, _LAGS + 1)]
        statistic = count * (count + 2) * sum(r * r / (count - lag) for lag, r in enumerate(lags, start=1))
        return lags[0], chi_squared_p(statistic, _LAGS)

    def gap_tests(self) -> tuple[float, float, float]:
        """Kolmogorov and Smirnov's distance from the exponential distribution, its p-value, and that of a chi-squared test."""
        observed = np.cumsum(self.gaps) / self.count
        distance = float(np.abs(observed - np.arange(1, _FINE + 1) / _FINE).max())
        classes = self.gaps.reshape(_CLASSES, -1).sum(axis=1)
        expected = self.count / _CLASSES
        statistic = float(((classes - expected) ** 2).sum() / expected)
        return distance, _kolmogorov_p(distance, self.count), chi_squared_p(statistic, _CLASSES - 1)


def _first_of_each(arrivals: Arrivals) -> Iterator[Ints]:
    """The times of batches, each once."""
    last = None
    for time_us in arrivals.times():
        times = np.unique(time_us)
        if last is not None and len(times) and times[0] == last:
            times = times[1:]
        if len(times):
            last = int(times[-1])
            yield times


def _kolmogorov_p(distance: float, count: int) -> float:
    """The probability of a larger distance, from many observations (Stephens 1970)."""
    root = math.sqrt(count)
    scaled = distance * (root + 0.12 + 0.11 / root)
    if scaled < 0.2:
        return 1.0
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, math.fsum(terms)))


def chi_squared_p(statistic: float, degrees: int) -> float:
    """The probability of a larger chi-squared number (Wilson and Hilferty 1931)."""
    spread = 2 / (9 * degrees)
    z = ((statistic / degrees) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
    return 0.5 * math.erfc(z / math.sqrt(2))
