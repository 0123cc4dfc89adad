"""Objectives on what can only grow: once it is above a limit it stays there, and one observation decides."""

import math
from collections.abc import Iterable

import numpy as np

from soak.runner.judge.samples import Samples, Stretch
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.conditions import Comparison
from soak.schemas.language.expression import Op
from soak.schemas.language.slis import Aggregate
from soak.schemas.stream.block import TICKS_PER_S, Bools, tick

_BROKEN_ABOVE = {Op.LE, Op.LT, Op.EQ}
_OR_AT = {Op.LT, Op.GE}
_GROWING = {Aggregate.COUNT, Aggregate.MAX, Aggregate.GAUGE, Aggregate.LONGEST}


class Limit:
    """A limit, and when it was passed. `first_s`: when the first was counted, of what is counted."""

    def __init__(self, comparison: Comparison, limit: float) -> None:
        self._aggregate, self._limit = comparison.sli.aggregate, limit
        self._or_at = comparison.op in _OR_AT
        self._perfect = 1.0 if limit == 1.0 else 0.0
        self._ticks = 0
        self.status = (
            Status.FAIL if self._aggregate is Aggregate.RATIO or comparison.op in _BROKEN_ABOVE else Status.PASS
        )
        """What the objective is once the limit is passed."""
        self.passed_s = self.first_s = math.inf

    def observe(self, samples: Samples, stretches: Iterable[Stretch]) -> None:
        """Process more of the series, up to where the limit is passed."""
        if self.passed_s < math.inf:
            return
        if self._aggregate is Aggregate.LONGEST:
            least_s = self._limit if self._or_at else self._limit + 1 / TICKS_PER_S
            ends_s = (tick(each.start_s + least_s) for each in stretches if each.length_s >= least_s)
            self.passed_s = min(ends_s, default=math.inf)
        elif len(samples):
            beyond = np.flatnonzero(self._beyond(samples))
            self.passed_s = float(samples.t[beyond[0]]) if len(beyond) else math.inf

    def _beyond(self, samples: Samples) -> Bools:
        """For each observation whether the limit has been passed with it."""
        value = samples.value
        if self._aggregate is Aggregate.RATIO:
            imperfect: Bools = value != self._perfect * samples.weights
            return imperfect
        if self._aggregate is Aggregate.COUNT:
            ticks = self._ticks + np.cumsum(np.rint(value * TICKS_PER_S).astype(np.int64))
            self._ticks = int(ticks[-1])
            if self.first_s == math.inf and self._ticks:
                self.first_s = float(samples.t[np.flatnonzero(ticks)[0]])
            value = ticks / TICKS_PER_S
        beyond: Bools = value >= self._limit if self._or_at else value > self._limit
        return beyond


def limit_of(comparison: Comparison, target: float) -> Limit | None:
    """The limit of an objective that one observation can decide; None for others."""
    aggregate, op = comparison.sli.aggregate, comparison.op
    if comparison.sli.lowest:
        return None
    if aggregate in _GROWING and op not in {Op.NE, Op.ABOUT}:
        return Limit(comparison, target)
    all_good = target == 1 and op in {Op.GE, Op.EQ}
    none_good = target == 0 and op in {Op.LE, Op.EQ}
    # Of a ratio of the scenario's own, good events need not be among all: one of another kind decides nothing.
    whole = aggregate is Aggregate.RATIO and not comparison.sli.filters
    return Limit(comparison, target) if whole and (all_good or none_good) else None
