"""What has happened in a run so far, as a target needs to know it in order to go on."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

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
        Kind.LEASE_EXPIRED,
        Kind.LEASE_CONTENDED,
        Kind.LEASE_REFUSED,
    }
)
"""The events that stand for one record each in the system's own log."""


_OUTCOMES = (Kind.TASK_RETRY, Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_BLOCKED)
"""The events by which an attempt ends."""


@dataclass(frozen=True, slots=True)
class Running:
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
    """Until when the system went on, in scenario time: nothing was observed since `until_s`. For the target to say."""

    pause_real_s: float = 0.0
    """For how long nothing went on then, in real seconds."""

    paused_real_s: float = 0.0
    """How long earlier pauses took together, in real seconds."""

    told: Counter[Kind] = field(default_factory=Counter)
    """How many of its records the system has told, by what each is told as."""

    lost: bool = False
    """Whether telemetry was lost: the stream then does not hold all that the system told."""

    submitted: set[int] = field(default_factory=set)
    offered: set[int] = field(default_factory=set)
    """Submissions of which it was told that they were offered, before any answer: second ones, and those that had to wait."""

    injected: dict[tuple[int, int], int] = field(default_factory=dict)
    """The causes of what the runner did to attempts, by task number and attempt, until the system told of their end."""

    running: dict[tuple[int, int], Running] = field(default_factory=dict)

    def observe(self, block: Block) -> None:
        """Take in a block."""
        self.until_s = self.lived_s = block.until_s
        self.paused_real_s += float(block.value[block.kind == Kind.RUN_PAUSED].sum())
        self.lost = self.lost or bool((block.kind == Kind.SAMPLE_LOST).any())
        kinds = block.kind[np.isin(block.kind, list(TOLD_BY_SYSTEM))]
        self.told.update(
            Counter({Kind(kind): count for kind, count in enumerate(np.bincount(kinds).tolist()) if count})
        )
        self.submitted.update(block.task[np.isin(block.kind, list(SUBMITTED))].tolist())
        self.offered.update(block.task[np.isin(block.kind, [Kind.TASK_DUPLICATE, Kind.TASK_DEFERRED])].tolist())
        self._note_faults(block)
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
