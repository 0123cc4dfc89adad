"""Which tasks are known to be within their hard budget."""

import numpy as np

from soak.runner.judge.groups import Groups
from soak.schemas.language.faults import Fault
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary

_FIRST_SIZE = 1024
MOST_ATTEMPTS = 255
"""Further attempts count as this one: a table has a byte for each task."""


class Budget:
    """One fault that puts tasks over their hard budget: which tasks are known to be within it.

    Both tables are by task number, with 0 for unknown: `since` is the first attempt that a fault with windows could
    have decided, `within` the attempt that showed that the task is within its budget.
    """

    def __init__(self, fault: Fault, earlier: frozenset[str]) -> None:
        self._windowed = bool(fault.windows)
        self._others = earlier | {fault.name}
        self._since = np.zeros(_FIRST_SIZE if self._windowed else 0, dtype=np.uint8)
        self._within = np.zeros(_FIRST_SIZE, dtype=np.uint8)

    def shows(self, vocabulary: Vocabulary) -> Bools:
        """By cause, whether an attempt that ends with it shows that this fault would not have come first."""
        return np.array([cause.fault not in self._others for cause in vocabulary.causes])

    def could(self, block: Block, started: Bools, held: Bools, vocabulary: Vocabulary) -> Bools:
        """By start of an attempt in the block, whether the task may still have turned out to be over its budget in it.

        started: which events are starts. held: by start, whether the fault held then.
        """
        holding = np.zeros(len(block), dtype=np.bool_)
        holding[started] = held
        looked_at = (block.kind == Kind.TASK_RETRY) | (started & ((block.attempt > 1) | (holding & self._windowed)))
        could = np.ones(len(block), dtype=np.bool_)
        rows = np.flatnonzero(looked_at)
        if len(rows):
            groups = Groups(rows, block.task[rows])
            self._make_room(int(groups.key[-1]) + 1)
            could[groups.rows] = self._could(groups, block, started, holding, vocabulary)
        return could[started]

    def _could(self, groups: Groups, block: Block, started: Bools, holding: Bools, vocabulary: Vocabulary) -> Bools:
        """For each row of the groups, each a task; what they show is noted."""
        rows, key, last = groups.rows, groups.key, groups.last
        attempt, starts = np.minimum(block.attempt[rows], MOST_ATTEMPTS), started[rows]
        # Something else ended the attempt: if this fault would have come first, the task is within its budget.
        shows = self.shows(vocabulary)[block.cause[rows]] & ~starts
        if self._windowed:
            since = _first(groups, starts & holding[rows], attempt, self._since[key].astype(np.int64))
            shows &= (since > 0) & (since <= attempt)
            self._since[key[last]] = since[last]
        within = _first(groups, shows, attempt, self._within[key].astype(np.int64))
        self._within[key[last]] = within[last]
        could: Bools = (within == 0) | (attempt <= within)
        return could

    def _make_room(self, size: int) -> None:
        if size > len(self._within):
            more = max(size, 2 * len(self._within)) - len(self._within)
            self._within = np.pad(self._within, (0, more))
            self._since = np.pad(self._since, (0, more)) if self._windowed else self._since


def _first(groups: Groups, chosen: Bools, attempt: Ints, known: Ints) -> Ints:
    """For each row what was known before the block, or the attempt at the first chosen row of its group so far; 0 for none.

    A row without an attempt, which a damaged stream may have, tells nothing: 0 would stand for unknown later on.
    """
    chosen = chosen & (attempt > 0)
    first = groups.latest(chosen & (groups.running(chosen.astype(np.int64)) == 1))
    return np.where(known > 0, known, np.where(first >= 0, attempt[first], 0))
