"""Arrival times: the processes that follow a rate."""

from collections.abc import Iterator
from itertools import chain, count

import numpy as np
from msgspec import Struct

from soak.schemas.language.model import Batch, Exactly, Process, Workload
from soak.schemas.language.trace import Trace
from soak.schemas.stream.block import TICKS_PER_S, Floats, Ints, quantise
from soak.simulation.rate import ArrivalRate, rate_of
from soak.simulation.streams import BLOCK, Stream
from soak.simulation.trace import TraceArrivals

UNSET = -1


class Arrivals(Struct, frozen=True):
    """When arrivals are due, ascending, in seconds. scheduled: which entry of workload.scheduled they are of, -1 for none."""

    due_s: Floats
    scheduled: Ints | None = None

    def __len__(self) -> int:
        return len(self.due_s)


def arrivals(workload: Workload, seed: int, until_s: float) -> Iterator[Arrivals]:
    """Arrivals below `until_s`, in chunks of BLOCK, the last one shorter; no more than the workload has tasks.

    Poisson: a unit-rate process carried through the inverse of the integrated rate (Cinlar 1975), which is exact
    for a rate that varies. Constant: evenly spaced in the integrated rate, the first at its start.
    """
    if workload.trace is not None:
        yield from _traced(workload, workload.trace, seed, until_s)
        return
    if workload.is_plain:
        yield from map(Arrivals, _of_rate(workload, rate_of(workload), seed, until_s))
        return
    most = workload.tasks
    for block, chunk in enumerate(_chunks(_merged(_shaped(workload, seed, until_s), *_set_times(workload, until_s)))):
        left = BLOCK if most is None else max(0, most - block * BLOCK)
        yield Arrivals(chunk.due_s[:left], None if chunk.scheduled is None else chunk.scheduled[:left])
        if left < BLOCK:
            return


def _traced(workload: Workload, trace: Trace, seed: int, until_s: float) -> Iterator[Arrivals]:
    """The rows of a trace, no more than the workload has tasks."""
    left = workload.tasks
    for block in TraceArrivals(trace, seed, until_s).within():
        due_s = block.due_s[:left]
        yield Arrivals(due_s)
        left = None if left is None else left - len(due_s)
        if left == 0 and len(due_s) == BLOCK:
            yield Arrivals(np.empty(0))
        if left == 0:
            return


def _of_rate(workload: Workload, rate: ArrivalRate, seed: int, until_s: float) -> Iterator[Floats]:
    for block, marks in enumerate(_marks(workload, seed)):
        times = quantise(rate.when(marks))
        inside = times[: int(np.searchsorted(times, until_s, side="left"))]
        if workload.tasks is not None:
            inside = inside[: max(0, workload.tasks - block * BLOCK)]
        yield inside
        if len(inside) < BLOCK:
            return


def _marks(workload: Workload, seed: int) -> Iterator[Floats]:
    """Values of the integrated rate at which something arrives, BLOCK at a time, for ever."""
    stream, reached = Stream(seed, "arrivals"), 0.0
    for block in count():
        if workload.process is Process.POISSON:
            marks = reached + np.cumsum(stream.at(block).standard_exponential(BLOCK))
            reached = float(marks[-1])
        else:
            marks = np.arange(block * BLOCK, (block + 1) * BLOCK, dtype=np.float64)
        yield marks


# A rate with more to it.


def _shaped(workload: Workload, seed: int, until_s: float) -> Iterator[Floats]:
    """Arrivals by the rate, in arrays of any length, ascending."""
    rate = rate_of(workload)
    if workload.exactly is not None:
        yield from _counted(workload, rate, workload.exactly, seed, until_s)
        return
    sizes = workload.batch and _sizes(workload.batch, seed)
    mean = workload.batch.mean if workload.batch else 1.0
    for marks in _marks(workload, seed):
        times = quantise(rate.when(marks * mean))
        inside = times[: int(np.searchsorted(times, until_s, side="left"))]
        yield np.repeat(inside, next(sizes)[: len(inside)]) if sizes else inside
        if len(inside) < len(times):
            return


def _sizes(batch: Batch, seed: int) -> Iterator[Ints]:
    """The sizes of batches, BLOCK at a time."""
    stream = Stream(seed, "batches")
    for block in count():
        generator = stream.at(block)
        if batch.geometric_mean is None:
            yield generator.integers(batch.low, batch.high, BLOCK, endpoint=True)
        else:
            yield generator.geometric(1 / batch.geometric_mean, BLOCK)


def _counted(workload: Workload, rate: ArrivalRate, exactly: Exactly, seed: int, until_s: float) -> Iterator[Floats]:
    """Exactly the number of arrivals asked for, those from `until_s` on left out.

    A Poisson process of which the number is known is that many independent times of the shape (Cox and Lewis 1966); in
    order they are the partial sums of exponential numbers over the sum of one more.
    """
    whole, wanted = rate.flow(exactly.until_s), exactly.count
    total = _sum_of(wanted + 1, workload, seed) if workload.process is Process.POISSON else float(wanted)
    last_s = exactly.until_s - 1 / TICKS_PER_S
    for block, marks in enumerate(_marks(workload, seed)):
        shares = marks[: max(0, wanted - block * BLOCK)] / total
        times = np.minimum(quantise(rate.when(shares * whole)), last_s)
        inside = times[: int(np.searchsorted(times, until_s, side="left"))]
        yield inside
        if len(inside) < BLOCK:
            return


def _sum_of(wanted: int, workload: Workload, seed: int) -> float:
    """The `wanted`-th value of the marks."""
    for block, marks in enumerate(_marks(workload, seed)):
        if (block + 1) * BLOCK >= wanted:
            return float(marks[wanted - 1 - block * BLOCK])
    raise AssertionError


def _set_times(workload: Workload, until_s: float) -> tuple[Floats, Ints]:
    """Arrivals at set times below `until_s`, in order, and the entry that each is of."""
    times = [np.repeat(np.array(each.times_s), each.count) for each in workload.scheduled]
    entries = [np.full(len(each), place) for place, each in enumerate(times)]
    due_s = quantise(np.concatenate([np.empty(0), *times]))
    entry = np.concatenate([np.empty(0, dtype=np.int64), *entries])
    order = np.argsort(due_s, kind="stable")
    inside = order[: int(np.searchsorted(due_s[order], until_s, side="left"))]
    return due_s[inside], entry[inside]


def _merged(by_rate: Iterator[Floats], due_s: Floats, entry: Ints) -> Iterator[Arrivals]:
    """Both in time order; at the same time those by the rate come first."""
    if not len(due_s):
        yield from map(Arrivals, by_rate)
        return
    done = 0
    for times in chain(by_rate, [np.array([np.inf])]):
        if not len(times):
            continue
        until = int(np.searchsorted(due_s, times[-1], side="left"))
        places = np.searchsorted(times, due_s[done:until], side="right")
        yield Arrivals(
            np.insert(times, places, due_s[done:until])[: None if np.isfinite(times[-1]) else -1],
            np.insert(np.full(len(times), UNSET), places, entry[done:until])[: None if np.isfinite(times[-1]) else -1],
        )
        done = until


def _chunks(parts: Iterator[Arrivals]) -> Iterator[Arrivals]:
    """The same arrivals in chunks of BLOCK; the last is shorter, and may be empty."""
    due_s, entry = np.empty(0), np.empty(0, dtype=np.int64)
    marked = False
    for part in parts:
        marked = marked or part.scheduled is not None
        due_s = np.concatenate([due_s, part.due_s])
        entry = np.concatenate([entry, np.full(len(part), UNSET) if part.scheduled is None else part.scheduled])
        while len(due_s) >= BLOCK:
            yield Arrivals(due_s[:BLOCK], entry[:BLOCK] if marked else None)
            due_s, entry = due_s[BLOCK:], entry[BLOCK:]
    yield Arrivals(due_s, entry if marked else None)
