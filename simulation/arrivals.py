"""Arrival times: the processes that follow a rate."""

from collections.abc import Iterator

import numpy as np

from soak.schemas.language.model import Process, Workload
from soak.schemas.stream.block import Floats, quantise
from soak.simulation.rate import Rate
from soak.simulation.streams import BLOCK, Stream


def arrival_times(workload: Workload, seed: int, until_s: float) -> Iterator[Floats]:
    """Arrival times below `until_s`, ascending, in chunks of at most BLOCK; no more than the workload has tasks.

    Poisson: a unit-rate process carried through the inverse of the integrated rate (Cinlar 1975), which is exact
    for a rate that varies. Constant: evenly spaced in the integrated rate, the first at its start.
    """
    rate = Rate(workload)
    stream = Stream(seed, "arrivals")
    reached, block = 0.0, 0
    while True:
        if workload.process is Process.POISSON:
            marks = reached + np.cumsum(stream.at(block).standard_exponential(BLOCK))
            reached = float(marks[-1])
        else:
            marks = np.arange(block * BLOCK, (block + 1) * BLOCK, dtype=np.float64)
        times = quantise(rate.time_of(marks))
        inside = times[: int(np.searchsorted(times, until_s, side="left"))]
        if workload.tasks is not None:
            inside = inside[: max(0, workload.tasks - block * BLOCK)]
        yield inside
        if len(inside) < BLOCK:
            return
        block += 1
