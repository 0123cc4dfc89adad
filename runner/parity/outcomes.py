"""What became of every task of a run, by task number."""

from typing import Any

import numpy as np
import numpy.typing as npt

from soak.runner.evidence.task_numbers import MOST_TASKS, is_by_chance, task_name
from soak.runner.judge.rows import NEW_STATES
from soak.schemas.errors import EvidenceError
from soak.schemas.stream.block import Block, Bools, Floats, Ints, quantise
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.states import ACCEPTED, TaskState
from soak.simulation.plan import Plan

_RESULTS = kind_flags(Kind.TASK_DONE, Kind.TASK_FAILED)
_CHANGES = NEW_STATES > TaskState.NONE
_WAITING = np.isin(NEW_STATES, (TaskState.DEFERRED, TaskState.PENDING))

_HANDED = kind_flags(
    Kind.TASK_DISPATCHED,
    Kind.EXECUTION_STARTED,
    Kind.EXECUTION_ENDED,
    Kind.TASK_DONE,
    Kind.TASK_FAILED,
    Kind.TASK_RETRY,
)


def make_room(outcomes: "Outcomes", block: Block, plan: Plan, stream: object) -> None:
    """Make room for the tasks of a block. Raises EvidenceError for one that the scenario cannot have."""
    highest = int(block.task.max()) if len(block) else -1
    if not is_by_chance(plan) and len(outcomes) <= highest < MOST_TASKS:
        outcomes.grow(2 * (highest + 1))
    refuse_unplanned(block, len(outcomes), stream)


def refuse_unplanned(block: Block, size: int, stream: object) -> None:
    """Raises EvidenceError for a block with a task that `size` says the scenario cannot have."""
    highest = int(block.task.max()) if len(block) else -1
    if highest >= size:
        what = f"task {task_name(highest)} is not one that the scenario can have"
        raise EvidenceError(f"{stream}: {what} (the stream is damaged)")


class Outcomes:
    """The last state of every task, how often it was tried, when it was due, when it last ended DONE or FAILED, its waits."""

    def __init__(self, size: int) -> None:
        self.states: npt.NDArray[np.uint8] = np.zeros(size, dtype=np.uint8)
        self.attempts: npt.NDArray[np.uint32] = np.zeros(size, dtype=np.uint32)
        self.due_s: Floats = np.full(size, np.nan)
        self._result_s: Floats = np.full(size, np.nan)
        self._waited_s: Floats = np.zeros(size)
        self._ready_s: Floats = np.full(size, np.nan)
        self.lag_s: Floats = np.full(size, np.nan)
        """By task: how late it was submitted."""
        self.starting_s: Floats = np.zeros(size)
        """By task: the time from dispatch to the start of the body, summed over its attempts."""
        self.ran_s: Floats = np.zeros(size)
        """By task: the time from the start of the body to its end, summed over its attempts."""
        self.closing_s: Floats = np.zeros(size)
        """By task: the time from the end of the body to the result, summed over its attempts."""
        self._moved_s: Floats = np.full(size, np.nan)
        self._moved: npt.NDArray[np.int64] = np.full(size, -1, dtype=np.int64)
        self.events = 0

    def __len__(self) -> int:
        return len(self.states)

    def grow(self, size: int) -> None:
        """Make room for `size` tasks, where there is less."""
        more = max(0, size - len(self))
        for name in ("states", "attempts"):
            setattr(self, name, np.pad(getattr(self, name), (0, more)))
        self._moved = np.pad(self._moved, (0, more), constant_values=-1)
        for name in ("starting_s", "ran_s", "closing_s"):
            setattr(self, name, np.pad(getattr(self, name), (0, more)))
        for name in ("due_s", "_result_s", "_waited_s", "_ready_s", "lag_s", "_moved_s"):
            setattr(self, name, np.pad(getattr(self, name), (0, more), constant_values=np.nan))

    def observe(self, block: Block) -> None:
        """Take in a block. Raises IndexError for a task that is above `size`."""
        self.events += len(block)
        # Where a task stands several times, the last assignment is the one that stays.
        self._put(self.states, block, _CHANGES[block.kind], NEW_STATES[block.kind])
        self._put(self.due_s, block, block.kind == Kind.TASK_ENQUEUED, block.value)
        self._put(self._result_s, block, _RESULTS[block.kind], block.t)
        # Work that is deferred has been submitted; of several events the earliest stays, which is assigned last.
        submitted = np.flatnonzero((block.kind == Kind.TASK_ENQUEUED) | (block.kind == Kind.TASK_DEFERRED))[::-1]
        first = submitted[np.isnan(self.lag_s[block.task[submitted]])]
        self.lag_s[block.task[first]] = block.t[first] - block.value[first]
        np.add.at(self.attempts, block.task[block.kind == Kind.TASK_DISPATCHED], 1)
        self._wait(block)
        self._hand_over(block)

    def _hand_over(self, block: Block) -> None:
        """Add up the times from dispatch to body, of the body, and from body to result."""
        rows = np.flatnonzero(_HANDED[block.kind])
        rows = rows[np.argsort(block.task[rows], kind="stable")]
        task, kind, t_s = block.task[rows], block.kind[rows].astype(np.int64), block.t[rows]
        first = np.diff(task, prepend=-1) != 0
        before_s = np.where(first, self._moved_s[task], np.roll(t_s, 1))
        before = np.where(first, self._moved[task], np.roll(kind, 1))
        for total, kinds, start in (
            (self.starting_s, (Kind.EXECUTION_STARTED,), Kind.TASK_DISPATCHED),
            (self.ran_s, (Kind.EXECUTION_ENDED,), Kind.EXECUTION_STARTED),
            (self.closing_s, (Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_RETRY), Kind.EXECUTION_ENDED),
        ):
            chosen = np.isin(kind, kinds) & (before == start)
            np.add.at(total, task[chosen], np.maximum(t_s - before_s, 0.0)[chosen])
        self._moved_s[task], self._moved[task] = t_s, kind

    def _wait(self, block: Block) -> None:
        """Add up the times from due to dispatched, as `runner.judge.lifecycle` does."""
        rows = np.flatnonzero(_CHANGES[block.kind])
        rows = rows[np.argsort(block.task[rows], kind="stable")]
        task, kind = block.task[rows], block.kind[rows]
        since_s = np.where(_WAITING[kind], block.value[rows], np.nan)
        first = np.diff(task, prepend=-1) != 0
        ready_s = np.where(first, self._ready_s[task], np.roll(since_s, 1))
        dispatched = (kind == Kind.TASK_DISPATCHED) & ~np.isnan(ready_s)
        np.add.at(self._waited_s, task[dispatched], np.maximum(block.t[rows] - ready_s, 0.0)[dispatched])
        self._ready_s[task] = since_s

    def _put(self, column: npt.NDArray[Any], block: Block, rows: Bools, values: Floats | Ints) -> None:
        column[block.task[rows]] = values[rows]

    @property
    def accepted(self) -> Bools:
        """By task: whether the system took it in."""
        return np.isin(self.states, ACCEPTED)

    @property
    def latency_s(self) -> Floats:
        """By task: the time from due to the DONE or FAILED it ended with; NaN for one that did not end so."""
        return quantise(np.where(self._ended, self._result_s - self.due_s, np.nan))

    @property
    def wait_s(self) -> Floats:
        """By task: the time from due to dispatched, summed over its attempts; NaN for one that did not end DONE or FAILED."""
        return quantise(np.where(self._ended, self._waited_s, np.nan))

    @property
    def _ended(self) -> Bools:
        return np.isin(self.states, (TaskState.DONE, TaskState.FAILED))
