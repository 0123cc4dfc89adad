"""Stalls: stretches with due work waiting and no state change anywhere."""

import math

import numpy as np

from soak.runner.judge.samples import Samples, Stretch
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate
from soak.schemas.stream.block import Floats, quantise

NO_EVIDENCE = np.empty(0)


def floor_s(scenario: Scenario, series: str) -> float:
    """The shortest stretch of a series that a condition or an objective needs, in seconds."""
    conditions = (*scenario.aborts, *(alert.condition for alert in scenario.alerts))
    comparisons = [part.comparison for each in conditions for part in each.parts]
    comparisons += [each.comparison for each in scenario.objectives]
    limits = [c.target for c in comparisons if c.sli.aggregate is Aggregate.LONGEST and c.sli.series == series]
    return min((limit for limit in limits if isinstance(limit, float)), default=math.inf)


class Stalls:
    """Finds stalls; keeps the longest of each block, all that are long enough for a condition, and one that still lasts."""

    def __init__(self, floor_s: float) -> None:
        self._floor_s = floor_s
        self._changed_s = 0.0

    def observe(
        self, changed_s: Floats, since_s: Floats, left_s: Floats, waiting_s: Floats, until_s: float
    ) -> tuple[list[Stretch], Samples]:
        """The stalls up to `until_s`.

        changed_s: times of state changes, ascending. since_s, left_s: from when to when work waited, though it was due.
        waiting_s: from when on the work waits that still does.
        """
        edges = np.concatenate([[self._changed_s], changed_s, [until_s]])
        start, end = edges[:-1], edges[1:]
        # Of what still waits the earliest counts, throughout: a backlog costs no more than one task.
        waiting_s = waiting_s.min(keepdims=True) if len(waiting_s) else waiting_s
        left = np.concatenate([left_s, np.full(len(waiting_s), np.inf)])
        order = np.argsort(left, kind="stable")
        # Work that leaves at the end of a gap or later was waiting throughout it: the earliest of it counts.
        earliest = np.minimum.accumulate(np.append(np.concatenate([since_s, waiting_s])[order], np.inf)[::-1])[::-1]
        due = earliest[np.searchsorted(left[order], end, side="left")]
        length = quantise(end - np.maximum(start, due))
        lasts = np.arange(len(length)) == len(changed_s)
        kept = np.flatnonzero((length >= self._floor_s) | ((length > 0) & (lasts | (length == length.max()))))
        stretches = [Stretch(float(max(start[k], due[k])), float(end[k]), int(k) < len(changed_s)) for k in kept]
        if len(changed_s):
            self._changed_s = float(changed_s[-1])
        return stretches, Samples(NO_EVIDENCE, NO_EVIDENCE, exposed=len(changed_s))
