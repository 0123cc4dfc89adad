"""Objectives on ratios, quantiles, means and rates: on which side of its target the long-run value lies, with which error.

Each is the sign of a mean: of `good` less the target for a ratio, of `at most the target` less q for a quantile, of `value` less
the target for a mean.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from soak.runner.judge.deciding.bounds import (
    LEAST_BATCHES,
    batches,
    inefficiency,
    levels,
    log_e_batches,
    log_e_mean,
    log_e_share,
    long_run_variance,
    share_bounds,
)
from soak.runner.judge.deciding.grid import Grid
from soak.runner.judge.deciding.tallies import Spread, Tally, beside, near, roots
from soak.runner.judge.samples import Samples
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.conditions import Comparison
from soak.schemas.language.expression import AT_LEAST, Op
from soak.schemas.language.slis import Aggregate
from soak.schemas.stream.block import Bools, Floats

LEAST_EFFECTIVE = 100
"""Independent observations that must be there before anything is decided."""

LEAST_RARE = 10
"""Independent observations that must be expected on the rarer side of the target."""


class Found(NamedTuple):
    """What a look gave: PASS or FAIL, bounds of the share (of a ratio or a quantile), or why nothing is decided."""

    status: Status | None
    why: str = ""
    bounds: tuple[float, float] | None = None


class Measure(Struct, frozen=True):
    """What is summed of an objective: `of` the observations, `expected` of each (of a rate: of each second) at the target.

    share: whether it is a proportion. higher: whether more than is expected meets the objective.
    """

    of: Callable[[Samples], Floats]
    expected: float
    share: bool
    higher: bool


class Measured:
    """An objective that many observations decide. How they depend on each other is seen by its own series and by latencies."""

    def __init__(
        self, comparison: Comparison, target: float, min_samples: int, grid: Grid, *, bounded: bool = True
    ) -> None:
        self._aggregate, self._grid = comparison.sli.aggregate, grid
        self._measure = measure_of(comparison, target)
        self._bounded = bounded and self._measure.share
        self._tally = Tally(grid, self._measure.of)
        self._usual = grid.usual()
        scale = {Aggregate.QUANTILE: near, Aggregate.MEAN: beside}.get(self._aggregate)
        self._own = Spread(grid, scale(target)) if scale else None
        self._latency = Spread(grid, roots)
        self._least, self._weight = max(min_samples, LEAST_EFFECTIVE), 0.0

    def observe(self, samples: Samples, latency: Samples) -> None:
        """Process more of the series, and of the latencies of the same part of the tasks."""
        if len(samples):
            self._tally.observe(samples)
            self._weight += float(samples.weights.sum())
        if self._own and len(samples):
            self._own.observe(samples)
        elif not self._own and len(latency):
            self._latency.observe(latency)

    def look(self, steps: int, error: float) -> Found:
        """On which side of its target it is after that many steps, wrongly with at most the probability `error`."""
        if self._weight < self._least:
            return Found(None, f"fewer than {self._least} observations")
        every = slice(self._grid.first, steps)
        usual = self._usual.copy()
        usual[steps:] = False
        counts, sums = self._tally.counts, self._tally.sums
        excess = self._excess(counts, sums)
        if counts[every].sum() < self._least:
            return Found(None, f"fewer than {self._least} observations")
        if usual.sum() < LEAST_BATCHES:
            return Found(None, f"fewer than {LEAST_BATCHES} steps without a fault that happens once")
        if self._measure.share and not 0 <= sums[every].sum() <= counts[every].sum():
            return Found(None, "it is not a proportion")
        side = float(excess[usual].sum())
        if not side or side * float(excess[every].sum()) < 0:
            return Found(None, "faults that happen once hold it on the other side of its target")
        if why := self._unsure(counts[usual], sums[usual], excess[usual], usual, error):
            return Found(None, why)
        status = Status.PASS if (side > 0) is self._measure.higher else Status.FAIL
        return Found(status, "", self._bounds(counts[usual], sums[usual], excess[usual], usual, error))

    def _excess(self, counts: Floats, sums: Floats) -> Floats:
        expected = self._grid.step_s if self._aggregate is Aggregate.RATE else counts
        excess: Floats = sums - self._measure.expected * expected
        return excess

    def _unsure(self, counts: Floats, sums: Floats, excess: Floats, steps: Bools, error: float) -> str:
        """Why nothing is decided; empty if it is."""
        share, total = self._measure, float(counts.sum())
        rare = min(share.expected, 1 - share.expected) if share.share else 1.0
        limit, undecided = -math.log(error), "the bounds include the target"
        single = share.expected * (1 - share.expected) if share.share else 0.0
        lengths = levels(self._grid.count - self._grid.first)
        if log_e_batches(batches(excess), total * single) < limit + math.log(lengths):
            return undecided
        if share.share and log_e_share(float(sums.sum()), total, share.expected) < limit:
            return undecided
        worth = self._worth(counts, excess, steps)
        if total / worth < LEAST_EFFECTIVE:
            return f"{total:.0f} observations are worth only {total / worth:.0f} independent ones"
        if rare * total / worth < LEAST_RARE:
            return f"fewer than {LEAST_RARE} independent observations are expected beyond the target"
        if share.share:
            return "" if log_e_share(float(sums.sum()) / worth, total / worth, share.expected) >= limit else undecided
        steady = log_e_mean(excess, long_run_variance(excess), max(1, self._grid.count // 4), error)
        return "" if steady >= limit else undecided

    def _worth(self, counts: Floats, excess: Floats, steps: Bools) -> float:
        """How many observations are worth one independent one, by what depends on each other the most; widened for few steps."""
        own: list[float] = []
        if self._measure.share:
            # What was seen, not what is expected: few failures vary little, however much they come together.
            seen = self._measure.expected + float(excess.sum() / counts.sum())
            own = [inefficiency(excess, counts, seen * (1 - seen))]
        return max(1.0, inefficiency(*(self._own or self._latency).centred(steps)), *own)

    def _bounds(
        self, counts: Floats, sums: Floats, excess: Floats, steps: Bools, error: float
    ) -> tuple[float, float] | None:
        if not self._bounded:
            return None
        worth = self._worth(counts, excess, steps)
        return share_bounds(float(sums.sum()) / worth, float(counts.sum()) / worth, -math.log(error))


def measure_of(comparison: Comparison, target: float) -> Measure:
    """What is summed of an objective."""
    aggregate, higher = comparison.sli.aggregate, comparison.op in AT_LEAST
    if aggregate is Aggregate.QUANTILE:
        if comparison.op in {Op.LE, Op.GT}:
            return Measure(lambda samples: (samples.value <= target).astype(float), comparison.sli.q, True, not higher)
        return Measure(lambda samples: (samples.value < target).astype(float), comparison.sli.q, True, not higher)
    if aggregate is Aggregate.RATE:
        return Measure(lambda samples: samples.weights, target, False, higher)
    return Measure(lambda samples: samples.value, target, aggregate is Aggregate.RATIO and 0 < target < 1, higher)


def is_measured(comparison: Comparison, target: float) -> bool:
    """Whether many observations can decide it."""
    if comparison.op not in {Op.LE, Op.LT, Op.GE, Op.GT}:
        return False
    aggregate = comparison.sli.aggregate
    if aggregate is Aggregate.RATIO:
        return 0 < target < 1
    return target > 0 and aggregate in {Aggregate.QUANTILE, Aggregate.MEAN, Aggregate.RATE}
