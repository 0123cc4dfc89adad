"""What a model records, turned into blocks of events.

The hot path records one row for events that always come together; the rows become events a block at a time.
"""

from enum import IntEnum

import numpy as np

from schemas.block import TICKS_PER_S, Block, Floats, Ints, quantise
from schemas.events import SPECS, Kind, Value
from schemas.model import FaultType
from simulation.plan import Plan, inside_windows

WIDTH = 7


class Row(IntEnum):
    """Rows that stand for several events at the same time; other rows carry the `Kind` of their one event."""

    BEGIN = len(Kind)
    END_OK = len(Kind) + 1


_EXPANSION: dict[int, tuple[Kind, ...]] = {
    **{kind: (kind,) for kind in Kind},
    Row.BEGIN: (Kind.TASK_DISPATCHED, Kind.EXECUTION_STARTED),
    Row.END_OK: (Kind.EXECUTION_ENDED, Kind.TASK_DONE),
}
_LENGTH = np.array([len(_EXPANSION[row]) for row in range(len(_EXPANSION))])
_FIRST = np.concatenate([[0], np.cumsum(_LENGTH)[:-1]])
_KINDS = np.array([kind for row in range(len(_EXPANSION)) for kind in _EXPANSION[row]])


_VALUED = np.array([SPECS[kind].value is not Value.NONE for kind in Kind])
_TENANT_TOLD = np.array([SPECS[kind].uses("tenant") for kind in Kind])
_BY_RUNNER = np.array([SPECS[kind].by_runner or kind is Kind.FAULT_INJECTED for kind in Kind])


class Recorder:
    """Collects rows and hands them out as blocks.

    `row` takes (t, kind or Row, task, attempt, worker, cause, value): -1 for no task or worker, 0 for no attempt or cause;
    the value of a kind that has none is passed over.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._rows: list[float] = []
        self.row = self._rows.extend
        losses = [fault for fault in plan.scenario.faults if fault.type is FaultType.TELEMETRY_LOSS]
        self._losses = tuple(window for fault in losses for window in fault.windows)
        self._lost = 0
        self._told = 0

    def take(self, until_s: float) -> Block:
        """The block of everything recorded since the last one; the stream is complete up to `until_s`."""
        table = np.array(self._rows, dtype=np.float64).reshape(-1, WIDTH)
        self._rows.clear()
        return self._without_lost(self._events(table, until_s))

    def _events(self, table: Floats, until_s: float) -> Block:
        row = table[:, 1].astype(np.int64)
        source = np.repeat(np.arange(len(row)), _LENGTH[row])
        starts = np.cumsum(_LENGTH[row]) - _LENGTH[row]
        kind = _KINDS[_FIRST[row][source] + np.arange(len(source)) - starts[source]]
        wide = table[source]
        assert not len(wide) or np.diff(wide[:, 0]).min(initial=0.0) > -1 / TICKS_PER_S, (
            "a row was recorded out of time"
        )
        task, attempt, worker, cause = wide[:, 2:6].T.astype(np.int64)
        return Block(
            # A poll's time is computed, not stepped: it may stray from the clock by less than the resolution.
            t=np.maximum.accumulate(quantise(wide[:, 0])) if len(wide) else wide[:, 0],
            kind=kind,
            task=task,
            attempt=attempt,
            worker=worker,
            cause=cause,
            tenant=self._tenants(kind, task),
            value=quantise(np.where(_VALUED[kind], wide[:, 6], np.nan)),
            until_s=until_s,
        )

    def _tenants(self, kind: Ints, task: Ints) -> Ints:
        tenant = np.full(len(kind), -1)
        if self._plan.scenario.workload.tenants:
            told = _TENANT_TOLD[kind]
            tenant[told] = self._plan.tenants_of(task[told])
        return tenant

    def _without_lost(self, block: Block) -> Block:
        """`block` without what a telemetry loss swallows; each `sample.lost` says how much that was."""
        if not self._losses:
            return block
        lost = inside_windows(block.t, self._losses) & ~_BY_RUNNER[block.kind]
        for index in np.flatnonzero(block.kind == Kind.SAMPLE_LOST):
            gone = int(lost[:index].sum())
            block.value[index] = self._lost + gone - self._told
            self._told = self._lost + gone
        self._lost += int(lost.sum())
        return block.take(~lost)
