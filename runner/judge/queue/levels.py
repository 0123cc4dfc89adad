"""Levels of a queue between samples, exact: worker processes that are up, and tasks that are PENDING.

All that happens at one instant counts at once. An instant that may not be complete yet waits for the next block, so that
nothing depends on where blocks end.
"""

import numpy as np

from soak.runner.judge.rows import Rows
from soak.runner.judge.samples import NOTHING, Facts, Samples
from soak.schemas.stream.block import Block, Bools, Floats, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.states import TaskState

_PROCESSES = kind_flags(Kind.PROCESS_STARTED, Kind.PROCESS_EXITED)


class _Steps:
    """A level that changes by whole numbers."""

    def __init__(self, level: int) -> None:
        self._level = level
        # It is known from the start on.
        self._t, self._change = np.zeros(1), np.zeros(1, dtype=np.int64)
        self._told = np.zeros(1, dtype=np.bool_)

    def take(self, t_s: Floats, change: Ints, told: Bools, settled_s: float) -> Samples:
        """The level after each instant that is complete, if it rose then or is `told` whatever it did, in time order."""
        t, changes = np.concatenate([self._t, t_s]), np.concatenate([self._change, change])
        tells = np.concatenate([self._told, told])
        ready = int(np.searchsorted(t, settled_s, side="right"))
        self._t, self._change, self._told = t[ready:], changes[ready:], tells[ready:]
        instants, first = np.unique(t[:ready], return_index=True)
        if not len(first):
            return NOTHING
        sums = np.add.reduceat(changes[:ready], first)
        after = self._level + np.cumsum(sums)
        self._level = int(after[-1])
        kept = (sums > 0) | np.logical_or.reduceat(tells[:ready], first)
        return Samples(instants[kept], after[kept].astype(np.float64))


class WorkersAlive:
    """Worker processes that are up: `workers` at the start, those with the lowest numbers."""

    def __init__(self, workers: int) -> None:
        self._assumed = workers > 0
        self._up = set(range(workers))
        self._known = set(self._up)
        """Those of whom anything is known; one that exits first was there under another number."""
        self._steps = _Steps(workers)
        self.changes = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
        """Of the last block: places of events, and by how much the level changed there."""

    def observe(self, block: Block, facts: Facts) -> Samples:
        """The level after each change, and at each sample."""
        places = np.flatnonzero(
            (_PROCESSES[block.kind] & (block.worker >= 0)) | (block.kind == Kind.SAMPLE_BUSY_WORKERS)
        )
        change = np.array([self._change(block, place) for place in places.tolist()], dtype=np.int64)
        self.changes = places, change
        return self._steps.take(block.t[places], change, np.ones(len(places), dtype=np.bool_), facts.settled_s)

    def _change(self, block: Block, place: int) -> int:
        worker = int(block.worker[place])
        if block.kind[place] == Kind.PROCESS_EXITED and worker not in self._known:
            self._known.add(worker)
            return -1 if self._assumed else 0
        self._known.add(worker)
        if block.kind[place] == Kind.PROCESS_STARTED and worker not in self._up:
            self._up.add(worker)
            return 1
        if block.kind[place] == Kind.PROCESS_EXITED and worker in self._up:
            self._up.remove(worker)
            return -1
        return 0


class ExactDepth:
    """Tasks that are PENDING."""

    def __init__(self) -> None:
        self._steps = _Steps(0)

    def observe(self, block: Block, rows: Rows, facts: Facts) -> Samples:
        """The level after each instant at which it rose, and at each sample."""
        pending = int(TaskState.PENDING)
        enters: Bools = rows.changes & (rows.after == pending) & (rows.before != pending)
        leaves: Bools = rows.changes & (rows.after != pending) & (rows.before == pending)
        change = np.zeros(len(block), dtype=np.int64)
        change[rows.places] = enters.astype(np.int64) - leaves
        sampled = block.kind == Kind.SAMPLE_QUEUE_DEPTH
        places = np.flatnonzero((change != 0) | sampled)
        return self._steps.take(block.t[places], change[places], sampled[places], facts.settled_s)
