"""Executions that should not have been, one by one: what else ran or had been DONE, and so how they came about."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from soak.runner.judge.rows import NEW_STATES
from soak.runner.judge.samples import Facts
from soak.runner.judge.table import Table
from soak.runner.judge.violations import Told, codes, note
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import COPY, NEW_STATE, Kind, task_name, worker_name
from soak.schemas.stream.states import TaskState
from soak.schemas.units import show_duration

CLAIMED_TWICE = "claimed twice"
LEASE_EXPIRED = "claimed again after its lease expired"
SUBMITTED_TWICE = "submitted twice"
AFTER_DONE = "after DONE"

COLUMNS = ("ran_as", "ran_from", "expired_at")
"""Of each key: its last execution, in code, and when it started; of each task: when a lease of it last expired."""

_SERIES = "duplicate_executions"
_EXECUTIONS = kind_flags(Kind.EXECUTION_STARTED, Kind.EXECUTION_ENDED)
_FOLLOWED = _EXECUTIONS | kind_flags(*NEW_STATE, Kind.LEASE_EXPIRED)
_ATTEMPT, _WORKER = 1 << 32, 1 << 1
"""An execution in code: the copy, then the worker (from 1; 0 for none), then the attempt (below 2^20: exact as a float)."""


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


class Duplicates:
    """Follows what runs of a key that was executed once too often; of all others only the last execution is known, by the table.

    Nothing is said of what ran earlier: how long the table knows a task that is settled depends on where blocks end.
    """

    def __init__(self) -> None:
        self._running: dict[int, tuple[Execution, ...]] = {}

    def observe(self, block: Block, again: Sequence[int] | Ints, table: Table, facts: Facts) -> None:
        """Process a block. again: places of executions that are one too many. table: of executions as before the block."""
        if _SERIES not in facts.wanted:
            return
        places = np.sort(np.asarray(again, dtype=np.int64))
        if len(places) or self._running:
            found = self._walk(block, set(places.tolist()), table)
            words = [cause for cause, _ in found]
            note(
                facts,
                _SERIES,
                block,
                places,
                cause=codes(words),
                told=lambda position: found[position][1],
                label=table.labels_at(block, places),
            )
        _remember(block, table)

    def _walk(self, block: Block, again: set[int], table: Table) -> list[tuple[str, Told]]:
        """For each of the executions that are one too many, in order, its cause and what is said of it."""
        keys = {*self._running, *(int(block.task[place]) & ~COPY for place in again)}
        concerned = _FOLLOWED[block.kind] & np.isin(block.task & ~COPY, list(keys))
        running = {key: self._running[key] if key in self._running else _known(key, table) for key in keys}
        done = {number for key in keys for number in (key, key | COPY) if _is_done(number, table)}
        expired: dict[int, float] = {}
        found = []
        for place in np.flatnonzero(concerned).tolist():
            task, t_s = int(block.task[place]), float(block.t[place])
            key = task & ~COPY
            if block.kind[place] == Kind.LEASE_EXPIRED:
                expired[task] = t_s
            if (state := NEW_STATES[block.kind[place]]) > TaskState.NONE:
                (done.add if state == TaskState.DONE else done.discard)(task)
            if not _EXECUTIONS[block.kind[place]]:
                continue
            each = Execution(task, int(block.attempt[place]), int(block.worker[place]), t_s)
            if block.kind[place] == Kind.EXECUTION_ENDED:
                running[key] = _without(running[key], each)
                continue
            if place in again:
                expired_s = expired.get(task, float(table.get("expired_at", np.array([task]))[0]))
                found.append(_judged(each, running[key], expired_s, other_done=(task ^ COPY) in done))
            running[key] = (*running[key], each)
        self._running = {key: each for key, each in sorted(running.items()) if each}
        return found


def _judged(each: Execution, running: tuple[Execution, ...], expired_s: float, *, other_done: bool) -> tuple[str, Told]:
    """How an execution that is one too many came about.

    expired_s: when a lease of its task last expired; 0 for never. other_done: whether the other task of its key is DONE.
    """
    after = f"running on {worker_name(each.worker)}" if each.worker >= 0 else "running"
    if not running:
        return SUBMITTED_TWICE if other_done else AFTER_DONE, Told(TaskState.DONE.name, after)
    other = running[-1]
    before = f"running on {worker_name(other.worker)}" if other.worker >= 0 else "running"
    if other.task != each.task:
        cause = SUBMITTED_TWICE
    else:
        cause = LEASE_EXPIRED if expired_s >= other.since_s and expired_s > 0 else CLAIMED_TWICE
    return cause, Told(before, after, f"still running: {other.words}")


def _without(running: tuple[Execution, ...], ended: Execution) -> tuple[Execution, ...]:
    """What runs after an execution ended: that of its task and attempt, if it is among them, or else the earliest."""
    for place, each in enumerate(running):
        if (each.task, each.attempt, each.worker) == (ended.task, ended.attempt, ended.worker):
            return running[:place] + running[place + 1 :]
    return running[1:]


def _is_done(number: int, table: Table) -> bool:
    return number < len(table.states) and table.states[number] == TaskState.DONE


def _known(key: int, table: Table) -> tuple[Execution, ...]:
    """What the table knows to run of a key of which no more than one does."""
    last = _last(key, table)
    return (last,) if last and table.get("running", np.array([key]))[0] > 0 else ()


def _last(key: int, table: Table) -> Execution | None:
    """The last execution of a key before the block; None if there was none, or it is no longer known."""
    code = int(table.get("ran_as", np.array([key]))[0])
    if not code:
        return None
    attempt, rest = divmod(code, _ATTEMPT)
    worker, copy = divmod(rest, _WORKER)
    return Execution(key | copy, attempt, worker - 1, float(table.get("ran_from", np.array([key]))[0]))


def _remember(block: Block, table: Table) -> None:
    """Keep the last execution of each key, and when leases expired."""
    started = np.flatnonzero(block.kind == Kind.EXECUTION_STARTED)
    key = block.task[started] & ~COPY
    code = block.attempt[started] * _ATTEMPT + (block.worker[started] + 1) * _WORKER + (block.task[started] & COPY)
    # The last write to an index wins: that of the last start.
    table.put("ran_as", key, code)
    table.put("ran_from", key, block.t[started])
    expired: Bools = block.kind == Kind.LEASE_EXPIRED
    if expired.any():
        table.put("expired_at", block.task[expired], block.t[expired])
