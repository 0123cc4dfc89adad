"""What can be said of an indicator from one run: its confidence interval under dependence, or why there is none."""

import math
from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from soak.runner.judge import dependence
from soak.runner.judge.course import Course
from soak.runner.judge.dependence import INDEPENDENT, LEAST_TO_SEE, Dependence
from soak.runner.judge.folds import Fold, Sketch, Tally
from soak.runner.judge.growth import Growth
from soak.runner.judge.interval import ranks_within, score_interval, z_of
from soak.runner.judge.schedule import NOTHING_SCHEDULED, Schedule
from soak.runner.judge.student import t_of
from soak.schemas.language.slis import Aggregate, Sli

Interval = tuple[float, float]

DEFAULT_CONFIDENCE = 0.95
_NORMAL = 1_000
"""Degrees of freedom from which on Student's t is taken as normal: quantiles agree within 0.3 %."""


class Statement(Struct, frozen=True):
    """The interval at a confidence level, and the number of independent observations that say as much.

    interval: None where the indicator has none, or where `longer` is above 1: dependence lasts too long, and a run `longer`
    times as long could say something. Of a growth it then is a wide one, that of a random walk.
    """

    interval: Interval | None
    effective: float | None
    longer: float = 1.0
    cautious: Interval | None = None
    """Where nothing is stated: an interval that is far too wide, for decisions that even it allows."""


class Evidence:
    """The observations of an indicator, with their dependence; intervals at any confidence level."""

    def __init__(self, sli: Sli, fold: Fold, course: Course | None, schedule: Schedule = NOTHING_SCHEDULED) -> None:
        self._sli, self._fold = sli, fold
        self._dependence = _dependence(sli, fold, course, schedule)
        self._variance = course.variance() if course is not None and sli.aggregate is Aggregate.MEAN else 0.0

    def statement(self, confidence: float) -> Statement:
        """What can be said at a confidence level below 1."""
        if isinstance(self._fold, Growth):
            growth = self._fold
            return Statement(growth.interval(self._sli, confidence), growth.effective, growth.longer)
        effective = self._effective
        if effective is None:
            return Statement(None, None)
        if not self._dependence.sound:
            cautious = self.interval(confidence, self._dependence.cautious)
            return Statement(None, effective, self._dependence.longer, cautious)
        return Statement(self.interval(confidence), effective)

    @property
    def _effective(self) -> float | None:
        """Independent observations; None where the indicator has no interval."""
        weight = self._fold.weight if isinstance(self._fold, Tally) else self._fold.samples
        if not weight or _INTERVALS.get(self._sli.aggregate) is None or not self._is_proportion():
            return None
        return weight / self._dependence.inflation

    def _is_proportion(self) -> bool:
        """Whether a ratio is one: those that may be above 1 are not."""
        fold = self._fold
        return self._sli.aggregate is not Aggregate.RATIO or (isinstance(fold, Tally) and fold.weight >= fold.total)

    def interval(self, confidence: float, assumed: Dependence | None = None) -> Interval | None:
        """The interval, whether it is sound or not; None where the indicator has none. `assumed`: another dependence."""
        if isinstance(self._fold, Growth):
            return self._fold.interval(self._sli, confidence)
        effective = self._effective
        find = _INTERVALS.get(self._sli.aggregate)
        if find is None or effective is None:
            return None
        found = self._dependence
        assumed = assumed or found
        fewer = effective * found.inflation / assumed.inflation
        spread = _Spread(fewer, _t(confidence, assumed.freedom), self._variance)
        return find(self._fold, self._sli, spread)


class _Spread(Struct, frozen=True):
    """The number of independent observations, the quantile of the standardised statistic, and the variance of an observation."""

    effective: float
    t: float
    variance: float


def _ratio(fold: Fold, sli: Sli, spread: _Spread) -> Interval | None:
    assert isinstance(fold, Tally)
    low, high = score_interval(fold.total / fold.weight, spread.effective, spread.t)
    return 0.0 if fold.total <= 0 else low, 1.0 if fold.total >= fold.weight else high


def _quantile(fold: Fold, sli: Sli, spread: _Spread) -> Interval | None:
    """The values whose share of observations below them does not contradict the quantile (Conover 1999, 3.2)."""
    assert isinstance(fold, Sketch)
    low, high = ranks_within(sli.q, fold.samples, spread.effective, spread.t)
    return fold.histogram.value_at_rank(low) if low >= 1 else -math.inf, fold.histogram.value_at_rank(high)


def _mean(fold: Fold, sli: Sli, spread: _Spread) -> Interval | None:
    """Of few observations nothing is said: their mean is normal only where they are many."""
    if fold.samples < LEAST_TO_SEE:
        return None
    value = fold.value(sli, math.nan)
    half = spread.t * math.sqrt(spread.variance / spread.effective)
    return value - half, value + half


_INTERVALS: dict[Aggregate, Callable[[Fold, Sli, _Spread], Interval | None]] = {
    Aggregate.RATIO: _ratio,
    Aggregate.QUANTILE: _quantile,
    Aggregate.MEAN: _mean,
}


def _dependence(sli: Sli, fold: Fold, course: Course | None, schedule: Schedule) -> Dependence:
    if course is None or not fold.samples:
        return INDEPENDENT
    if sli.aggregate is Aggregate.RATIO:
        return dependence.of_share(course, schedule)
    if sli.aggregate is Aggregate.QUANTILE:
        return dependence.of_quantile(course, sli.q, schedule)
    return dependence.of_mean(course, schedule) if sli.aggregate is Aggregate.MEAN else INDEPENDENT


@lru_cache(maxsize=256)
def _t(confidence: float, freedom: int) -> float:
    return z_of(confidence) if freedom >= _NORMAL else t_of(confidence, freedom)
