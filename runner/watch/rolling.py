"""The indicator of each objective in a window that rolls over the steps of a run, from the same series as the verdict.

Shares, means and rates are sums over the window, quantiles those of the observations in it (to within 0.5 %), maxima its largest.
A count goes on from the start of the run, since that is what its limit is for; a gauge is the farthest sample of each step, an
interval the longest one so far that lasted in a step (0 below the shortest limit), and of what grows the level is shown.
"""

import math
from typing import Protocol

import numpy as np

from soak.runner.evidence.moving import MovingQuantiles
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.stalls import floor_s
from soak.runner.watch.grid import WINDOW, Grid
from soak.schemas.language.conditions import Objective
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import AT_THE_END, Aggregate, Sli
from soak.schemas.stream.block import Floats, Ints

_SUMMED = frozenset({Aggregate.RATIO, Aggregate.MEAN, Aggregate.RATE})


class _Indicator(Protocol):
    """One line: a value for each of `count` steps from number `first` on; the last goes on in the next block."""

    def steps(self, step: Ints, samples: Samples, first: int, count: int) -> Floats:
        """The values; that of the last step may be unknown yet."""


class _Sums:
    """Shares, means and rates over the window."""

    def __init__(self, aggregate: Aggregate, window: int, step_s: float) -> None:
        self._rate, self._window, self._step_s = aggregate is Aggregate.RATE, window, step_s
        self._kept = np.zeros((2, window))

    def steps(self, step: Ints, samples: Samples, first: int, count: int) -> Floats:
        new = np.zeros((2, count))
        for row, what in enumerate((samples.value, samples.weights)):
            new[row] = np.bincount(step - first, weights=what, minlength=count)
        self._kept[:, -1] += new[:, 0]
        joined = np.concatenate([self._kept, new[:, 1:]], axis=1)
        self._kept = joined[:, -self._window :].copy()
        sums = np.concatenate([np.zeros((2, 1)), np.cumsum(joined, axis=1)], axis=1)
        value, weight = sums[:, self._window :] - sums[:, :count]
        if self._rate:
            length = np.minimum(first + 1 + np.arange(count), self._window)
            rate: Floats = weight / (length * self._step_s)
            return rate
        with np.errstate(invalid="ignore", divide="ignore"):
            known: Floats = np.where(weight > 0.5, value / weight, math.nan)
        return known


class _Total:
    """How many so far."""

    def __init__(self) -> None:
        self._sum = 0.0

    def steps(self, step: Ints, samples: Samples, first: int, count: int) -> Floats:
        sums = self._sum + np.cumsum(np.bincount(step - first, weights=samples.value, minlength=count))
        self._sum = float(sums[-1])
        total: Floats = sums.astype(np.float64)
        return total


class _Quantile:
    """A quantile of the window."""

    def __init__(self, q: float, window: int) -> None:
        self._moving = MovingQuantiles([q], window)

    def steps(self, step: Ints, samples: Samples, first: int, count: int) -> Floats:
        return self._moving.steps(step, samples.value, first, count)[:, 0]


class _Farthest:
    """The largest of the window, or the smallest."""

    def __init__(self, window: int, *, lowest: bool) -> None:
        self._pick = np.fmin if lowest else np.fmax
        self._kept = np.full(window, np.nan)

    def steps(self, step: Ints, samples: Samples, first: int, count: int) -> Floats:
        new = np.full(count, np.nan)
        new[0] = self._kept[-1]
        self._pick.at(new, step - first, samples.value)
        window = len(self._kept)
        joined = np.concatenate([self._kept[:-1], new])
        self._kept = joined[-window:].copy()
        views = np.lib.stride_tricks.sliding_window_view(joined, window)
        return np.asarray(self._pick.reduce(views, axis=1), dtype=np.float64)


class _Mean:
    """The mean of each step: of what grows, the level."""

    def __init__(self, step_s: float) -> None:
        self._sums = _Sums(Aggregate.MEAN, 1, step_s)

    def steps(self, step: Ints, samples: Samples, first: int, count: int) -> Floats:
        # Samples of a level have no weights of their own.
        return self._sums.steps(step, Samples(samples.t, samples.value), first, count)


class Rolling:
    """The indicators of objectives that can be followed; `names` of their columns, by objective those it has."""

    def __init__(self, scenario: Scenario, labels: LabelNumbers, grid: Grid, most: int) -> None:
        """most: how many indicators are followed."""
        self._grid, self._first = grid, 0
        self._indicators: dict[str, _Indicator] = {}
        self._of: dict[str, tuple[Sli, frozenset[int] | None]] = {}
        self._longest: dict[str, float] = {}
        self._floors: dict[str, float] = {}
        """By series, the shortest stretch that counts."""
        self.column_of: dict[Objective, str] = {}
        for objective in scenario.objectives:
            comparison = objective.comparison
            sli, window = comparison.sli, window_steps(objective, grid)
            chosen = labels.selected(comparison.selector)
            indicator = _indicator(sli, window, grid.step_s)
            if indicator is None or sli.over:
                continue
            words = ",".join(f"{name}={value}" for name, value in comparison.selector)
            name = f"objective:{sli.name}{{{words}}}/{window}"
            if name not in self._indicators and len(self._indicators) == most:
                continue
            self.column_of[objective] = name
            if name not in self._indicators:
                self._indicators[name], self._of[name] = indicator, (sli, chosen)
                self._floors[sli.series] = floor_s(scenario, sli.series)

    @property
    def names(self) -> list[str]:
        """The columns."""
        return list(self._indicators)

    def append(self, facts: Facts) -> Floats:
        """Process the facts of a block; returns the rows of the steps that it completes, by step and column."""
        return self._advance(facts, self._grid.number(facts.until_s))

    def last(self, until_s: float) -> Floats:
        """The row of the step that the run ended in, if there is one."""
        last = self._grid.ended(until_s)
        return self._advance(Facts(until_s), last) if last > self._first else np.empty((0, len(self._indicators)))

    def _advance(self, facts: Facts, now: int) -> Floats:
        count = now - self._first + 1
        rows = np.empty((count, len(self._indicators)))
        for column, (name, indicator) in enumerate(self._indicators.items()):
            sli, labels = self._of[name]
            if sli.aggregate is Aggregate.LONGEST:
                rows[:, column] = self._stretches(name, sli.series, facts, count)
                continue
            samples = _selected(facts, sli.series, labels)
            step = np.maximum(self._grid.of(samples.t), self._first)
            rows[:, column] = indicator.steps(step, samples, self._first, count)
        self._first = now
        return rows[:-1]

    def _stretches(self, name: str, series: str, facts: Facts, count: int) -> Floats:
        """The length, up to its end, of the longest stretch that lasted in each step: 0 for what no condition looks at.

        The judge reports shorter ones only where they are the longest of a block, or its last.
        """
        longest = np.zeros(count)
        longest[0] = self._longest.get(name, 0.0)
        ends_s = (self._first + 1 + np.arange(count)) * self._grid.step_s
        for each in facts.stretches.get(series, []):
            begin = max(0, self._grid.number(each.start_s) - self._first)
            end = min(count - 1, self._grid.number(each.end_s) - self._first)
            lasted = np.minimum(ends_s[begin : end + 1], each.end_s) - each.start_s
            lasted[lasted < self._floors[series]] = 0.0
            np.maximum(longest[begin : end + 1], lasted, out=longest[begin : end + 1])
        self._longest[name] = float(longest[-1])
        return longest


def window_steps(objective: Objective, grid: Grid) -> int:
    """How many steps the window of its indicator has: its own window, or that of all others."""
    if objective.comparison.sli.aggregate not in {*_SUMMED, Aggregate.QUANTILE, Aggregate.MAX}:
        return 1
    return max(1, round(objective.window_s / grid.step_s)) if objective.window_s else WINDOW


def _indicator(sli: Sli, window: int, step_s: float) -> _Indicator | None:
    """What follows an indicator; None for one that has no value during the run, or is of several parts of it."""
    if sli.at_the_end or sli.name == AT_THE_END or sli.aggregate is Aggregate.EVENNESS:
        return None
    if sli.aggregate in _SUMMED:
        return _Sums(sli.aggregate, window, step_s)
    if sli.aggregate is Aggregate.QUANTILE:
        return _Quantile(sli.q, window)
    if sli.aggregate in {Aggregate.MAX, Aggregate.GAUGE}:
        return _Farthest(window, lowest=sli.lowest)
    return _Mean(step_s) if sli.aggregate is Aggregate.GROWTH else _Total()


def _selected(facts: Facts, series: str, labels: frozenset[int] | None) -> Samples:
    samples = facts.get(series)
    if labels is not None and samples.label is not None:
        return samples.take(np.isin(samples.label, list(labels)))
    return samples
