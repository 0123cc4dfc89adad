"""What a model records, turned into blocks of events.

The hot path records one row for events that belong together; the rows become events a block at a time.
"""

import struct

import numpy as np

from soak.schemas.language.faults import TELEMETRY_LOSS
from soak.schemas.stream.block import Block, Floats, Ints
from soak.schemas.stream.by_kind import flags_by_kind
from soak.schemas.stream.events import Kind
from soak.simulation.blocks import KIND, NOTHING_DUE, TASK, WIDTH, Columns, Due, RowKind, columns_of
from soak.simulation.plan import Plan, inside_windows

__all__ = ["Recorder", "RowKind"]

_LABEL_TOLD = flags_by_kind(lambda kind, spec: spec.uses("label"))
_STRETCH = flags_by_kind(lambda kind, spec: spec.uses("label") and not (spec.uses("task") or spec.uses("key")))
"""By kind: whether an event stands for several records; the task of its row only says which label they have."""
_BY_RUNNER = flags_by_kind(lambda kind, spec: spec.by_runner or kind is Kind.FAULT_INJECTED)


class Recorder:
    """Collects rows and hands them out as blocks.

    `row` takes (t, kind or RowKind, task, attempt, worker, cause, value): -1 for no task or worker, 0 for no attempt or cause;
    the value of a kind without one is ignored. Rows come in time order; `record` takes many of them at once.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._rows: list[float] = []
        self.row = self._rows.extend
        self._before: list[Floats] = []
        self._to_come = NOTHING_DUE
        self._running = np.empty((0, WIDTH))
        losses = [fault for fault in plan.scenario.faults if fault.type == TELEMETRY_LOSS]
        self._losses = tuple(window for fault in losses for window in fault.windows)
        self._lost = 0
        self._reported = 0

    def enqueue(self, due_s: Floats, number: Ints) -> None:
        """Record tasks that are enqueued the moment they are due (ascending)."""
        before = self._to_come
        self._to_come = Due(np.concatenate([before.due_s, due_s]), np.concatenate([before.number, number]))

    def record(self, rows: Floats) -> None:
        """Record rows of shape (n, 7), after those that were recorded before: the columns as for `row`. They are not copied."""
        self._before += [self._listed(), rows]

    def _listed(self) -> Floats:
        """The rows that came one by one since the last time."""
        listed = np.frombuffer(struct.pack(f"{len(self._rows)}d", *self._rows)).reshape(-1, WIDTH)
        self._rows.clear()
        return listed

    def cut_short(self, task: int, attempt: int) -> None:
        """What was recorded of the end of an attempt that began with RUN does not come about."""
        rows = self._rows
        for place in range(len(rows) - WIDTH, -1, -WIDTH):
            if rows[place + KIND] == RowKind.RUN and rows[place + TASK : place + TASK + 2] == [task, attempt]:
                rows[place + KIND] = RowKind.BEGIN
                return
        if self._cut_short_before(task, attempt):
            return
        ends = (self._running[:, TASK] == task) & (self._running[:, TASK + 1] == attempt)
        self._running = self._running[~ends]

    def _cut_short_before(self, task: int, attempt: int) -> bool:
        for index in range(len(self._before) - 1, -1, -1):
            rows = self._before[index]
            runs = (rows[:, KIND] == RowKind.RUN) & (rows[:, TASK] == task) & (rows[:, TASK + 1] == attempt)
            if runs.any():
                # Another's array, or one that cannot be written to.
                self._before[index] = rows = rows.copy()
                rows[np.flatnonzero(runs)[-1], KIND] = RowKind.BEGIN
                return True
        return False

    def take(self, until_s: float) -> Block:
        """The block of everything since the last one: work enqueued by `until_s`, attempts that ended before."""
        come = int(np.searchsorted(self._to_come.due_s, until_s, side="right"))
        due, self._to_come = self._to_come.take(slice(0, come)), self._to_come.take(slice(come, None))
        pieces = [self._running, *self._before, self._listed()]
        self._before.clear()
        columns = columns_of(due, pieces, until_s)
        self._running = columns.running
        return self._without_lost(self._block(columns, until_s))

    def _block(self, columns: Columns, until_s: float) -> Block:
        kind, task = columns.kind, columns.task
        return Block(
            t=columns.t,
            kind=kind,
            task=np.where(stretch, -1, task) if (stretch := _STRETCH[kind]).any() else task,
            attempt=columns.attempt,
            worker=columns.worker,
            cause=columns.cause,
            label=self._labels(kind, task, columns.label),
            value=columns.value,
            until_s=until_s,
        )

    def _labels(self, kind: Ints, task: Ints, label: Ints) -> Ints:
        if self._plan.vocabulary.labels:
            known = _LABEL_TOLD[kind]
            label[known] = self._plan.labels_of(task[known])
        return label

    def _without_lost(self, block: Block) -> Block:
        """`block` without what a telemetry loss swallows; each `sample.lost` says how much that was."""
        if not self._losses:
            return block
        lost = inside_windows(block.t, self._losses) & ~_BY_RUNNER[block.kind]
        for index in np.flatnonzero(block.kind == Kind.SAMPLE_LOST):
            gone = int(lost[:index].sum())
            block.value[index] = self._lost + gone - self._reported
            self._reported = self._lost + gone
        self._lost += int(lost.sum())
        return block.take(~lost)
