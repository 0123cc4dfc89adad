"""How many independent observations the observations of a run are worth.

Neighbours in time met the same queue, outage or open circuit. A share of n observations then varies as if there were fewer:
n / inflation. The inflation is measured by batch means (Schmeiser 1982; Law 2015, section 9.5.3): consecutive observations make
batches, and the variance between batches is compared with that of independent observations. A quantile is treated by the share
of observations above it.

The limits below were chosen by experiment on queues of known distribution; `docs/statistics.md` has their coverage.
"""

import math

import numpy as np
from msgspec import Struct

from soak.runner.judge.course import Course
from soak.runner.judge.interval import z_of
from soak.runner.judge.schedule import NOTHING_SCHEDULED, Schedule
from soak.runner.judge.student import t_of
from soak.schemas.stream.block import Floats, Ints

FINE, MIDDLE, COARSE = 240, 60, 20
"""Batches: many to see whether there is dependence, few to measure it."""
LEAST_TO_SEE = 10
"""Of fewer observations nothing can be seen: they are taken as independent."""
LEAST_RARE = 2.0
"""Minimum number of independent observations on the rarer side of a share, where there is dependence."""

_MOST_FINE, _MOST_MIDDLE = 0.5, 0.3
"""Correlation of neighbouring batches above which dependence is too long for the run."""
_AIM_FINE, _AIM_MIDDLE = 0.4, 0.15
"""What a run that is long enough should show."""
_NEAR = 2.0
"""Correlations within this many standard errors of zero count as none."""
_SURELY, _SURELY_OF_FEW = 1.6, 2.0
"""Inflation above which there is dependence: of independent observations 20 batches show it in 5 % of the cases; and where
fewer than `_FEW` observations are on the rarer side, so that two of them in one batch are no surprise."""
_FEW = 10.0
"""Below this number of independent observations on the rarer side, they are all that is known of the inflation."""
_LEAST_FREEDOM = 2
"""Degrees of freedom of a share with one cluster, or two, on its rarer side."""
_SOFT = 30.0
"""Below this number of them the largest inflation of several quantiles counts."""
_MOST_CORRELATION = 0.9
_LOWER_QUANTILES = (0.5, 0.75, 0.9)
_MARGIN = 1.25
_CAUTION, _CAUTIOUS_FREEDOM = 2.0, 5
"""In 4,000 runs of queues without a statement the interval they give never missed the truth."""


class Dependence(Struct, frozen=True):
    """`inflation` of the variance, at least 1, known with `freedom` degrees of freedom.

    longer: 1, or how many times as long a run has to be for a statement to be possible.
    """

    inflation: float = 1.0
    freedom: int = 10_000
    longer: float = 1.0

    @property
    def sound(self) -> bool:
        """Whether a statement is possible."""
        return self.longer == 1.0

    @property
    def cautious(self) -> "Dependence":
        """An inflation that is too large rather than too small, where none can be stated: the interval is for what is clear."""
        return Dependence(self.inflation * _CAUTION * self.longer, min(self.freedom, _CAUTIOUS_FREEDOM))

    def widening(self, confidence: float) -> float:
        """By how much to divide a number of observations for an interval that takes them as independent and normal."""
        return self.inflation * (t_of(confidence, self.freedom) / z_of(confidence)) ** 2


INDEPENDENT = Dependence()


def of_share(course: Course, schedule: Schedule = NOTHING_SCHEDULED) -> Dependence:
    """Of the share that the values of a series are of its weights."""
    good, weight = course.total, course.weight
    share = _share(good, weight)
    if not 0 < share < 1:
        return INDEPENDENT
    found = _Stretches.of(course, schedule).measured(good, share * (1 - share))
    rare = float(weight.sum()) * min(share, 1 - share)
    if found.inflation <= (_SURELY if rare >= _FEW else _SURELY_OF_FEW):
        return found
    # The fewer clusters were seen, the less is known of their size; that there are few is known all the same.
    freedom = min(found.freedom, max(_LEAST_FREEDOM, int(rare / found.inflation) - 1))
    return Dependence(found.inflation, freedom if rare / found.inflation < _FEW else found.freedom, found.longer)


def of_paired(before: Course, after: Course, schedule: Schedule = NOTHING_SCHEDULED) -> Dependence:
    """Of two shares of the same observations, and of their difference: the largest."""
    found = [of_share(before, schedule), of_share(after, schedule)]
    gained = after.total - before.total
    mean = _share(gained, after.weight)
    # Differences are -1, 0 or 1.
    variance = _share(np.abs(gained), after.weight) - mean * mean
    if variance > 0:
        found.append(_Stretches.of(after, schedule).measured(gained, variance))
    worst = max(found, key=lambda each: each.inflation)
    return Dependence(worst.inflation, min(each.freedom for each in found), max(each.longer for each in found))


def of_quantile(course: Course, q: float, schedule: Schedule = NOTHING_SCHEDULED) -> Dependence:
    """Of the share of observations above the `q` quantile.

    Excursions above a high quantile are few: how long dependence lasts is seen at lower ones, too.
    """
    stretches = _Stretches.of(course, schedule)
    lower = [each for each in _LOWER_QUANTILES if each < q] if q > max(_LOWER_QUANTILES) else [0.5]
    all_found = [stretches.above(course, each) for each in (*lower, q)]
    own, most = all_found[-1], max(each.inflation for each in all_found)
    rare = float(stretches.weight.sum()) * min(q, 1 - q)
    own = Dependence(own.inflation, own.freedom, max(each.longer for each in all_found))
    return _judged(own, most, rare)


def of_mean(course: Course, schedule: Schedule = NOTHING_SCHEDULED) -> Dependence:
    """Of the mean of the values of a series, which rests on the largest of them: as of their upper thirtieth."""
    weight, variance = course.weight, course.variance()
    if variance <= 0:
        return INDEPENDENT
    found = _Stretches.of(course, schedule).measured(course.total, variance)
    return _judged(found, found.inflation, float(weight.sum()) / 30)


def _judged(own: Dependence, most: float, rare: float) -> Dependence:
    """`most`: the largest inflation found; `rare`: the observations on the rarer side."""
    worth, inflation = rare / most, own.inflation
    longer, freedom = own.longer, own.freedom
    if most > _SURELY and worth < LEAST_RARE:
        longer = max(longer, _MARGIN * LEAST_RARE / worth)
    if most > _SURELY and worth < _FEW:
        freedom = min(freedom, max(1, int(worth) - 1))
    if worth < _SOFT:
        inflation = most
    return Dependence(inflation, freedom, longer)


def _share(part: Floats, weight: Floats) -> float:
    total = float(weight.sum())
    return float(part.sum()) / total if total else 0.0


class _Stretches(Struct, frozen=True):
    """The stretches of a series: their weights, the single scheduled event that each lies in (from 1; 0 for none), and where
    whole cycles begin, if there are any.
    """

    weight: Floats
    stratum: Ints
    cycles: Ints

    @classmethod
    def of(cls, course: Course, schedule: Schedule) -> "_Stretches":
        """Of a course."""
        weight = course.weight
        stratum = np.zeros(len(weight), dtype=np.int64)
        for number, event in enumerate(schedule.events, start=1):
            stratum[(course.last_s >= event.start_s) & (course.first_s < event.end_s)] = number
        cycles: Ints = np.empty(0, dtype=np.int64)
        if schedule.cycle_s and len(weight):
            begins_s = np.arange(schedule.start_s, course.last_s[-1] - schedule.cycle_s / 2, schedule.cycle_s)
            cycles = np.unique(np.searchsorted(course.first_s, begins_s))
            cycles = cycles[cycles < len(weight)]
            # One cycle alone tells nothing of how they vary.
            cycles = cycles if len(cycles) > 1 else cycles[:0]
        return cls(weight, stratum, cycles)

    def measured(self, part: Floats, variance: float) -> Dependence:
        """Of a ratio (Law 2015, section 9.5.3) of sums `part` to the weights; `variance`: of an observation."""
        weights, parts = (np.bincount(self.stratum, weights=each) for each in (self.weight, part))
        means = np.divide(parts, weights, out=np.zeros(len(parts)), where=weights > 0)
        total = float(self.weight.sum())
        return _measured(_Residuals(part - means[self.stratum] * self.weight, self.cycles, total * variance, total))

    def above(self, course: Course, q: float) -> Dependence:
        """Of the share of observations above a quantile."""
        above = course.above(q)
        share = _share(above, self.weight)
        return self.measured(above, share * (1 - share)) if 0 < share < 1 else INDEPENDENT


class _Residuals(Struct, frozen=True):
    """What the sum of each stretch is above its mean times its weight; and where whole cycles begin, if there are any.

    The mean is that of all observations, and within a single scheduled event its own. `expected`: the variance of the sum of all,
    were observations independent. `weight`: of all.
    """

    left: Floats
    cycles: Ints
    expected: float
    weight: float

    def batches(self, most: int) -> "_Batches":
        """At most `most` batches, of whole cycles where there are any."""
        units = len(self.cycles) or len(self.left)
        count = min(most, units)
        edges = np.arange(count) * units // count
        starts = self.cycles[edges] if len(self.cycles) else edges
        sums = np.add.reduceat(self.left, starts)
        if len(self.cycles):
            sums[0] += self.left[: starts[0]].sum()
        squares = float(sums @ sums)
        if squares <= 0:
            return _Batches(count, 0.0, 0.0)
        correlation = float(sums[1:] @ sums[:-1]) / squares + 1 / count
        single = self.weight == count
        return _Batches(count, squares / self.expected * (1 if single else count / (count - 1)), correlation, single)


def _measured(residuals: _Residuals) -> Dependence:
    if len(residuals.left) < LEAST_TO_SEE:
        return INDEPENDENT
    fine, middle, coarse = (residuals.batches(count) for count in (FINE, MIDDLE, COARSE))
    longer = _longer(fine.correlation, max(_MOST_FINE, _NEAR / math.sqrt(fine.count)), _AIM_FINE)
    if fine.correlation > 1 / math.sqrt(fine.count):
        longer = max(longer, _longer(middle.correlation, _MOST_MIDDLE * math.sqrt(MIDDLE / middle.count), _AIM_MIDDLE))
    if fine.seems_independent and middle.seems_independent:
        # Of batches of one observation each the variance is known, and correlation alone is left to be seen.
        return Dependence(max(1.0, fine.corrected), INDEPENDENT.freedom if fine.single else fine.count - 1, longer)
    return Dependence(max(1.0, coarse.inflation, middle.corrected), coarse.count - 1, longer)


class _Batches(Struct, frozen=True):
    """`correlation` of neighbours, with its bias of -1 / count put right."""

    count: int
    inflation: float
    correlation: float
    single: bool = False
    """Each of them is one observation."""

    @property
    def seems_independent(self) -> bool:
        return self.correlation <= _NEAR / math.sqrt(self.count)

    @property
    def corrected(self) -> float:
        """The inflation, with what batches of a first-order autoregression have in common, beyond one standard error."""
        if self.correlation <= 1 / math.sqrt(self.count):
            return self.inflation
        shared = min(max(self.correlation, 0.0), _MOST_CORRELATION)
        return self.inflation * (1 + shared) / (1 - shared)


def _longer(correlation: float, most: float, aim: float) -> float:
    """How many times as long a run must be for batches of that correlation to have `aim` in common; 1 where they have little."""
    if correlation <= most:
        return 1.0
    return _length_of(aim) / _length_of(min(correlation, _MOST_CORRELATION))


def _length_of(correlation: float) -> float:
    """Length, in relaxation times, of batches of a process with exponential autocorrelation whose neighbours correlate so much.

    The correlation of two means of length x is (1 - e^-x)^2 / 2 (x - 1 + e^-x).
    """
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = math.sqrt(low * high)
        gone = math.exp(-middle)
        low, high = (middle, high) if (1 - gone) ** 2 / (2 * (middle - 1 + gone)) > correlation else (low, middle)
    return math.sqrt(low * high)
