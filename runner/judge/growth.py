"""Growth per hour of a series: is it a leak, or noise?"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from soak.runner.judge.interval import normal_tail, z_of
from soak.runner.judge.samples import Samples
from soak.schemas.language.slis import Sli
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Bools, Floats, Ints

MOST_POINTS = 256
"""Maximum number of points, evenly thinned: enough for a trend, and fast to compare pairwise at each checkpoint."""

LEAST_POINTS = 3
_LEAST_FOR_INTERVAL = 8
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Trend:
    """Slope per hour with its interval, the level that goes with it (the line at time 0), and Mann-Kendall's p."""

    slope: float
    low: float
    high: float
    level: float
    p: float


class Growth:
    """The Theil-Sen slope (Sen 1968) of at most MOST_POINTS evenly thinned samples; those in `left_out` do not count."""

    def __init__(self, left_out: tuple[Window, ...]) -> None:
        self.samples = 0
        self._left_out = left_out
        self._t = np.empty(0)
        self._value = np.empty(0)
        self._every = 1
        self._seen = 0
        self._slopes: Floats | None = None

    def observe(self, samples: Samples) -> None:
        """Process more of the series: thinning depends on the number of points, not on block boundaries."""
        keep = ~_inside(samples.t, self._left_out)
        t, value = samples.t[keep], samples.value[keep]
        first = -self._seen % self._every
        self._t = np.concatenate([self._t, t[first :: self._every]])
        self._value = np.concatenate([self._value, value[first :: self._every]])
        self._seen += len(t)
        while len(self._t) > MOST_POINTS:
            self._t, self._value, self._every = self._t[::2], self._value[::2], self._every * 2
        self.samples, self._slopes = len(self._t), None

    def value(self, sli: Sli, elapsed_s: float) -> float:
        """The median slope between all pairs of points, per hour; NaN below three points."""
        if self.samples < LEAST_POINTS:
            return math.nan
        slopes = self._all_slopes()
        return float(np.median(slopes)) if len(slopes) else math.nan

    def extremes(self, sli: Sli, unfinished: int) -> tuple[float, float]:
        """Its slope: unfinished work is ignored."""
        value = self.value(sli, 0.0)
        return value, value

    def interval(self, sli: Sli, confidence: float) -> tuple[float, float] | None:
        """Sen's interval of the slope, from the variance of Kendall's statistic (Sen 1968; Hollander and Wolfe 1999, 9.3)."""
        if self.samples < _LEAST_FOR_INTERVAL or not len(self._all_slopes()):
            return None
        slopes = np.sort(self._all_slopes())
        half = z_of(confidence) * math.sqrt(self._variance()) / 2
        low, high = math.floor(len(slopes) / 2 - half), math.ceil(len(slopes) / 2 + half)
        return float(slopes[max(low, 0)]), float(slopes[min(high, len(slopes) - 1)])

    def trend(self, sli: Sli, confidence: float) -> Trend | None:
        """The slope, its interval and Mann-Kendall's two-sided p (Mann 1945, Kendall 1975); None for too few points."""
        interval = self.interval(sli, confidence)
        if interval is None:
            return None
        slope = self.value(sli, 0.0)
        level = float(np.median(self._value - slope * self._t / _HOUR_S))
        rising = int(np.sign(self._differences()).sum())
        deviation = math.sqrt(self._variance())
        z = (abs(rising) - 1) / deviation if rising and deviation else 0.0
        return Trend(slope, *interval, level, min(1.0, 2 * normal_tail(z)))

    def _differences(self) -> Floats:
        first, second = _pairs(len(self._value))
        differences: Floats = self._value[second] - self._value[first]
        return differences

    def _all_slopes(self) -> Floats:
        if self._slopes is None:
            first, second = _pairs(len(self._t))
            apart_h = (self._t[second] - self._t[first]) / _HOUR_S
            rises, apart = self._differences(), apart_h > 0
            # Times ascend and ties are rare: checking for them is cheaper than always filtering.
            self._slopes = rises / apart_h if apart.all() else rises[apart] / apart_h[apart]
        return self._slopes

    def _variance(self) -> float:
        """Variance of Kendall's statistic without a trend, corrected for ties."""
        count = len(self._value)
        same = np.unique(self._value, return_counts=True)[1].astype(np.float64)
        ties = float((same * (same - 1) * (2 * same + 5)).sum())
        return (count * (count - 1) * (2 * count + 5) - ties) / 18


@lru_cache(maxsize=4)
def _pairs(count: int) -> tuple[Ints, Ints]:
    """The places of all pairs of points, the earlier one first."""
    first, second = np.triu_indices(count, 1)
    return first, second


def _inside(t_s: Floats, windows: tuple[Window, ...]) -> Bools:
    inside: Bools = np.zeros(len(t_s), dtype=np.bool_)
    for window in windows:
        inside |= (t_s >= window.start_s) & (t_s < window.end_s)
    return inside
