"""What a model records, turned into blocks of events.

The hot path records one row for events that belong together; the rows become events a block at a time.
"""

from enum import IntEnum

import numpy as np

from soak.schemas.language.faults import TELEMETRY_LOSS
from soak.schemas.stream.block import Block, Floats, Ints, quantise
from soak.schemas.stream.by_kind import flags_by_kind
from soak.schemas.stream.events import Kind, Value
from soak.simulation.plan import Plan, inside_windows

WIDTH = 7
_T, _KIND, _TASK, _VALUE = 0, 1, 2, 6


class RowKind(IntEnum):
    """Rows that stand for several events; other rows carry the `Kind` of their one event.

    BEGIN: an attempt begins. RUN: an attempt begins, and ends well at the time that `value` gives. END: its end alone.
    """

    BEGIN = len(Kind)
    RUN = len(Kind) + 1
    END = len(Kind) + 2


_BEGINS = (Kind.TASK_DISPATCHED, Kind.EXECUTION_STARTED)
_ENDS = (Kind.EXECUTION_ENDED, Kind.TASK_DONE)
_EXPANSION: dict[int, tuple[Kind, ...]] = {
    **{kind: (kind,) for kind in Kind},
    RowKind.BEGIN: _BEGINS,
    RowKind.RUN: (*_BEGINS, *_ENDS),
    RowKind.END: _ENDS,
}
_LENGTH = np.array([len(_EXPANSION[row]) for row in range(len(_EXPANSION))])
_FIRST = np.concatenate([[0], np.cumsum(_LENGTH)[:-1]])
_KINDS = np.array([kind for row in range(len(_EXPANSION)) for kind in _EXPANSION[row]])
_IS_END = np.arange(len(_KINDS)) >= _FIRST[RowKind.RUN] + len(_BEGINS)
"""Of what rows expand to, the events that come when the attempt ends."""

_VALUED = flags_by_kind(lambda kind, spec: spec.value is not Value.NONE)
_LABEL_TOLD = flags_by_kind(lambda kind, spec: spec.uses("label"))
_STRETCH = flags_by_kind(lambda kind, spec: spec.uses("label") and not (spec.uses("task") or spec.uses("key")))
"""By kind: whether an event stands for several records; the task of its row only says which label they have."""
_BY_RUNNER = flags_by_kind(lambda kind, spec: spec.by_runner or kind is Kind.FAULT_INJECTED)


class Recorder:
    """Collects rows and hands them out as blocks.

    `row` takes (t, kind or RowKind, task, attempt, worker, cause, value): -1 for no task or worker, 0 for no attempt or cause;
    the value of a kind without one is ignored. Rows come in time order.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._rows: list[float] = []
        self.row = self._rows.extend
        self._to_come = np.empty((0, WIDTH))
        self._running = np.empty((0, WIDTH))
        losses = [fault for fault in plan.scenario.faults if fault.type == TELEMETRY_LOSS]
        self._losses = tuple(window for fault in losses for window in fault.windows)
        self._lost = 0
        self._reported = 0

    def enqueue(self, due_s: Floats, number: Ints) -> None:
        """Record tasks that are enqueued the moment they are due (ascending)."""
        rows = np.zeros((len(due_s), WIDTH))
        rows[:, _T] = rows[:, _VALUE] = due_s
        rows[:, _KIND], rows[:, _TASK], rows[:, 4] = Kind.TASK_ENQUEUED, number, -1
        self._to_come = np.concatenate([self._to_come, rows])

    def cut_short(self, task: int, attempt: int) -> None:
        """What was recorded of the end of an attempt that began with RUN does not come about."""
        rows = self._rows
        for place in range(len(rows) - WIDTH, -1, -WIDTH):
            if rows[place + _KIND] == RowKind.RUN and rows[place + _TASK : place + _TASK + 2] == [task, attempt]:
                rows[place + _KIND] = RowKind.BEGIN
                return
        ends = (self._running[:, _TASK] == task) & (self._running[:, _TASK + 1] == attempt)
        self._running = self._running[~ends]

    def take(self, until_s: float) -> Block:
        """The block of everything since the last one: work enqueued by `until_s`, attempts that ended before."""
        recorded = np.fromiter(self._rows, np.float64, len(self._rows)).reshape(-1, WIDTH)
        self._rows.clear()
        come = int(np.searchsorted(self._to_come[:, _T], until_s, side="right"))
        rows = np.concatenate([self._to_come[:come], self._running, recorded])
        self._to_come = self._to_come[come:]
        return self._without_lost(self._block(rows, until_s))

    def _block(self, rows: Floats, until_s: float) -> Block:
        """The events of rows; attempts that end at `until_s` or later are left for the next block."""
        row = rows[:, _KIND].astype(np.int64)
        length = _LENGTH[row]
        source = np.repeat(np.arange(len(row)), length)
        place = np.arange(len(source)) + np.repeat(_FIRST[row] - np.cumsum(length) + length, length)
        t, is_end = rows[source, _T], _IS_END[place]
        t[is_end] = rows[source[is_end], _VALUE]
        later = is_end & (t >= until_s)
        self._running = rows[np.unique(source[later])]
        self._running[:, _KIND] = RowKind.END
        # Among events at the same time the order is that of their rows: an attempt's end stands with its beginning.
        order = np.argsort(quantise(t), kind="stable")
        order = order[~later[order]] if later.any() else order
        return self._columns(rows, source[order], place[order], t[order], until_s)

    def _columns(self, rows: Floats, source: Ints, place: Ints, t: Floats, until_s: float) -> Block:
        kind = _KINDS[place]
        task, attempt, worker, cause = (column.astype(np.int64)[source] for column in rows[:, _TASK:_VALUE].T)
        value = np.where(_VALUED[kind], rows[source, _VALUE], np.nan)
        is_end = _IS_END[place]
        value[is_end] -= rows[source[is_end], _T]
        label = self._labels(kind, task)
        return Block(
            t=quantise(t),
            kind=kind,
            task=np.where(stretch, -1, task) if (stretch := _STRETCH[kind]).any() else task,
            attempt=attempt,
            worker=worker,
            cause=cause,
            label=label,
            value=quantise(value),
            until_s=until_s,
        )

    def _labels(self, kind: Ints, task: Ints) -> Ints:
        label = np.full(len(kind), -1)
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
