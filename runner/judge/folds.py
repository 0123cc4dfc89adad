"""Aggregates of a series over the whole run, each in bounded memory."""

import math
from collections.abc import Iterable
from typing import Protocol

import numpy as np

from soak.runner.judge.course import Course
from soak.runner.judge.fairness import Evenness
from soak.runner.judge.growth import Growth
from soak.runner.judge.histogram import Histogram, rank
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts, Samples, Stretch
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate, Sli
from soak.schemas.stream.block import TICKS_PER_S


class Fold(Protocol):
    """One aggregate: `samples` observations so far, and its value (NaN without any)."""

    samples: int

    def observe(self, samples: Samples) -> None:
        """Process more of the series."""

    def value(self, sli: Sli, elapsed_s: float) -> float:
        """The value of `sli` after `elapsed_s` seconds."""

    def extremes(self, sli: Sli, unfinished: int) -> tuple[float, float]:
        """The lowest and highest value possible with `unfinished` more observations."""


class Tally:
    """Sums: ratios, means, counts and rates."""

    def __init__(self) -> None:
        self.samples = 0
        self._ticks = 0
        self.weight = 0
        self._exposed = 0

    @property
    def total(self) -> float:
        """The sum of the values."""
        return self._ticks / TICKS_PER_S

    def observe(self, samples: Samples) -> None:
        """Process more of the series. Summed in whole ticks: the sum must not depend on where blocks end."""
        self._ticks += int(np.rint(samples.value * TICKS_PER_S).astype(np.int64).sum())
        self.weight += int(samples.weights.sum())
        self._exposed += samples.exposed
        self.samples = max(self.weight, self._exposed)

    def value(self, sli: Sli, elapsed_s: float) -> float:
        """The value of `sli` after `elapsed_s` seconds."""
        if sli.aggregate is Aggregate.COUNT:
            return self.total
        if sli.aggregate is Aggregate.RATE:
            return self.weight / elapsed_s if elapsed_s > 0 else math.nan
        if sli.aggregate is Aggregate.MEAN and self.weight:
            return self._ticks / self.weight / TICKS_PER_S
        return self.total / self.weight if self.weight else math.nan

    def extremes(self, sli: Sli, unfinished: int) -> tuple[float, float]:
        """The lowest and highest value possible with `unfinished` more observations."""
        weight = self.weight + unfinished
        if not weight:
            return math.nan, math.nan
        if sli.aggregate is Aggregate.MEAN:
            return self.total / weight, math.inf
        return self.total / weight, (self.total + unfinished) / weight


class Sketch:
    """Quantiles and the maximum; exact at the targets registered with its histogram."""

    def __init__(self) -> None:
        self.samples = 0
        self.histogram = Histogram()

    def observe(self, samples: Samples) -> None:
        """Process more of the series."""
        self.samples += len(samples)
        self.histogram.add(samples.value)

    def value(self, sli: Sli, elapsed_s: float) -> float:
        """The value of `sli`."""
        if not self.samples:
            return math.nan
        return self.histogram.largest if sli.aggregate is Aggregate.MAX else self.histogram.quantile(sli.q)

    def extremes(self, sli: Sli, unfinished: int) -> tuple[float, float]:
        """The lowest and the highest value that `unfinished` more observations could make of it: all 0, or all infinite."""
        if sli.aggregate is Aggregate.MAX:
            return self.histogram.largest, math.inf
        lowest = rank(sli.q, self.samples + unfinished) - unfinished
        return self.histogram.value_at_rank(lowest) if lowest > 0 else 0.0, self.histogram.quantile(sli.q, unfinished)


class Level:
    """A gauge: its largest and its smallest sample, and the latest of each label where that counts."""

    def __init__(self) -> None:
        self.samples = 0
        self.largest = self.smallest = math.nan
        self._latest: dict[int, float] = {}

    def observe(self, samples: Samples) -> None:
        """Process more of the series."""
        if len(samples):
            self.samples += len(samples)
            self.largest = float(np.fmax(self.largest, samples.value.max()))
            self.smallest = float(np.fmin(self.smallest, samples.value.min()))
            labels = [-1] if samples.label is None else samples.label.tolist()
            self._latest.update(zip(labels, samples.value[-len(labels) :].tolist(), strict=True))

    def value(self, sli: Sli, elapsed_s: float) -> float:
        """The largest sample, or the smallest of what should be high."""
        if sli.latest and self._latest:
            return min(self._latest.values()) if sli.lowest else max(self._latest.values())
        return self.smallest if sli.lowest else self.largest

    def extremes(self, sli: Sli, unfinished: int) -> tuple[float, float]:
        """The same twice: unfinished work does not change it."""
        value = self.value(sli, 0.0)
        return value, value


class Longest:
    """The longest interval; an unfinished one counts with its length so far."""

    def __init__(self) -> None:
        self.samples = 0
        self.longest_s = 0.0
        self._changes = 0

    def observe(self, samples: Samples) -> None:
        """Intervals are not a series: see `observe_stretches`."""

    def observe_stretches(self, stretches: Iterable[Stretch], changes: int) -> None:
        """Process intervals; `changes` counts what might have ended one. A stretch that nothing ended is an observation too."""
        self.longest_s = max([self.longest_s, *(stretch.length_s for stretch in stretches)])
        self._changes += changes
        self.samples = max(self._changes, int(self.longest_s > 0))

    def value(self, sli: Sli, elapsed_s: float) -> float:
        """The longest stretch in seconds."""
        return self.longest_s if self.samples else math.nan

    def extremes(self, sli: Sli, unfinished: int) -> tuple[float, float]:
        """The longest stretch: unfinished work does not change it."""
        return self.longest_s, self.longest_s


_FOLDS: dict[Aggregate, type[Tally | Sketch | Level | Longest]] = {
    Aggregate.RATIO: Tally,
    Aggregate.MEAN: Tally,
    Aggregate.COUNT: Tally,
    Aggregate.RATE: Tally,
    Aggregate.QUANTILE: Sketch,
    Aggregate.MAX: Sketch,
    Aggregate.GAUGE: Level,
    Aggregate.LONGEST: Longest,
}
_KINDS: dict[Aggregate, type[Fold]] = {**_FOLDS, Aggregate.GROWTH: Growth, Aggregate.EVENNESS: Evenness}
UNRECORDED = frozenset({Aggregate.LONGEST, Aggregate.EVENNESS})
"""Aggregates of what has no course: see `Course`."""


class Folds:
    """The folds that a scenario's SLIs and objectives need, each (series, labels, kind of aggregate) once."""

    def __init__(self, scenario: Scenario, labels: LabelNumbers) -> None:
        self._scenario, self._labels = scenario, labels
        self._warmup_s = scenario.warmup_s
        self._folds: dict[tuple[str, frozenset[int] | None, type[Fold]], Fold] = {}
        self._courses: dict[tuple[str, frozenset[int] | None], Course] = {}

    def fold(self, sli: Sli, labels: frozenset[int] | None = None) -> Fold:
        """The fold behind `sli` for these label numbers (None: all)."""
        key = (sli.series, labels, _KINDS[sli.aggregate])
        if key not in self._folds:
            self._folds[key] = self._made(sli.aggregate, labels)
        return self._folds[key]

    def _made(self, aggregate: Aggregate, labels: frozenset[int] | None) -> Fold:
        if aggregate is Aggregate.EVENNESS:
            return Evenness(self._scenario, self._labels, labels)
        if aggregate is Aggregate.GROWTH:
            return Growth(tuple(window for fault in self._scenario.faults for window in fault.windows))
        return _FOLDS[aggregate]()

    def record(self, sli: Sli, labels: frozenset[int] | None) -> None:
        """Keep the course of the series of `sli`; call it before anything is observed."""
        ranked = sli.aggregate in {Aggregate.QUANTILE, Aggregate.MEAN, Aggregate.MAX}
        known = self._courses.get((sli.series, labels))
        if known is None or (ranked and not known.ranked):
            self._courses[sli.series, labels] = Course(ranked=ranked, lowest=sli.lowest)

    def course(self, sli: Sli, labels: frozenset[int] | None = None) -> Course | None:
        """The course of the series of `sli` for these labels; None where it is not recorded."""
        return self._courses.get((sli.series, labels))

    def observe(self, facts: Facts) -> None:
        """Process the facts of a block, those of the warm-up left out."""
        for (series, labels), course in self._courses.items():
            course.observe(self._selected(facts, series, labels))
        for (series, labels, _), fold in self._folds.items():
            if isinstance(fold, Longest):
                stretches = [stretch for stretch in facts.stretches.get(series, []) if stretch.end_s >= self._warmup_s]
                fold.observe_stretches(stretches, facts.get(series).exposed)
                continue
            samples = self._selected(facts, series, labels)
            if len(samples) or samples.exposed:
                fold.observe(samples)

    def _selected(self, facts: Facts, series: str, labels: frozenset[int] | None) -> Samples:
        """The samples of a series after the warm-up, with these labels."""
        samples = facts.get(series)
        if self._warmup_s and len(samples) and samples.t[0] < self._warmup_s:
            samples = samples.take(samples.t >= self._warmup_s)
        if labels is not None and samples.label is not None:
            samples = samples.take(np.isin(samples.label, list(labels)))
        return samples
