"""The largest observations of series of durations, kept while a run goes on: what a statement about tails is made from."""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts, Samples
from soak.schemas.language.expression import Selector, Unit
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate, Sli
from soak.schemas.stream.block import Floats, Ints

MOST_KEPT = 2000
"""Observations kept of a series."""

LEAST_Q = 0.999
"""Quantiles from here on are of the tail."""


class Largest:
    """The largest MOST_KEPT observations of a series, of equal ones the earliest; `samples`: how many there were in all."""

    def __init__(self) -> None:
        self.samples = 0
        self._t = np.empty(0)
        self._value = np.empty(0)
        self._place = np.empty(0, dtype=np.int64)
        self._floor = -np.inf

    def observe(self, samples: Samples) -> None:
        """Process more of the series. What is kept does not depend on block boundaries: only values above the floor can count."""
        at = np.flatnonzero(samples.value > self._floor)
        self._t = np.concatenate([self._t, samples.t[at]])
        self._value = np.concatenate([self._value, samples.value[at]])
        self._place = np.concatenate([self._place, at + self.samples])
        self.samples += len(samples)
        if len(self._value) >= 2 * MOST_KEPT:
            self._shorten()

    def kept(self) -> tuple[Floats, Floats, Ints]:
        """Times, values and places (from 0, among all observations) of what is kept, in time order."""
        if len(self._value) > MOST_KEPT:
            self._shorten()
        return self._t, self._value, self._place

    def _shorten(self) -> None:
        self._floor = float(np.partition(self._value, -MOST_KEPT)[-MOST_KEPT])
        keep = self._value > self._floor
        keep[np.flatnonzero(self._value == self._floor)[: MOST_KEPT - int(keep.sum())]] = True
        self._t, self._value, self._place = self._t[keep], self._value[keep], self._place[keep]


class Tailed(Struct, frozen=True):
    """What a statement is about: the SLI that gives it its name, the labels, and what was kept of the series."""

    sli: Sli
    selector: Selector
    numbers: frozenset[int] | None
    largest: Largest


class Tails:
    """The largest observations of each series of durations with a maximum or a quantile far out, by series and labels."""

    def __init__(self, scenario: Scenario, labels: LabelNumbers) -> None:
        self._warmup_s = scenario.warmup_s
        self._tails: dict[tuple[str, frozenset[int] | None], Tailed] = {}
        asked: list[tuple[Sli, Selector]] = [(sli, ()) for sli in scenario.slis.values()]
        asked += [(each.comparison.sli, each.comparison.selector) for each in scenario.objectives]
        for sli, selector in asked:
            if _is_of_the_tail(sli):
                numbers = labels.selected(selector)
                self._tails.setdefault((sli.series, numbers), Tailed(sli, selector, numbers, Largest()))

    def __iter__(self) -> Iterator[Tailed]:
        return iter(self._tails.values())

    def observe(self, facts: Facts) -> None:
        """Process the facts of a block, those of the warm-up left out."""
        for (series, numbers), tailed in self._tails.items():
            samples = facts.get(series)
            if self._warmup_s and len(samples) and samples.t[0] < self._warmup_s:
                samples = samples.take(samples.t >= self._warmup_s)
            if numbers is not None and samples.label is not None:
                samples = samples.take(np.isin(samples.label, list(numbers)))
            if len(samples):
                tailed.largest.observe(samples)


def _is_of_the_tail(sli: Sli) -> bool:
    far_out = sli.aggregate is Aggregate.MAX or (sli.aggregate is Aggregate.QUANTILE and sli.q >= LEAST_Q)
    return far_out and sli.unit is Unit.DURATION
