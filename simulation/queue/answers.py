"""What the compiled queue asks of Python: submissions and draws, names, and scheduled faults.

All of it comes from the same objects as in `QueueModel`, at the same moments. Nothing here knows the model: a reference to it
would be a cycle, and garbage is not collected during a simulation.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.stream.events import Kind, worker_name
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.faults import ENDS_A_SERVICE, OUTAGES, SHOW_AT_ONCE
from soak.schemas.systems.queue.settings import Queue, queue_of
from soak.simulation.compiled.calls import Memory
from soak.simulation.plan import Plan
from soak.simulation.queue import kernel_types as c
from soak.simulation.queue.contention import Contention
from soak.simulation.queue.lease import windows_of
from soak.simulation.queue.mishaps import outage_cause
from soak.simulation.queue.waits import waits_of
from soak.simulation.recorder import Recorder
from soak.simulation.streams import BLOCK

FAILED = -1
"""What an answer says that failed."""


class Answers:
    """What the kernel asks for; `error`: what went wrong in an answer, to be raised when the kernel has returned."""

    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        self._plan, self._recorder, self._queue = plan, recorder, queue_of(plan.scenario)
        self._outages = bool(windows_of(plan.scenario, *OUTAGES))
        self._contention = Contention(self._queue, plan.seed)
        self._chunks = plan.submissions()
        by_kind = self._queue.by_kind if plan.kinds and self._queue.differs_by_kind else ()
        self.rules: tuple[Queue, ...] = by_kind or (self._queue,)
        """What holds for tasks: by kind, or for all."""
        self._wait_s = waits_of(self._rules_of, plan)
        self._outage_faults = [fault for fault in plan.scenario.faults if fault.spec.outage]
        self.happenings = [
            (fault, at_s, ends)
            for fault in plan.scenario.faults
            for window in (fault.windows if fault.by_time else ())
            for at_s, ends in ((window.start_s, False), (window.end_s, True))
        ]
        """Scheduled faults: each with when it begins or ends, and which of the two."""
        self.memory = Memory()
        self.error: BaseException | None = None

    def asked(self) -> c.Callbacks:
        """The functions that the kernel calls."""

        def guarded(kind: Any, function: Callable[..., float], failed: float = FAILED) -> Any:
            return kind(partial(self._guarded, function, failed))

        return c.Callbacks(
            chunk=guarded(c.CHUNK, self._chunk),
            fates=guarded(c.FATES, self._fates),
            rivals=guarded(c.RIVALS, self._rivals),
            kinds=guarded(c.KINDS, self._kinds),
            wait_s=guarded(c.WAIT, self._wait_s, math.nan),
            worker_name=guarded(c.NAME, self._worker_name, math.nan),
            outage_cause=guarded(c.OUTAGE_CAUSE, self._outage_cause),
            happen=guarded(c.HAPPEN, self._happen),
        )

    def _guarded(self, function: Callable[..., float], failed: float, *words: Any) -> float:
        """What a function gives; an error has to wait for the kernel."""
        try:
            return function(*words)
        except BaseException as error:
            self.error = error
            return failed

    def _rules_of(self, number: int) -> Queue:
        kinds = self._plan.kinds
        return self.rules[kinds.one(number)] if kinds and len(self.rules) > 1 else self.rules[0]

    def _chunk(self, due: Any, number: Any, cause: Any, count: Any) -> int:
        chunk = next(self._chunks, None)
        if chunk is None:
            return 0
        if not self._outages:
            first = chunk.cause == NO_CAUSE
            self._recorder.enqueue(chunk.due_s[first], chunk.number[first])
        due[0] = self.memory.floats("due", chunk.due_s)
        number[0], cause[0] = self.memory.ints("number", chunk.number), self.memory.ints("cause", chunk.cause)
        count[0] = len(chunk)
        return 1

    def _fates(self, slot: int, block: int, attempt: int, copy: int, fates: Any) -> int:
        fill = fates[0]
        if (attempt > 1 or copy) and self._plan.fates.are_plain:
            fill.service_s = self.memory.floats((slot, "service"), self._plan.fates.service_s(block, attempt, copy))
            fill.cause = fill.windowed = None
            return 1
        drawn = self._plan.fates.block(block, attempt, copy)
        fill.service_s = self.memory.floats((slot, "service"), drawn.service_s)
        fill.cause, fill.within = (
            self.memory.array((slot, "cause"), drawn.cause, np.int16),
            self.memory.floats((slot, "within"), drawn.within),
        )
        if not drawn.windowed:
            fill.windowed = None
            return 1
        places = np.concatenate([each.places for each in drawn.windowed])
        order = np.argsort(places, kind="stable")
        ends = np.cumsum(np.bincount(places, minlength=BLOCK))
        faults = np.repeat([each.order for each in drawn.windowed], [len(each.places) for each in drawn.windowed])
        causes = np.concatenate([each.cause for each in drawn.windowed])
        withins = np.concatenate([each.within for each in drawn.windowed])
        fill.windowed = self.memory.ints((slot, "windowed"), np.concatenate([[0], ends]))
        fill.windowed_fault = self.memory.ints((slot, "fault"), faults[order])
        fill.windowed_cause = self.memory.ints((slot, "causes"), causes[order])
        fill.windowed_within = self.memory.floats((slot, "withins"), withins[order])
        return 1

    def _rivals(self, slot: int, block: int, attempt: int, count: Any) -> int:
        count[0] = self.memory.ints((slot, "rivals"), self._contention.of_block(block, attempt))
        return 1

    def _kinds(self, slot: int, block: int, kind: Any) -> int:
        assert self._plan.kinds
        kind[0] = self.memory.ints((slot, "kinds"), self._plan.kinds.of_block(block))
        return 1

    def _worker_name(self, worker: int) -> float:
        return self._plan.vocabulary.name(worker_name(worker))

    def _outage_cause(self, start_s: float, end_s: float) -> int:
        return outage_cause(self._plan, self._outage_faults, start_s, end_s)

    def _happen(self, what: int, now: float, rows: Any, reopens: Any) -> int:
        fault, _, ends = self.happenings[what]
        told = self._ended(fault) if ends else self._started(fault)
        assert len(told) <= c.MOST_TOLD
        numbers = [number for kind, cause, value in told for number in (now, kind, -1, 0, -1, cause, value)]
        for place, number in enumerate(numbers):
            rows[place] = number
        reopens[0] = ends and fault.type != TELEMETRY_LOSS and not fault.spec.process
        return len(told)

    def _started(self, fault: Fault) -> list[tuple[Kind, int, float]]:
        """What is recorded when a scheduled fault begins: kind, cause and value."""
        plan, cause = self._plan, self._plan.cause_of(fault)
        told: list[tuple[Kind, int, float]] = [(Kind.FAULT_INJECTED, cause, 0.0)]
        if fault.spec.process:
            told.append((Kind.PROCESS_EXITED, cause, plan.process_of(fault)))
        elif fault.type in ENDS_A_SERVICE:
            told.append((Kind.PROCESS_EXITED, cause, plan.vocabulary.name(fault.dependency)))
        elif fault.type in SHOW_AT_ONCE:
            told.append((Kind.FAULT_SEEN, cause, 0.0))
        return told

    def _ended(self, fault: Fault) -> list[tuple[Kind, int, float]]:
        plan, cause = self._plan, self._plan.cause_of(fault)
        told: list[tuple[Kind, int, float]] = [(Kind.FAULT_CLEARED, cause, 0.0)]
        if fault.type in ENDS_A_SERVICE:
            told.append((Kind.PROCESS_STARTED, NO_CAUSE, plan.vocabulary.name(fault.dependency)))
        if fault.type == TELEMETRY_LOSS:
            told.append((Kind.SAMPLE_LOST, cause, 0.0))
        elif fault.spec.process:
            told.append((Kind.PROCESS_STARTED, NO_CAUSE, plan.process_of(fault)))
        return told
