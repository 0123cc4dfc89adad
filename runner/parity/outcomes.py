"""What became of every task of a run, by task number."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from runner.judge.kinds import kind_flags
from runner.judge.rows import NEW_STATES
from schemas.block import Block, Bools, Floats, Ints
from schemas.events import COPY, KEY_SHIFT, Kind
from schemas.states import ACCEPTED, TaskState
from simulation.plan import Plan

_RESULTS = kind_flags(Kind.TASK_DONE, Kind.TASK_FAILED)
_CHANGES = NEW_STATES > TaskState.NONE


def most_tasks(plan: Plan) -> int:
    """A number above every task number that the plan can have: arrivals are Poisson at most, and this is ten sigma."""
    expected = float(plan.rate.expected(np.array([plan.scenario.duration_s]))[0])
    return math.ceil(expected + 10 * math.sqrt(expected) + 100) << KEY_SHIFT


def task_name(number: int) -> str:
    """A task number as it stands in the stream."""
    return f"{number >> KEY_SHIFT}{'.2' if number & COPY else ''}"


class Outcomes:
    """The last state of every task, how often it was tried, when it was due and when it last ended DONE or FAILED."""

    def __init__(self, size: int) -> None:
        self.states = np.zeros(size, dtype=np.uint8)
        self.attempts = np.zeros(size, dtype=np.uint32)
        self.due_s = np.full(size, np.nan)
        self._result_s = np.full(size, np.nan)
        self.events = 0

    def __len__(self) -> int:
        return len(self.states)

    def observe(self, block: Block) -> None:
        """Take in a block. Raises IndexError for a task that is above `size`."""
        self.events += len(block)
        # Where a task stands several times, the last assignment is the one that stays.
        self._put(self.states, block, _CHANGES[block.kind], NEW_STATES[block.kind])
        self._put(self.due_s, block, block.kind == Kind.TASK_ENQUEUED, block.value)
        self._put(self._result_s, block, _RESULTS[block.kind], block.t)
        np.add.at(self.attempts, block.task[block.kind == Kind.TASK_DISPATCHED], 1)

    def _put(self, column: npt.NDArray[Any], block: Block, rows: Bools, values: Floats | Ints) -> None:
        column[block.task[rows]] = values[rows]

    @property
    def accepted(self) -> Bools:
        """By task: whether the system took it in."""
        return np.isin(self.states, ACCEPTED)

    @property
    def latency_s(self) -> Floats:
        """By task: the time from due to the DONE or FAILED it ended with; NaN for one that did not end so."""
        ended = np.isin(self.states, (TaskState.DONE, TaskState.FAILED))
        result: Floats = np.where(ended, self._result_s - self.due_s, np.nan)
        return result
