"""Rows of all processes as blocks of events, complete up to the time until which each of them has told everything."""

import math
from collections.abc import Iterable

import numpy as np

from soak.runner.load.rows import ERRORS, WIDTH, What, unpack
from soak.schemas.stream.block import Block, Floats, Ints, make_block, quantise, tick
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import SPECS, Kind, Value
from soak.simulation.plan import Plan

_T, _WHAT, _NUMBER, _A, _B, _C, _WORKER = range(WIDTH + 1)
LOST = "load_worker_lost"
"""The cause of a task whose end is not known, since the process that sent its request was lost."""

_KINDS = np.array(
    [
        [Kind.TASK_ENQUEUED, Kind.TASK_DISPATCHED],
        [Kind.RESPONSE_RECEIVED, Kind.TASK_DONE],
        [Kind.SAMPLE_LOAD_CPU, -1],
        [Kind.SAMPLE_LOAD_LAG, -1],
        [Kind.TASK_CANCELLED, -1],
    ]
)
"""By `What`: the events that a row stands for."""
_VALUED = kind_flags(*(kind for kind in _KINDS.ravel() if kind >= 0 and SPECS[Kind(kind)].value is not Value.NONE))
_LABEL_TOLD = kind_flags(*(kind for kind in _KINDS.ravel() if kind >= 0 and SPECS[Kind(kind)].uses("label")))


class Merged:
    """Rows of several processes on their way to blocks. A process that is `gone` keeps nothing back any more."""

    def __init__(self, plan: Plan, workers: Iterable[int]) -> None:
        self._plan = plan
        self.cause = np.array([plan.vocabulary.cause("", str(error)) if error else 0 for error in ERRORS])
        self._lost_cause = plan.vocabulary.cause("", LOST)
        self._until_s = dict.fromkeys(workers, 0.0)
        self._waiting = _none()
        self._given_s = 0.0

    @property
    def safe_s(self) -> float:
        """Up to when no event can come any more; never less than what was given out."""
        return max(self._given_s, tick(min(self._until_s.values(), default=math.inf)))

    def add(self, worker: int, until_s: float, packed: bytes) -> Floats:
        """What a process told, complete up to `until_s`; returns its rows."""
        rows = unpack(packed)
        if worker in self._until_s:
            self._until_s[worker] = max(self._until_s[worker], until_s)
            named = np.column_stack([rows, np.full(len(rows), float(worker))])
            self._waiting = np.concatenate([self._waiting, named])
        return rows

    def gone(self, worker: int, open_tasks: Iterable[int]) -> float:
        """A process will tell nothing any more, not how its `open_tasks` ended either; returns until when it did."""
        until_s = self._until_s.pop(worker)
        lost = [(until_s, What.CANCELLED, number, 0.0, 0.0, 0.0, worker) for number in open_tasks]
        self._waiting = np.concatenate([self._waiting, np.array(lost).reshape(-1, WIDTH + 1)])
        return until_s

    def take(self, until_s: float) -> Block:
        """The block of all events up to `until_s`, which is `safe_s` or earlier."""
        rows = self._waiting
        now = quantise(rows[:, _T]) <= until_s
        self._waiting = rows[~now]
        self._given_s = max(self._given_s, until_s)
        rows = rows[now]
        return self._block(rows[np.argsort(quantise(rows[:, _T]), kind="stable")], until_s)

    def _block(self, rows: Floats, until_s: float) -> Block:
        what = rows[:, _WHAT].astype(np.int64)
        silent = (what == What.ENDED) & (rows[:, _A] == 0)
        kinds = _KINDS[what]
        kinds[:, 0][silent] = -1
        failed = (what == What.ENDED) & (rows[:, _C] > 0)
        kinds[:, 1][failed] = Kind.TASK_FAILED
        source, place = np.nonzero(kinds >= 0)
        kind, row, number = kinds[source, place], rows[source], rows[source, _NUMBER].astype(np.int64)
        of_task = number >= 0
        cause = np.where(kind == Kind.TASK_FAILED, self.cause[row[:, _C].astype(np.int64)], 0)
        cause[kind == Kind.TASK_CANCELLED] = self._lost_cause
        return make_block(
            row[:, _T],
            kind,
            until_s=until_s,
            task=number,
            attempt=of_task,
            worker=np.where(of_task, -1, row[:, _WORKER]),
            cause=cause,
            label=self._labels(kind, number),
            value=np.where(_VALUED[kind], row[:, _A], np.nan),
        )

    def _labels(self, kind: Ints, number: Ints) -> Ints:
        label = np.full(len(kind), -1)
        told = _LABEL_TOLD[kind] & (number >= 0)
        if self._plan.vocabulary.labels:
            label[told] = self._plan.labels_of(number[told])
        return label


def _none() -> Floats:
    return np.empty((0, WIDTH + 1))
