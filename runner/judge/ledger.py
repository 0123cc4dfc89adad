"""The execution ledger: what really ran, independent of what the system under test says of itself."""

import numpy as np

from runner.judge.groups import Groups
from runner.judge.kinds import kind_flags
from runner.judge.samples import Samples
from runner.judge.table import Table
from schemas.block import Block, Bools, Ints
from schemas.events import COPY, Kind
from schemas.states import TaskState

_FOLLOWED = kind_flags(Kind.EXECUTION_STARTED, Kind.EXECUTION_ENDED, Kind.TASK_DONE)


def duplicate_executions(block: Block, table: Table) -> Samples:
    """An observation for each execution: 1 if it starts while another of its key runs, or after the key is DONE.

    Copies of a task share its key. `table` is as it was before the block; it learns how many executions of each key run.
    """
    places = np.flatnonzero(_FOLLOWED[block.kind])
    if not len(places):
        return Samples(block.t[places], block.t[places])
    key = block.task[places] & ~COPY
    kind = block.kind[places]
    lowest = int(key.min())
    width = int(key.max()) - lowest + 1
    starts = np.bincount(key[kind == Kind.EXECUTION_STARTED] - lowest, minlength=width)
    ends = np.bincount(key[kind == Kind.EXECUTION_ENDED] - lowest, minlength=width)
    keys = lowest + np.flatnonzero(starts + ends)
    running, done = table.get("running", keys), _was_done(table, keys)
    # Only a key that starts twice, or starts although it runs or is done, can be a duplicate: most cannot.
    doubtful = np.zeros(width, dtype=np.bool_)
    doubtful[keys - lowest] = starts[keys - lowest] + running + done > 1
    doubtful |= _starts_after_done(key - lowest, kind, width)
    again = _starts_again(block, places[doubtful[key - lowest]], table)
    table.put("running", keys, np.maximum(running + starts[keys - lowest] - ends[keys - lowest], 0))
    flags = np.zeros(len(block))
    flags[again] = 1.0
    started = np.flatnonzero(block.kind == Kind.EXECUTION_STARTED)
    label = table.labels(block.task[started])
    return Samples(block.t[started], flags[started], label=label)


def _starts_after_done(key: Ints, kind: Ints, width: int) -> Bools:
    """By key, whether its last start in the block comes after it is first DONE there."""
    last_start, first_done = np.full(width, -1), np.full(width, len(key))
    start, done = np.flatnonzero(kind == Kind.EXECUTION_STARTED), np.flatnonzero(kind == Kind.TASK_DONE)[::-1]
    last_start[key[start]] = start
    first_done[key[done]] = done
    after: Bools = last_start > first_done
    return after


def _was_done(table: Table, keys: Ints) -> Bools:
    done: Bools = (table.states[keys] == TaskState.DONE) | (table.states[keys | COPY] == TaskState.DONE)
    return done


def _starts_again(block: Block, places: Ints, table: Table) -> Ints:
    """Of the ledger's events at `places`, those that start while another execution runs or after the key is DONE."""
    groups = Groups(places, block.task[places] & ~COPY)
    kind = block.kind[groups.rows]
    started = kind == Kind.EXECUTION_STARTED
    step = started.astype(np.int64) - (kind == Kind.EXECUTION_ENDED)
    running = groups.running(step) + table.get("running", groups.key)
    done = groups.running((kind == Kind.TASK_DONE).astype(np.int64)) + _was_done(table, groups.key)
    _, again = groups.in_time_order(started & ((running > 1) | (done > 0)))
    return again
