"""The events of tasks in a block, sorted by task, each with the state of the task before it."""

from typing import NamedTuple

import numpy as np

from soak.runner.judge.groups import Groups, carried
from soak.runner.judge.samples import Samples
from soak.runner.judge.table import SETTLED, Table
from soak.schemas.stream.block import Block, Bools, Floats, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import NEW_STATE, Kind
from soak.schemas.stream.states import OPEN, TaskState
from soak.schemas.stream.vocabulary import NO_CAUSE

NEW_STATES = np.array([NEW_STATE.get(kind, TaskState.NONE) for kind in Kind])
"""By kind: the state a task is in after it (NONE: the kind changes no state)."""

WAITING = np.array([state in {TaskState.PENDING, TaskState.DEFERRED} for state in TaskState])
"""By state: whether work in it waits to be dispatched."""

OPEN_STATES = np.array([state in OPEN for state in TaskState])
"""By state: whether work in it still has to be done."""

_ALWAYS_FOLLOWED = kind_flags(*NEW_STATE, Kind.LEASE_EXPIRED, Kind.TASK_DEAD_LETTERED)


def _followed(block: Block) -> Bools:
    """Which events matter here: of executions only those after a first attempt, and those that did not end well."""
    later = (block.kind == Kind.EXECUTION_STARTED) & (block.attempt > 1)
    bad = (block.kind == Kind.EXECUTION_ENDED) & (block.cause != NO_CAUSE)
    result: Bools = _ALWAYS_FOLLOWED[block.kind] | later | bad
    return result


class Picked(NamedTuple):
    """Some events of tasks, in the order of the block.

    places: in the block. before: the states of their tasks before them. label: numbers of `LabelNumbers` (None: unlabelled).
    value: what else is known of each.
    """

    places: Ints
    before: Ints
    label: Ints | None
    value: Floats | None = None

    def moves(self, block: Block) -> tuple[Ints, Ints]:
        """The states before and after them; NONE for what an event does not change."""
        return self.before, NEW_STATES[block.kind[self.places]]


_NOBODY = np.empty(0, dtype=np.int64)


class Rows:
    """The followed events of a block, sorted by task, with the state of the task before each.

    Groups are lives of tasks: nothing of a settled task is carried on to what is reported of it later, nor to its next life.
    """

    def __init__(self, block: Block, table: Table) -> None:
        rows = np.flatnonzero(_followed(block))
        tasks = Groups(rows, block.task[rows])
        self._table = table
        self.number = tasks.key
        self._old = int(np.searchsorted(self.number, table.new_from))
        """Rows from here on are of tasks that are new in this block: they come last in the order of numbers."""
        order = self.places = tasks.rows
        """Where each row stands in the block."""
        self.t, self.kind, self.attempt = block.t[order], block.kind[order], block.attempt[order]
        self.cause, self.value, self.label = block.cause[order], block.value[order], block.label[order]
        self.after = NEW_STATES[self.kind]
        self.changes: Bools = self.after > TaskState.NONE
        self.before = carried(
            tasks.latest(self.changes, before=True), self.after, table.states[self.number].astype(np.int64)
        ).astype(np.int64)
        self._settled = SETTLED[np.where(self.changes, self.after, self.before)]
        self.groups = tasks.split(SETTLED[self.before])
        self._carries_on = self.groups.starts_with(tasks)
        enqueued = self.groups.latest(self.kind == Kind.TASK_ENQUEUED)
        self.accepted = carried(enqueued, np.ones(len(rows)), self.known("accepted"))
        self.due = carried(enqueued, self.value, self.known("due"))

    def known(self, name: str) -> Floats:
        """What the table tells of the life each row belongs to; 0 if that began in this block."""
        known, old = np.zeros(len(self.number)), slice(0, self._old)
        known[old] = np.where(self._carries_on[old], self._table.get(name, self.number[old]), 0.0)
        return known

    def keep(self, **columns: Floats) -> None:
        """Update the table with the states at the end of the block."""
        last = self.groups.last
        last = last[~self._settled[last] | (last < self._old)]
        for name, values in columns.items():
            self._table.put(name, self.number[last], np.where(self._settled[last], 0.0, values[last]))

    def pick(self, chosen: Bools, label: Ints | None, value: Floats | None = None) -> Picked:
        """The chosen rows. label, value: by row."""
        if not chosen.any():
            return Picked(_NOBODY, _NOBODY, None)
        here, places = self.groups.in_time_order(chosen)
        own = None if label is None else label[here]
        return Picked(places, self.before[here], own, None if value is None else value[here])

    def samples(self, chosen: Bools, value: Floats | Ints | Bools | None, label: Ints | None) -> Samples:
        """A series of the chosen rows, in time order; without `value` each counts one."""
        places, _ = self.groups.in_time_order(chosen)
        values = np.ones(len(places)) if value is None else value[places].astype(np.float64)
        return Samples(self.t[places], values, label=None if label is None else label[places].astype(np.int64))
