"""Could a change be noise? What comparisons share: tests of several indicators together, batches, and what pairing gains.

Of correlated observations, such as neighbouring tasks that met the same queue, means are sure by batches (Schmeiser, Batch size
effects in the analysis of simulation output, Operations Research 30, 1982; Law, Simulation Modeling and Analysis, 5th ed. 2015,
section 9.5.3): consecutive tasks make a batch, and `dependence` takes care of how much neighbouring batches are still alike.
"""

import math
from collections.abc import Sequence

import numpy as np

from soak.schemas.stream.block import Floats

LEAST_PAIRS = 6
"""Pairs of replications of which not even one indicator could come out significant at 5 %, if they were fewer."""
BATCHES = 36
LEAST_IN_BATCH = 10
CONFIDENCE = 0.95
_NOTHING = 1e-18
"""Rounding residue of a zero variance, relative to another."""


def holm(ps: Sequence[float | None], alpha: float) -> list[bool]:
    """Which of several tests are significant, so that any false alarm at all is as rare as `alpha` (Holm 1979)."""
    known = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    significant = [False] * len(ps)
    for rank, (p, place) in enumerate(known):
        if p > alpha / (len(known) - rank):
            break
        significant[place] = True
    return significant


def mcnemar(base_only: int, run_only: int) -> float:
    """How likely chance alone splits what only one of two runs has as unevenly: McNemar's test, exact and two-sided.

    The smaller count is binomial with one half (McNemar 1947; Agresti, Categorical Data Analysis, 3rd ed. 2013, section 11.1).
    """
    count, fewer = base_only + run_only, min(base_only, run_only)
    logs = [math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) for k in range(fewer + 1)]
    return min(1.0, 2 * math.fsum(math.exp(log - count * math.log(2)) for log in logs))


def batch_means(values: Floats) -> Floats:
    """The means of BATCHES stretches of `values` with as many each; empty when there are too few."""
    if len(values) < BATCHES * LEAST_IN_BATCH:
        return np.empty(0)
    return np.array([part.mean() for part in np.array_split(values, BATCHES)])


def gain(base: Floats, run: Floats) -> float | None:
    """The variance of a difference of independent means over that of paired ones; None when nothing varies in pairs.

    So many times as many independent replications give as exact a difference: common random numbers (Law 2015, section 11.2).
    """
    if len(base) < 2:
        return None
    paired = float((run - base).var(ddof=1))
    independent = float(base.var(ddof=1) + run.var(ddof=1))
    return independent / paired if paired > _NOTHING * independent else None
