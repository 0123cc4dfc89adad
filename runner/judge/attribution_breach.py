"""When objectives were broken, bin by bin; and which tasks were slower than objectives allow.

Time is cut into bins. In each, an objective's indicator is taken over the observations of that bin alone; those of the latency
of tasks belong to the bin in which the task was due: it is the work of that time that counts, whenever it ended. A bin in which
the indicator of any objective is on the wrong side is in breach. Counts, growth, `~` and targets relative to others have no value
in a bin and are left out; so are objectives that ask for an effect of faults, such as a success rate of at most 95 %.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.watch import COMPARE
from soak.schemas.language.conditions import Comparison, Objective
from soak.schemas.language.expression import AT_LEAST, AT_MOST, Op
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate, Better
from soak.schemas.stream.block import TICKS_PER_S, Bools, Floats, Ints

LEAST_BIN_S = 60.0
TASKS_IN_A_BIN = 20.0
MOST_BINS = 10_000

_LATENCY = "latency"
_SHARES = frozenset({Aggregate.RATIO, Aggregate.MEAN})
_RANKED = frozenset({Aggregate.QUANTILE, Aggregate.MAX, Aggregate.GAUGE})


def bin_width_s(scenario: Scenario) -> float:
    """The length of a bin, in seconds: a minute, or until 20 tasks have arrived between bursts; at most 10,000 bins in a run."""
    rate = scenario.workload.rate_per_s
    enough_s = TASKS_IN_A_BIN / rate if rate else 0.0
    return float(math.ceil(max(LEAST_BIN_S, enough_s, scenario.horizon_s / MOST_BINS)))


class _Bins:
    """Sums by bin, which grow with the run."""

    def __init__(self) -> None:
        self.sums = np.zeros(64, dtype=np.int64)

    def add(self, bins: Ints, amounts: Ints) -> None:
        """Add to these bins."""
        if len(bins) and int(bins.max()) >= len(self.sums):
            self.sums = np.pad(self.sums, (0, int(bins.max()) + 1))
        np.add.at(self.sums, bins, amounts)

    def upto(self, count: int) -> Ints:
        """The first bins."""
        sums: Ints = np.pad(self.sums, (0, max(0, count - len(self.sums))))[:count]
        return sums


class _Indicator:
    """The indicator of an objective, in bins."""

    def __init__(self, comparison: Comparison, labels: frozenset[int] | None, width_s: float) -> None:
        assert isinstance(comparison.target, float)
        self._sli, self._op, self._target = comparison.sli, comparison.op, comparison.target
        self._labels, self._width_s = labels, width_s
        self._part, self._weight = _Bins(), _Bins()

    def observe(self, facts: Facts, warmup_s: float) -> None:
        """Process the facts of a block."""
        samples = _chosen(facts.get(self._sli.series), self._labels, warmup_s)
        if not len(samples):
            return
        at = _due(samples) if self._sli.series == _LATENCY else samples.t
        bins = np.maximum(at // self._width_s, 0.0).astype(np.int64)
        if self._sli.aggregate in _SHARES:
            part = np.rint(samples.value * TICKS_PER_S).astype(np.int64)
        else:
            part = self._holds(samples.value).astype(np.int64)
        self._part.add(bins, part)
        self._weight.add(bins, samples.weights.astype(np.int64))

    def _holds(self, value: Floats) -> Bools:
        holds: Bools = np.asarray(COMPARE[self._op](value, self._target))
        return holds

    def broken(self, count: int) -> Bools:
        """Of the first `count` bins those in which it is on the wrong side."""
        part, weight = self._part.upto(count), self._weight.upto(count)
        seen = weight > 0
        if self._sli.aggregate in _SHARES:
            value = part / np.where(seen, weight, 1) / TICKS_PER_S
            wrong: Bools = seen & ~self._holds(value)
            return wrong
        # A quantile meets an upper target exactly when its rank does; a lower one when fewer than that lie below it.
        q = self._sli.q if self._sli.aggregate is Aggregate.QUANTILE else float(not self._sli.lowest)
        least = np.maximum(1, np.ceil(q * weight - 1e-9))
        fails: Bools = part < least if self._op in AT_MOST else weight - part >= least
        return seen & fails


class Breaches:
    """Bins in breach of any objective of a scenario; nothing is followed in one that has no windows of faults."""

    def __init__(self, scenario: Scenario, labels: LabelNumbers) -> None:
        self.width_s = bin_width_s(scenario)
        self._warmup_s = scenario.warmup_s
        comparisons = [objective.comparison for objective in scenario.objectives if _has_bins(objective)]
        self._indicators = [
            _Indicator(each, labels.selected(each.selector), self.width_s)
            for each in comparisons
            if each.sli.aggregate is not Aggregate.LONGEST
        ]
        self._longest = [each for each in comparisons if each.sli.aggregate is Aggregate.LONGEST]
        self._stretched = _Bins()
        self.any = bool(comparisons)
        """Whether there is an objective that has a value in a bin."""

    def observe(self, facts: Facts) -> None:
        """Process the facts of a block."""
        for indicator in self._indicators:
            indicator.observe(facts, self._warmup_s)
        for comparison in self._longest:
            target = comparison.target
            assert isinstance(target, float)
            for stretch in facts.stretches.get(comparison.sli.series, []):
                if not comparison.op.holds(stretch.length_s, target) and stretch.end_s >= self._warmup_s:
                    first, last = (stretch.start_s + target) // self.width_s, stretch.end_s // self.width_s
                    bins = np.arange(int(first), int(last) + 1)
                    self._stretched.add(bins, np.ones(len(bins), dtype=np.int64))

    def broken(self, until_s: float) -> Bools:
        """The bins of a run that ended then, and whether each is in breach."""
        count = math.ceil(until_s / self.width_s)
        broken = self._stretched.upto(count) > 0
        for indicator in self._indicators:
            broken |= indicator.broken(count)
        return broken


def _has_bins(objective: Objective) -> bool:
    comparison = objective.comparison
    aggregate = comparison.sli.aggregate
    if not isinstance(comparison.target, float) or comparison.op in {Op.ABOUT, Op.NE} or _asks_for_less(comparison):
        return False
    if aggregate in _RANKED or aggregate is Aggregate.LONGEST:
        return comparison.op is not Op.EQ and (aggregate is not Aggregate.LONGEST or comparison.op in AT_MOST)
    return aggregate in _SHARES


def _asks_for_less(comparison: Comparison) -> bool:
    """Whether it is met by what is worse; which way an indicator of the scenario's own improves is not known."""
    worse = AT_MOST if comparison.sli.better is Better.HIGHER else AT_LEAST
    return not comparison.sli.filters and comparison.op in worse


def _chosen(samples: Samples, labels: frozenset[int] | None, warmup_s: float) -> Samples:
    if warmup_s and len(samples) and samples.t[0] < warmup_s:
        samples = samples.take(samples.t >= warmup_s)
    if labels is not None and samples.label is not None:
        samples = samples.take(np.isin(samples.label, list(labels)))
    return samples


def _due(samples: Samples) -> Floats:
    """When the tasks of a series of latencies were due, in seconds: the time of the observation where one lies later."""
    due: Floats = np.minimum(samples.t - samples.value, samples.t)
    return due


class Lateness:
    """The tasks due in each of some stretches of time that have ended, and those that took longer than objectives allow."""

    def __init__(self, scenario: Scenario, labels: LabelNumbers, stretches: int) -> None:
        self._warmup_s = scenario.warmup_s
        self._limits = [
            (limit.target, limit.op, labels.selected(limit.selector))
            for limit in _latency_limits(scenario.objectives)
            if isinstance(limit.target, float)
        ]
        self.ended = np.zeros(stretches, dtype=np.int64)
        self.late = np.zeros(stretches, dtype=np.int64)
        self.limited = bool(self._limits)

    def observe(self, facts: Facts, start_s: Floats, end_s: Floats) -> None:
        """Process the facts of a block; the stretches end then (infinite: they had not ended when the block did)."""
        samples = _chosen(facts.get(_LATENCY), None, self._warmup_s)
        if not len(samples):
            return
        late = np.zeros(len(samples), dtype=np.bool_)
        for target, op, labels in self._limits:
            own = np.ones(len(late), dtype=np.bool_)
            if labels is not None and samples.label is not None:
                own = np.isin(samples.label, list(labels))
            late |= own & (samples.value > target if op is Op.LE else samples.value >= target)
        due = _due(samples)
        self.ended += _within(due, start_s, end_s)
        self.late += _within(due[late], start_s, end_s)


def _latency_limits(objectives: Sequence[Objective]) -> Iterator[Comparison]:
    for objective in objectives:
        comparison = objective.comparison
        if comparison.sli.series == _LATENCY and comparison.op in AT_MOST:
            yield comparison


def _within(due: Floats, start_s: Floats, end_s: Floats) -> Ints:
    due = np.sort(due)
    within: Ints = np.searchsorted(due, end_s, side="right") - np.searchsorted(due, start_s, side="left")
    return within
