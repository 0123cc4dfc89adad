"""Executions that should not have been, one by one: what else ran or had been DONE, and so how they came about."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from msgspec.structs import replace

from soak.runner.judge.rows import NEW_STATES
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.table import Table
from soak.runner.judge.violations import Told, at, codes, note
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import COPY, Kind, task_name, worker_name
from soak.schemas.stream.states import TaskState
from soak.schemas.systems.queue.indicators import DUPLICATES_BY_CAUSE
from soak.schemas.units import show_duration

CLAIMED_TWICE = "claimed twice"
REDELIVERED = "redelivered while running"
LEASE_EXPIRED = "claimed again after its lease expired"
SUBMITTED_TWICE = "submitted twice"
AFTER_DONE = "after DONE"
REDELIVERED_DONE = "redelivered after DONE"

_INFERRED = {CLAIMED_TWICE: REDELIVERED, AFTER_DONE: REDELIVERED_DONE}
"""The causes of a system of whose claims nothing is known."""

_SERIES = "duplicate_executions"
_WHILE_RUNNING, _AFTER_DONE = DUPLICATES_BY_CAUSE
_ALL = frozenset({_SERIES, *DUPLICATES_BY_CAUSE})
_EXECUTIONS = kind_flags(Kind.EXECUTION_STARTED, Kind.EXECUTION_ENDED)
_FOLLOWED = _EXECUTIONS | kind_flags(Kind.LEASE_EXPIRED)


_Found: TypeAlias = tuple[str, Told, bool]


class Execution(NamedTuple):
    """An execution: of which task, which attempt, by which worker (-1: unknown), since when."""

    task: int
    attempt: int
    worker: int
    since_s: float

    @property
    def words(self) -> str:
        """What it is, for people."""
        by = f" on {worker_name(self.worker)}" if self.worker >= 0 else ""
        return f"attempt {self.attempt} of {task_name(self.task)}{by} since {show_duration(self.since_s)}"


class Again(NamedTuple):
    """Executions that are one too many: their places in a block, ascending, and the labels of their tasks.

    other_done: whether the other task of the key of each was DONE then.
    """

    places: Ints
    label: Ints | None
    other_done: Bools


class Duplicates:
    """Knows what runs at the end of each block, and when the lease of it expired: bounded by the number of running executions."""

    def __init__(self, *, inferred: bool = False, told_apart: bool = False) -> None:
        """inferred: whether nothing is known of claims and leases. told_apart: whether `by_cause` is asked."""
        self._inferred, self.told_apart = inferred, told_apart
        self._found: list[bool] = []
        """Of the last block: for each execution that is one too many, whether another one ran."""
        self._running: dict[int, tuple[Execution, ...]] = {}
        """By key, in the order in which they started."""
        self._expired: dict[int, float] = {}
        """By task of these keys: when a lease of it last expired."""

    def __deepcopy__(self, memo: dict[int, object]) -> "Duplicates":
        """Values are never changed: a copy of the tables is enough."""
        twin = Duplicates(inferred=self._inferred, told_apart=self.told_apart)
        twin._running, twin._expired = dict(self._running), dict(self._expired)
        return twin

    def are_asked(self, facts: Facts) -> bool:
        """Whether anybody wants to know of them."""
        return self.told_apart or _SERIES in facts.wanted

    def observe(
        self, block: Block, again: Again, executed: Callable[[Ints], Bools], starts: Ints, facts: Facts
    ) -> None:
        """Process a block, if they are asked for.

        executed: whether an execution of each of these keys, which ran before the block, started or ended in it. starts: places,
        ascending, of the executions that started in it, of keys of which something runs at its end.
        """
        self._found = []
        if not len(again.places) and all(len(each) == 1 for each in self._running.values()):
            self._carry_on(block, executed, starts)
            return
        still = set((block.task[starts] & ~COPY).tolist())
        found = self._walk(block, again, still)
        self._found = [ran for _, _, ran in found]
        ran = np.array(self._found, dtype=np.bool_)
        everywhere = np.ones(len(found), dtype=np.bool_)
        for series, chosen in ((_SERIES, everywhere), (_WHILE_RUNNING, ran), (_AFTER_DONE, ~ran)):
            positions = np.flatnonzero(chosen)
            those = [found[position] for position in positions.tolist()]
            _note(facts, series, block, again.places[positions], those, at(again.label, positions))

    def by_cause(self, samples: Samples) -> dict[str, Samples]:
        """The series of executions that are one too many, of the last block, told apart by what else ran; if that is asked."""
        if not self.told_apart:
            return {}
        ran = np.zeros(len(samples))
        ran[samples.value > 0] = self._found
        done = samples.value - ran
        return {_WHILE_RUNNING: replace(samples, value=ran), _AFTER_DONE: replace(samples, value=done)}

    def _carry_on(self, block: Block, executed: Callable[[Ints], Bools], starts: Ints) -> None:
        """Process a block in which no more than one execution of a key runs at a time: only the last of each can be running.

        What ran before the block and has no end in it still runs; all others that run started in it.
        """
        if self._running:
            known = np.array(list(self._running), dtype=np.int64)
            for key in known[executed(known)].tolist():
                del self._running[key]
        for place in starts.tolist():
            self._running[int(block.task[place]) & ~COPY] = (_execution(block, place),)
        for place in np.flatnonzero(block.kind == Kind.LEASE_EXPIRED).tolist():
            self._expired[int(block.task[place])] = float(block.t[place])
        self._forget()

    def _forget(self) -> None:
        """Drop what is not running."""
        self._running = {key: each for key, each in self._running.items() if each}
        self._expired = {task: t_s for task, t_s in self._expired.items() if task & ~COPY in self._running}

    def _walk(self, block: Block, again: Again, still: set[int]) -> list[_Found]:
        """For each of the executions that are one too many, in order, its cause, what is said of it, and whether another ran.

        Follows all executions of their keys, of those that ran before and of those that run at the end of the block.
        """
        keys = {*self._running, *still, *(block.task[again.places] & ~COPY).tolist()}
        if not keys:
            return []
        concerned = _FOLLOWED[block.kind] & np.isin(block.task & ~COPY, list(keys))
        other_done = dict(zip(again.places.tolist(), again.other_done.tolist(), strict=True))
        found: list[_Found] = []
        for place in np.flatnonzero(concerned).tolist():
            task, kind = int(block.task[place]), block.kind[place]
            if kind == Kind.LEASE_EXPIRED:
                self._expired[task] = float(block.t[place])
            else:
                key, each = task & ~COPY, _execution(block, place)
                runs = self._running.get(key, ())
                if place in other_done:
                    cause, told = _judged(each, runs, self._expired.get(task), other_done=other_done[place])
                    known = _INFERRED.get(cause, cause) if self._inferred else cause
                    found.append((known, told, bool(runs)))
                self._running[key] = (*runs, each) if kind == Kind.EXECUTION_STARTED else _without(runs, each)
        self._forget()
        return found


def again_at(block: Block, places: Ints, table: Table) -> Again:
    """The executions at these places. table: states are as before the block."""
    if not len(places):
        return Again(places, None, np.zeros(0, dtype=np.bool_))
    keys = block.task[places] & ~COPY
    done = {number for key in keys.tolist() for number in (key, key | COPY) if _is_done(number, table)}
    concerned = (NEW_STATES[block.kind] > TaskState.NONE) & np.isin(block.task & ~COPY, keys)
    concerned[places] = True
    other_done: list[bool] = []
    for place in np.flatnonzero(concerned).tolist():
        task, state = int(block.task[place]), NEW_STATES[block.kind[place]]
        if state == TaskState.NONE:
            other_done.append((task ^ COPY) in done)
        else:
            (done.add if state == TaskState.DONE else done.discard)(task)
    return Again(places, table.labels_at(block, places), np.array(other_done, dtype=np.bool_))


def _note(facts: Facts, series: str, block: Block, places: Ints, found: Sequence[_Found], label: Ints | None) -> None:
    if found:
        note(
            facts,
            series,
            block,
            places,
            cause=codes(cause for cause, _, _ in found),
            told=lambda position: found[position][1],
            label=label,
        )


def _execution(block: Block, place: int) -> Execution:
    return Execution(int(block.task[place]), int(block.attempt[place]), int(block.worker[place]), float(block.t[place]))


def _judged(
    each: Execution, running: tuple[Execution, ...], expired_s: float | None, *, other_done: bool
) -> tuple[str, Told]:
    """How an execution that is one too many came about.

    expired_s: when a lease of its task last expired. other_done: whether the other task of its key is DONE.
    """
    after = f"running on {worker_name(each.worker)}" if each.worker >= 0 else "running"
    if not running:
        return SUBMITTED_TWICE if other_done else AFTER_DONE, Told(TaskState.DONE.name, after)
    other = running[-1]
    before = f"running on {worker_name(other.worker)}" if other.worker >= 0 else "running"
    if other.task != each.task:
        cause = SUBMITTED_TWICE
    else:
        cause = LEASE_EXPIRED if expired_s is not None and expired_s >= other.since_s else CLAIMED_TWICE
    return cause, Told(before, after, f"still running: {other.words}")


def _without(running: tuple[Execution, ...], ended: Execution) -> tuple[Execution, ...]:
    """What runs after an execution ended: that of its task and attempt, if it is among them, or else the earliest."""
    for place, each in enumerate(running):
        if (each.task, each.attempt, each.worker) == (ended.task, ended.attempt, ended.worker):
            return running[:place] + running[place + 1 :]
    return running[1:]


def _is_done(number: int, table: Table) -> bool:
    return number < len(table.states) and table.states[number] == TaskState.DONE
