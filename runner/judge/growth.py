"""Growth per hour of a series: is it a leak, or noise?"""

import math
from functools import lru_cache

import numpy as np
from msgspec import Struct

from soak.runner.judge.autocorrelation import LEAST_EFFECTIVE, LEAST_MEANS, Spread, spread_of
from soak.runner.judge.cycle import Cycles, cycles_of
from soak.runner.judge.means import Means
from soak.runner.judge.samples import Samples
from soak.schemas.evidence.verdict import GrowthResult
from soak.schemas.language.slis import Sli
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Bools, Floats, Ints

LEAST_POINTS = 3
_HOUR_S = 3600.0
_ROUNDING = 1e-24
"""Residues whose squares are so small beside those of the values are rounding."""


class Trend(Struct, frozen=True):
    """Slope per hour with its interval, the level that goes with it (the line at time 0), and the two-sided p of no slope.

    effective: of how many independent samples. doubt: why nothing can be said, empty where it can.
    """

    slope: float
    low: float
    high: float
    level: float
    p: float
    effective: float
    doubt: str

    def result(self, sli: Sli, samples: int) -> GrowthResult:
        """As the verdict has it."""
        interval = (self.low, self.high)
        return GrowthResult(
            sli.name, sli.unit.value, self.slope, interval, self.level, self.p, samples, self.effective, self.doubt
        )


class _Line(Struct, frozen=True):
    """The fitted line, and what is left of the means without it and without their cycles."""

    slope: float
    rest: Floats
    cycles: Cycles | None


class _Chance(Struct, frozen=True):
    """How the slope varies by chance: `spread` times `unit` is per hour. None: not at all."""

    spread: Spread | None
    unit: float
    effective: float


class Growth:
    """The Theil-Sen slope (Sen 1968) of the means of samples, without their cycle; those in `left_out` do not count."""

    def __init__(self, left_out: tuple[Window, ...]) -> None:
        self.samples = 0
        self._left_out = left_out
        self._means = Means()
        self._line: _Line | None = None
        self._chance: _Chance | None = None

    def observe(self, samples: Samples) -> None:
        """Process more of the series."""
        keep = ~_inside(samples.t, self._left_out)
        self._means.add(samples.t[keep], samples.value[keep])
        self.samples, self._line, self._chance = self._means.seen, None, None

    def value(self, sli: Sli, elapsed_s: float) -> float:
        """The median slope between all pairs of means, per hour; NaN below three."""
        line = self._fitted()
        return line.slope if line else math.nan

    def extremes(self, sli: Sli, unfinished: int) -> tuple[float, float]:
        """Its slope: unfinished work is ignored."""
        value = self.value(sli, 0.0)
        return value, value

    def interval(self, sli: Sli, confidence: float) -> tuple[float, float] | None:
        """The interval of the slope (see `autocorrelation`); that of a random walk where observations depend for too long."""
        line, chance = self._fitted(), self._by_chance()
        if line is None or chance is None:
            return None
        half = 0.0
        if chance.spread:
            spread = chance.spread
            half = spread.widest(confidence) if self.longer > 1 else spread.half_width(confidence)
        return line.slope - half * chance.unit, line.slope + half * chance.unit

    def trend(self, sli: Sli, confidence: float) -> Trend | None:
        """The slope, its interval and its p; None for too few points."""
        line, chance, interval = self._fitted(), self._by_chance(), self.interval(sli, confidence)
        if line is None or chance is None or interval is None:
            return None
        means = self._means
        level = self._means.origin + float(np.median(means.value - line.slope * means.t / _HOUR_S))
        p = float(line.slope == 0)
        if chance.spread:
            away = abs(line.slope) / chance.unit
            p = min(1.0, 2 * max(0.0, chance.spread.walk_tail(away) if self.longer > 1 else chance.spread.tail(away)))
        doubt = self._doubt() if self.longer > 1 and interval[0] <= 0 <= interval[1] else ""
        return Trend(line.slope, *interval, level, p, chance.effective, doubt)

    @property
    def effective(self) -> float | None:
        """How many independent samples would tell the slope as well; None for too few samples."""
        chance = self._by_chance()
        return chance.effective if chance else None

    @property
    def longer(self) -> float:
        """1, or how many times as long a run must be at least, for its dependence to be told from growth."""
        chance = self._by_chance()
        return max(1.0, LEAST_EFFECTIVE / max(chance.effective, 0.1)) if chance and chance.spread else 1.0

    def _doubt(self) -> str:
        worth = f"{self.samples:,} count as about {max(1.0, self.effective or 0):.0f}"
        times = math.ceil(10 * self.longer) / 10
        long = "no statement: observations depend on each other for too long"
        return f"{long} ({worth}); the run must be at least {times:.2g} times as long"

    def _fitted(self) -> _Line | None:
        means = self._means
        if self._line is None and len(means) >= LEAST_POINTS:
            slope = _theil_sen(means.t, means.value)
            if math.isnan(slope):
                return None
            rest = _without(means, means.value, slope)
            found = cycles_of(rest)
            if found:
                value = means.value - found.curve
                slope = _theil_sen(means.t, value)
                rest = _without(means, value, slope)
            self._line = _Line(slope, rest, found)
        return self._line

    def _by_chance(self) -> _Chance | None:
        line, means = self._fitted(), self._means
        if line is None or len(means) < LEAST_MEANS:
            return None
        if self._chance is None:
            apart_h = (means.t - means.t.mean()) / _HOUR_S
            unit = 1 / math.sqrt(float(apart_h @ apart_h))
            left = float(line.rest @ line.rest)
            if left <= _ROUNDING * float(means.value @ means.value):
                self._chance = _Chance(None, unit, float(means.covered))
            else:
                found = line.cycles
                spread = spread_of(line.rest, found.span, found.correction) if found else spread_of(line.rest)
                variance = means.inner_variance() + left / (len(means) - 2)
                self._chance = _Chance(spread, unit, spread.effective(variance, len(means), means.covered))
        return self._chance


def _without(means: Means, value: Floats, slope: float) -> Floats:
    rest: Floats = value - slope * means.t / _HOUR_S
    centred: Floats = rest - rest.mean()
    return centred


def _theil_sen(t_s: Floats, value: Floats) -> float:
    """The median slope per hour between all pairs of points (Theil 1950; Sen 1968); NaN if all are at one time."""
    first, second = _pairs(len(t_s))
    apart_h, rises = (t_s[second] - t_s[first]) / _HOUR_S, value[second] - value[first]
    apart = apart_h > 0
    # Times ascend and ties are rare: checking for them is cheaper than always filtering.
    slopes = rises / apart_h if apart.all() else rises[apart] / apart_h[apart]
    return _median(slopes) if len(slopes) else math.nan


def _median(values: Floats) -> float:
    """What `np.median` gives of numbers, without what it does beside."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    low, high = np.partition(values, (middle - 1, middle))[middle - 1 : middle + 1]
    return float((low + high) / 2)


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
