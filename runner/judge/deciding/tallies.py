"""Sums of a series for each step of a run: whole numbers, so that they do not depend on where blocks end."""

from collections.abc import Callable

import numpy as np
from msgspec import Struct

from soak.runner.judge.deciding.grid import Grid
from soak.runner.judge.samples import Facts, Samples
from soak.schemas.stream.block import TICKS_PER_S, Bools, Floats

SCALE = 1000
"""Dependence is measured on values in thousandths of what is usual for them."""

_LARGEST = 100_000


class Selection(Struct, frozen=True):
    """Which part of which series: of these label numbers (None: all), after the warm-up."""

    series: str
    labels: frozenset[int] | None
    warmup_s: float

    def of(self, facts: Facts) -> Samples:
        """Those of a block."""
        samples = facts.get(self.series)
        if self.warmup_s and len(samples) and samples.t[0] < self.warmup_s:
            samples = samples.take(samples.t >= self.warmup_s)
        if self.labels is not None and samples.label is not None:
            samples = samples.take(np.isin(samples.label, list(self.labels)))
        return samples


class Tally:
    """For each step: how many observations there were (by weight), and the sum of what `measure` makes of them, in ticks."""

    def __init__(self, grid: Grid, measure: Callable[[Samples], Floats]) -> None:
        self._grid, self._measure = grid, measure
        self.counts = np.zeros(grid.count)
        self._ticks = np.zeros(grid.count)

    def observe(self, samples: Samples) -> None:
        """Process more of the series."""
        step, size = self._grid.step_of(samples.t), self._grid.count
        ticks = np.rint(self._measure(samples) * TICKS_PER_S)
        self.counts += np.bincount(step, samples.weight, size + 1)[:size]
        self._ticks += np.bincount(step, ticks, size + 1)[:size]

    @property
    def sums(self) -> Floats:
        """The sums in the unit of what is measured."""
        return self._ticks / TICKS_PER_S


def near(target: float) -> Callable[[Floats], Floats]:
    """Values in thousandths of the target; larger ones count as the target, so that a few cannot hide the rest."""
    return lambda value: np.minimum(np.rint(value * (SCALE / target)), SCALE)


def beside(target: float) -> Callable[[Floats], Floats]:
    """Values in thousandths of the target."""
    return lambda value: np.clip(np.rint(value * (SCALE / target)), -_LARGEST, _LARGEST)


def roots(value: Floats) -> Floats:
    """Square roots in thousandths: of values of which it is not known what is usual."""
    thousandths: Floats = np.minimum(np.rint(np.sqrt(np.maximum(value, 0.0)) * SCALE), _LARGEST)
    return thousandths


class Spread:
    """Sums and squares of values for each step, to see how they depend on each other. `scale` makes whole numbers of them."""

    def __init__(self, grid: Grid, scale: Callable[[Floats], Floats]) -> None:
        self._grid, self._scale = grid, scale
        self._counts, self._sums, self._squares = (np.zeros(grid.count) for _ in range(3))

    def observe(self, samples: Samples) -> None:
        """Process more of the series."""
        step, size, value = self._grid.step_of(samples.t), self._grid.count, self._scale(samples.value)
        self._counts += np.bincount(step, minlength=size + 1)[:size]
        self._sums += np.bincount(step, value, size + 1)[:size]
        self._squares += np.bincount(step, value * value, size + 1)[:size]

    def centred(self, steps: Bools) -> tuple[Floats, Floats, float]:
        """Of the steps: sums less what is expected, counts, and the variance of a single value."""
        counts, sums = self._counts[steps], self._sums[steps]
        total = float(counts.sum())
        if not total:
            return sums, counts, 0.0
        mean = float(sums.sum()) / total
        return sums - mean * counts, counts, float(self._squares[steps].sum()) / total - mean * mean
