"""The execution ledger: what really ran, independent of what the system under test says of itself."""

import numpy as np

from runner.judge.groups import Groups
from runner.judge.kinds import kind_flags
from runner.judge.samples import Samples
from runner.judge.table import Table
from schemas.block import Block
from schemas.events import COPY, Kind
from schemas.states import TaskState

_FOLLOWED = kind_flags(Kind.EXECUTION_STARTED, Kind.EXECUTION_ENDED, Kind.TASK_DONE)


def duplicate_executions(block: Block, table: Table, *, labelled: bool) -> Samples:
    """Executions of a key that start while another execution of it runs, or after it is DONE.

    Copies of a task share its key. `table` is as it was before the block; it learns how many executions of each key run.
    """
    places = np.flatnonzero(_FOLLOWED[block.kind])
    groups = Groups(places, block.task[places] & ~COPY)
    kind = block.kind[groups.rows]
    started = kind == Kind.EXECUTION_STARTED
    step = started.astype(np.int64) - (kind == Kind.EXECUTION_ENDED)
    done = (kind == Kind.TASK_DONE).astype(np.int64)
    was_done = (table.states[groups.key] == TaskState.DONE) | (table.states[groups.key | COPY] == TaskState.DONE)
    running = groups.running(step) + table.get("running", groups.key)
    again = started & ((running > 1) | (groups.running(done) + was_done > 0))
    last = groups.last
    table.put("running", groups.key[last], np.maximum(running[last], 0))
    at, places = groups.in_time_order(started)
    label = table.get("label", block.task[places]).astype(np.int64) if labelled else None
    return Samples(block.t[places], again[at].astype(np.float64), label=label)
