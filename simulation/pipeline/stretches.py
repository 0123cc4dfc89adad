"""Records in stretches: what a sample interval brought, in few rows, for a model and a real target alike.

Up to EXACT records of a label keep their own time and latency. More are put together where their latencies are alike: in buckets
of equal width of the logarithm (as HDR histograms and DDSketch do: Masson, Rim, Lee, VLDB 2019), each with the mean of its
records, so that a mean stays what it is and no latency is off by more than WIDTH.
"""

import numpy as np

from soak.schemas.stream.block import Floats, Ints
from soak.schemas.stream.events import Kind

EXACT = 32
"""Records of one label in a stretch that are kept one by one."""

WIDTH = 0.05
"""The width of a bucket, as a share of its lower edge."""

_LEAST_S = 1e-6

StretchRow = tuple[float, int, int, int, int, int, float]
"""(t, kind, task, attempt, worker, cause, value), as `Recorder.row` takes it."""


def stored(stored_s: Floats, latency_s: Floats, number: Ints, label: Ints, sink: int) -> list[StretchRow]:
    """Rows of `records.stored` for the records that a sink got in a stretch, in time order.

    stored_s, latency_s: seconds. number: task numbers, of which one stands for each row; label: indices of the vocabulary (-1:
    none). sink: the number of the sink as a part of the system.
    """
    if not len(number):
        return []
    order, first = _alike(latency_s, label)
    count = np.diff(np.append(first, len(order)))
    # The time at which the last of them came: by then all of them were there.
    last_s = np.maximum.reduceat(stored_s[order], first)
    latency = np.maximum(0.0, np.add.reduceat(latency_s[order], first) / count)
    task = number[order[first]]
    rows = np.lexsort((task, last_s)).tolist()
    columns = zip(*(each[rows].tolist() for each in (last_s, task, count, latency)), strict=True)
    return [(t, int(Kind.RECORDS_STORED), of, records, sink, 0, value) for t, of, records, value in columns]


def counted(t_s: float, kind: Kind, number: Ints, label: Ints, worker: int = -1) -> list[StretchRow]:
    """A row for each label of how many records there were in a stretch that ends at `t_s`."""
    rows: list[StretchRow] = []
    for each in np.unique(label).tolist():
        chosen = np.flatnonzero(label == each)
        rows.append((t_s, int(kind), int(number[chosen[0]]), 0, worker, 0, float(len(chosen))))
    return rows


def _alike(latency_s: Floats, label: Ints) -> tuple[Ints, Ints]:
    """The places of records in the order of the rows that they make, and where each row begins in it."""
    bucket = np.floor(np.log(np.maximum(latency_s, _LEAST_S)) / np.log1p(WIDTH)).astype(np.int64)
    few = np.bincount(label - label.min())[label - label.min()] <= EXACT
    bucket[few] = np.arange(len(label))[few]
    order = np.lexsort((bucket, label))
    new = (np.diff(bucket[order]) != 0) | (np.diff(label[order]) != 0)
    return order, np.concatenate([[0], np.flatnonzero(new) + 1])
