"""Whether anybody takes up work: stretches in which a task waits, a worker is free, and nothing starts.

A worker is free where fewer executions run than workers are up: of workers that execute several tasks at a time, one is free
for certain only then. What happens at one instant is followed in the order of the stream, so that nothing depends on where
blocks end.
"""

import numpy as np

from soak.runner.judge.samples import Samples, Stretch
from soak.runner.judge.stalls import NO_EVIDENCE
from soak.schemas.stream.block import Block, Bools, Floats, Ints, quantise
from soak.schemas.stream.events import Kind


class Consumers:
    """Finds the stretches; keeps the longest of each block, all of `floor_s` or more, and one that still lasts."""

    def __init__(self, floor_s: float, workers: int) -> None:
        """workers: that are up at the start."""
        self._floor_s = floor_s
        self._free = workers
        self._begun_s = 0.0
        """Since when a worker is free and nothing has started, if one is free."""
        self._edges: list[tuple[float, float, bool]] = []
        """Of the block: from when to when a worker was free and nothing started, and whether that is over."""
        self._starts = 0

    def observe(self, block: Block, changes: tuple[Ints, Ints], left: Bools, until_s: float) -> None:
        """Take in a block. changes: places at which the number of workers changes, and by how much.

        left: by event, whether a task no longer waits after it.
        """
        started, ended = block.kind == Kind.EXECUTION_STARTED, block.kind == Kind.EXECUTION_ENDED
        change = ended.astype(np.int64) - started
        change[changes[0]] += changes[1]
        breaks = started | left
        self._edges, self._starts = [], int(started.sum())
        for place in np.flatnonzero(breaks | (change != 0)).tolist():
            t_s, before = float(block.t[place]), self._free
            self._free += int(change[place])
            if before > 0 and (breaks[place] or self._free <= 0):
                self._edges.append((self._begun_s, t_s, True))
            if breaks[place] or before <= 0:
                self._begun_s = t_s
        if self._free > 0:
            self._edges.append((self._begun_s, until_s, False))

    def stretches(self, since_s: Floats, left_s: Floats, waiting_s: Floats) -> tuple[list[Stretch], Samples]:
        """The stretches of the block that was observed last, those in which work waited.

        since_s, left_s: from when to when work waited that no longer does. waiting_s: since when the work waits that still does.
        """
        nothing = Samples(NO_EVIDENCE, NO_EVIDENCE, exposed=self._starts)
        if not self._edges:
            return [], nothing
        start, end = (np.array([edge[side] for edge in self._edges]) for side in (0, 1))
        over = [edge[2] for edge in self._edges]
        left = np.concatenate([left_s, np.full(len(waiting_s), np.inf)])
        order = np.argsort(left, kind="stable")
        # Work that leaves at the end of a stretch or later was waiting throughout it: the earliest of it counts.
        since = np.append(np.concatenate([since_s, waiting_s])[order], np.inf)
        earliest = np.minimum.accumulate(since[::-1])[::-1]
        due = earliest[np.searchsorted(left[order], end, side="left")]
        length = quantise(np.maximum(end - np.maximum(start, due), 0.0))
        kept = np.flatnonzero((length > 0) & ((length >= self._floor_s) | (length == length.max()) | ~np.array(over)))
        found = [Stretch(float(max(start[each], due[each])), float(end[each]), over[each]) for each in kept.tolist()]
        return found, nothing
