"""Means of correlated observations: how sure is the mean of tasks when neighbours met the same queue?

Batch means (Schmeiser, Batch size effects in the analysis of simulation output, Operations Research 30, 1982; Law, Simulation
Modeling and Analysis, 5th ed. 2015, section 9.5.3): consecutive tasks make a batch, long enough that its mean hardly depends on
the batch before, and the means are taken as independent. Between 10 and 30 batches are enough.
"""

import math

import numpy as np

from soak.runner.judge.student import t_of
from soak.schemas.stream.block import Floats

BATCHES = 20
LEAST_IN_BATCH = 10
CONFIDENCE = 0.95


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


_NOTHING = 1e-18
"""What arithmetic leaves of a variance that is none."""
