"""The events of a run so far, as a target needs them to resume."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind

SUBMITTED = frozenset({Kind.TASK_ENQUEUED, Kind.TASK_SKIPPED})
"""What a submission comes to."""

TOLD_BY_SYSTEM = frozenset(
    {
        *SUBMITTED,
        Kind.TASK_DISPATCHED,
        Kind.TASK_RETRY,
        Kind.TASK_DONE,
        Kind.TASK_FAILED,
        Kind.TASK_BLOCKED,
        Kind.TASK_CANCELLED,
        Kind.TASK_DEAD_LETTERED,
        Kind.LEASE_EXPIRED,
        Kind.LEASE_CONTENDED,
        Kind.LEASE_REFUSED,
    }
)
"""The events that stand for one record each in the system's own log."""


_OUTCOMES = (Kind.TASK_RETRY, Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_BLOCKED)
"""The events by which an attempt ends."""


_CLOSING = (Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_BLOCKED, Kind.TASK_CANCELLED)


class Running(Struct, frozen=True):
    """An execution that had started and not ended."""

    number: int
    attempt: int
    worker: int
    started_s: float


@dataclass(slots=True)
class History:
    """A fold over the stream so far, up to `until_s`."""

    until_s: float = 0.0
    lived_s: float = 0.0
    """Until when the system ran, in scenario time: unobserved since `until_s`. Set by the target."""

    pause_real_s: float = 0.0
    """How long the run was then paused, in real seconds."""

    paused_real_s: float = 0.0
    """Sum of earlier pauses, in real seconds."""

    recorded: Counter[Kind] = field(default_factory=Counter)
    """Number of records reported by the system, by kind of event."""

    lost: bool = False
    """Whether telemetry was lost: the stream is then incomplete."""

    submitted: set[int] = field(default_factory=set)
    offered: set[int] = field(default_factory=set)
    """Submissions recorded as offered before any answer: duplicates, and deferred ones."""

    injected: dict[tuple[int, int], int] = field(default_factory=dict)
    """The causes of what the runner did to attempts, by task number and attempt, until the system reported their end."""

    running: dict[tuple[int, int], Running] = field(default_factory=dict)

    closed_s: dict[int, float] | None = None
    """Where users wait for their tasks: when each task first ended."""

    def observe(self, block: Block) -> None:
        """Process a block."""
        self.until_s = self.lived_s = block.until_s
        self.paused_real_s += float(block.value[block.kind == Kind.RUN_PAUSED].sum())
        self.lost = self.lost or bool((block.kind == Kind.SAMPLE_LOST).any())
        kinds = block.kind[np.isin(block.kind, list(TOLD_BY_SYSTEM))]
        self.recorded.update(
            Counter({Kind(kind): count for kind, count in enumerate(np.bincount(kinds).tolist()) if count})
        )
        self.submitted.update(block.task[np.isin(block.kind, list(SUBMITTED))].tolist())
        self.offered.update(block.task[np.isin(block.kind, [Kind.TASK_DUPLICATE, Kind.TASK_DEFERRED])].tolist())
        self._note_faults(block)
        if self.closed_s is not None:
            for index in np.flatnonzero(np.isin(block.kind, _CLOSING)).tolist():
                self.closed_s.setdefault(int(block.task[index]), float(block.t[index]))
        for index in np.flatnonzero(np.isin(block.kind, [Kind.EXECUTION_STARTED, Kind.EXECUTION_ENDED])).tolist():
            key = int(block.task[index]), int(block.attempt[index])
            if block.kind[index] == Kind.EXECUTION_STARTED:
                self.running[key] = Running(*key, int(block.worker[index]), float(block.t[index]))
            else:
                self.running.pop(key, None)

    def _note_faults(self, block: Block) -> None:
        for index in np.flatnonzero(np.isin(block.kind, [Kind.FAULT_INJECTED, *_OUTCOMES])).tolist():
            key = int(block.task[index]), int(block.attempt[index])
            if block.kind[index] != Kind.FAULT_INJECTED:
                self.injected.pop(key, None)
            elif key[0] >= 0:
                self.injected[key] = int(block.cause[index])
