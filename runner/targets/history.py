"""What has happened in a run so far, as a target needs to know it in order to go on."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from schemas.block import Block
from schemas.events import Kind

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


@dataclass(frozen=True, slots=True)
class Running:
    """An execution that had started and not ended."""

    number: int
    attempt: int
    worker: int
    started_s: float


@dataclass(slots=True)
class History:
    """A fold over the stream so far; `gap_real_s` is for how long the runner was gone, in real seconds."""

    until_s: float = 0.0
    gap_real_s: float = 0.0
    told: Counter[Kind] = field(default_factory=Counter)
    """How many of its records the system has told, by what each is told as."""

    lost: bool = False
    """Whether telemetry was lost: the stream then does not hold all that the system told."""

    submitted: set[int] = field(default_factory=set)
    duplicated: set[int] = field(default_factory=set)
    running: dict[tuple[int, int], Running] = field(default_factory=dict)

    def observe(self, block: Block) -> None:
        """Take in a block."""
        self.until_s = block.until_s
        self.lost = self.lost or bool((block.kind == Kind.SAMPLE_LOST).any())
        kinds = block.kind[np.isin(block.kind, list(TOLD_BY_SYSTEM))]
        self.told.update(
            Counter({Kind(kind): count for kind, count in enumerate(np.bincount(kinds).tolist()) if count})
        )
        self.submitted.update(block.task[np.isin(block.kind, list(SUBMITTED))].tolist())
        self.duplicated.update(block.task[block.kind == Kind.TASK_DUPLICATE].tolist())
        for index in np.flatnonzero(np.isin(block.kind, [Kind.EXECUTION_STARTED, Kind.EXECUTION_ENDED])).tolist():
            key = int(block.task[index]), int(block.attempt[index])
            if block.kind[index] == Kind.EXECUTION_STARTED:
                self.running[key] = Running(*key, int(block.worker[index]), float(block.t[index]))
            else:
                self.running.pop(key, None)
