"""The contract between this runner and a queue that workers pull from: write one class, `Queue`, and it can be soaked.

The runner brings the work, the workers (virtual ones, which poll `claim`), the watchdog's clock (it calls `recover`) and the
faults; the queue brings what is under test: idempotency, leases, retries and states. Systems of the other shape, which own
their workers and call the body of a task that we give them, are driven as in `runner/targets/orchestrator/`.

The class is constructed as `Class(settings)`. All calls of a run, the construction and `close` too, come from one thread, one at
a time; each has to be answered within seconds. An exception other than `BusyError`, or an answer of another type, ends the run.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

TaskId: TypeAlias = int | str


class BusyError(Exception):
    """The queue cannot take this call now and nothing has changed: the same call is made again a little later."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What the scenario says of the queue, in real seconds: `speed` has been divided out already.

    directory: a new one, for what the queue leaves behind; a queue starts empty, whatever was before.
    backoff_s: least wait after attempt 1, 2, …; the last value repeats. soft_tokens, hard_tokens: the budget of a task, for
    a queue that shows it; whether a task is over it is found by the worker. workers: how many poll. speed: for information.
    """

    directory: Path
    lease_s: float
    heartbeat_s: float
    backoff_s: tuple[float, ...]
    max_attempts: int
    soft_tokens: int
    hard_tokens: int
    workers: int
    speed: float

    def backoff_after(self, attempt: int) -> float:
        """Least time in seconds between the failure of attempt `attempt` (from 1) and the next attempt."""
        return self.backoff_s[min(attempt, len(self.backoff_s)) - 1]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The queue has a new PENDING task, with an id that no task had before."""

    task_id: TaskId


@dataclass(frozen=True, slots=True)
class Refused:
    """The call changed nothing: the key is taken, or the lease is lost."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on a task. `attempt` counts from 1; `receipt` is the queue's own, and handed back with the claim."""

    task_id: TaskId
    key: str
    payload: str
    attempt: int
    worker: str
    receipt: object = None


@dataclass(frozen=True, slots=True)
class Retry:
    """The task is PENDING again and can be claimed in `in_s` real seconds."""

    in_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The task is FAILED for good."""


@dataclass(frozen=True, slots=True)
class Expired:
    """A lease that ran out: of which attempt, and what became of its task."""

    task_id: TaskId
    attempt: int
    outcome: Retry | Failed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How many tasks are in each state; every task ever accepted counts in exactly one of them."""

    pending: int = 0
    in_progress: int = 0
    done: int = 0
    failed: int = 0
    blocked: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.pending + self.in_progress + self.done + self.failed + self.blocked + self.cancelled


class Queue(Protocol):
    """What a queue has to do. Each call happens whole or not at all; any of them but `close` may raise `BusyError`.

    A class whose instances may be called from several threads at once says so with `thread_safe = True`; then
    `soak target check` tries that too.
    """

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """Take in a task, PENDING and due at once; Refused while `key` is PENDING, IN_PROGRESS or DONE.

        A key whose task is FAILED, BLOCKED or CANCELLED may come again: as a new task, with a new id.
        """

    def claim(self, worker: str) -> Claim | None:
        """Give the oldest due PENDING task to `worker`, with a lease from now; None when none is due. Never waits.

        No two claims get the same attempt of a task. A task that backs off is not due, and holds up no other.
        """

    def heartbeat(self, claim: Claim) -> bool:
        """Let the lease run `lease_s` from now; False when it is lost.

        A lease is lost once `recover` told that it expired; a queue may refuse its holder as soon as it has run out.
        """

    def complete(self, claim: Claim) -> bool:
        """The task is DONE; False, and nothing changes, when the lease is lost or the attempt has ended."""

    def fail(self, claim: Claim, error: str, *, transient: bool) -> Retry | Failed | Refused:
        """The attempt failed: Refused when the lease is lost or the attempt has ended.

        A transient error puts the task back, not to be claimed before its backoff is over, and fails it at
        `max_attempts`; any other fails it at once.
        """

    def block(self, claim: Claim, error: str) -> bool:
        """The task is BLOCKED: over its hard budget, not handed out again; False as in `complete`."""

    def recover(self) -> list[Expired]:
        """A tick of the watchdog: what was found expired since the last call, each lease once.

        The attempt counts: the task is PENDING and due at once, or FAILED at `max_attempts`. A queue with a watchdog of
        its own tells here what that found, and hands no such task out before it has told.
        """

    def snapshot(self) -> Snapshot:
        """Count the tasks by state."""

    def close(self) -> None:
        """Let go of everything; no call follows. Called however the run ends."""


METHODS = ("enqueue", "claim", "heartbeat", "complete", "fail", "block", "recover", "snapshot", "close")
"""What a class has to have."""
