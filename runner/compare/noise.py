"""Could a change be noise? Tests and intervals of differences between runs.

Of correlated observations, such as neighbouring tasks that met the same queue, means are sure by batches (Schmeiser, Batch size
effects in the analysis of simulation output, Operations Research 30, 1982; Law, Simulation Modeling and Analysis, 5th ed. 2015,
section 9.5.3): consecutive tasks make a batch, long enough that its mean hardly depends on the batch before, and the means are
taken as independent. Between 10 and 30 batches are enough.
"""

import math
from collections.abc import Sequence

import numpy as np

from soak.runner.judge.student import t_of, t_tail
from soak.schemas.stream.block import Floats

PERMUTATIONS = 20_000
LEAST_PARTS = 6
LEAST_PAIRS = 5
_SEED = 7
BATCHES = 20
LEAST_IN_BATCH = 10
CONFIDENCE = 0.95
_NOTHING = 1e-18
"""Rounding residue of a zero variance, relative to another."""


def probability(base: Sequence[float | None], run: Sequence[float | None], *, paired: bool) -> float | None:
    """How likely noise alone makes the means differ as much as they do; None when too few parts have a value.

    Two-sided. Unpaired: parts are dealt out to the runs anew. Paired, for two runs of one plan: each part's difference
    changes its sign (Good, Permutation Tests, 2000). The same values always give the same answer.
    """
    generator = np.random.default_rng(_SEED)
    if paired:
        differences = np.array([b - a for a, b in zip(base, run, strict=True) if a is not None and b is not None])
        if len(differences) < LEAST_PARTS:
            return None
        signs = generator.choice([-1.0, 1.0], size=(PERMUTATIONS, len(differences)))
        return _share(np.abs((signs * differences).mean(axis=1)), abs(float(differences.mean())))
    first, second = _known(base), _known(run)
    if min(len(first), len(second)) < LEAST_PARTS:
        return None
    both = np.concatenate([first, second])
    dealt = generator.permuted(np.tile(both, (PERMUTATIONS, 1)), axis=1)
    apart = np.abs(dealt[:, : len(first)].mean(axis=1) - dealt[:, len(first) :].mean(axis=1))
    return _share(apart, abs(float(first.mean() - second.mean())))


def _known(values: Sequence[float | None]) -> Floats:
    return np.array([value for value in values if value is not None], dtype=np.float64)


def _share(apart: Floats, observed: float) -> float:
    """The share of permutations that are at least as far apart, the one observed among them."""
    return float((np.count_nonzero(apart >= observed * (1 - 1e-9)) + 1) / (len(apart) + 1))


def paired_t(differences: Floats) -> float | None:
    """How likely noise alone makes a mean of independent differences as far from 0; None when there are too few.

    Student's paired test, two-sided (Student 1908). Differences that are all the same are no noise.
    """
    if len(differences) < LEAST_PAIRS:
        return None
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if not deviation:
        return 0.0 if mean else 1.0
    return 2 * t_tail(abs(mean) / deviation * math.sqrt(len(differences)), len(differences) - 1)


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


def interval(means: Floats, middle: float, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Student's interval of a mean, from independent `means` around it; None when there are fewer than two."""
    if len(means) < 2:
        return None
    half = t_of(confidence, len(means) - 1) * float(means.std(ddof=1)) / math.sqrt(len(means))
    return middle - half, middle + half


def gain(base: Floats, run: Floats) -> float | None:
    """The variance of a difference of independent means over that of paired ones; None when nothing varies in pairs.

    So many times as many independent replications give as exact a difference: common random numbers (Law 2015, section 11.2).
    """
    if len(base) < 2:
        return None
    paired = float((run - base).var(ddof=1))
    independent = float(base.var(ddof=1) + run.var(ddof=1))
    return independent / paired if paired > _NOTHING * independent else None
