"""The contract between this runner and what it soaks: write one class, and it can be soaked. There are two shapes.

A `Queue` is what workers pull from. The runner brings the work, the workers (virtual ones, which poll `claim`), the watchdog's
clock (it calls `recover`) and the faults; the queue brings what is under test: idempotency, leases, retries and states.

A `System` owns its workers. The runner brings the work and the body of every task (`soak.body`), and reads what the
system says it did; dispatching, heartbeats and the watchdog are the system's own, and under test too.

The class is constructed as `Class(settings)`. All calls of a run, the construction and `close` too, come from one thread, one at
a time. Only a `Queue` that says `thread_safe = True` is called from several: up to eight workers claim at the same moment, from
threads of their own, while any other call is made. Each call has to be answered within seconds (`--patience`). An exception other
than `BusyError`, or an answer of another type, ends the run.

However a run ends, also when the runner is killed, every process that the class has started ends with it (on Linux).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

TaskId: TypeAlias = int | str

DESK = "SOAK_DESK"
"""The environment variable that names the desk's socket."""


class BusyError(Exception):
    """The queue cannot take this call now and nothing has changed: the same call is made again a little later."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What the scenario says of the queue, in real seconds: `speed` has been divided out already.

    directory: a new one, by its absolute path, for what the queue leaves behind; a queue starts empty, whatever was before.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSettings(QueueSettings):
    """What the scenario says of a system that owns its workers, in real seconds.

    desk: the absolute path of the socket that a task's body calls; `environment` is what a worker process needs to find it.
    dispatchers, intervals, claim_s (between reading the queue and claiming) and blocks (over the hard budget is BLOCKED) are
    for a system that has such a thing.
    """

    desk: Path
    dispatchers: int
    poll_interval_s: float
    watchdog_interval_s: float
    busy_timeout_s: float
    claim_s: float
    blocks: bool

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which `soak.body` finds the desk in another process."""
        return {DESK: str(self.desk)}


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
    """How many tasks are in each state; every task ever accepted counts in exactly one of them.

    oldest_s, busy_workers: for how many real seconds the oldest due PENDING task has waited, and how many workers run a task,
    where a system knows that.
    """

    pending: int = 0
    in_progress: int = 0
    done: int = 0
    failed: int = 0
    blocked: int = 0
    cancelled: int = 0
    oldest_s: float | None = field(default=None, compare=False)
    busy_workers: int | None = field(default=None, compare=False)

    @property
    def total(self) -> int:
        """All of them."""
        return self.pending + self.in_progress + self.done + self.failed + self.blocked + self.cancelled


class ChangeType(StrEnum):
    """What a system can tell of a task."""

    ENQUEUED = "enqueued"
    SKIPPED = "skipped"
    """A key was refused."""

    DISPATCHED = "dispatched"
    """A worker has it, with a lease."""

    CONTENDED = "contended"
    """Two dispatchers wanted it; this one came second."""

    EXPIRED = "expired"
    """Its lease ran out; a RETRY or FAILED follows."""

    REFUSED = "refused"
    """A worker that had lost its lease reported an end."""

    RETRY = "retry"
    """It is PENDING again."""

    DONE = "done"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a system did with a task.

    at: when, in seconds since the epoch. task_id: None for SKIPPED. attempt: which, from 1; 0 where there was none yet.
    worker: who had it, by the name that the body was given. due: of a RETRY, when it may start. error: of a failure.
    """

    type: ChangeType
    task_id: TaskId | None
    key: str
    at: float
    attempt: int = 0
    worker: str = ""
    due: float = 0.0
    error: str = ""


class Queue(Protocol):
    """What a queue has to do. Each call happens whole or not at all; any of them but `close` may raise `BusyError`.

    A class whose instances may be called from several threads at once, by any of these methods but `close`, says so with
    `thread_safe = True`; then a run and `soak target check` do that, too. `redelivery_s = 600.0` in the class says for how many
    real seconds at most the work of a dead worker may wait to be claimable again; without it the lease says so.
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
        """Let go of everything; no call follows. Called however the run ends, also when the construction took too long."""


class System(Protocol):
    """What a system that owns its workers has to do. Each call but `close` may raise `BusyError`.

    Once it is constructed it is ready to work. Its workers call `Body.run` of `soak.body` for each attempt, with the
    payload that was enqueued. Optional methods:

    - `processes() -> dict[str, int]`: the process ids of all that is alive, workers under the names that their bodies are given.
      With it workers can be crashed (SIGKILL) and made to hang (SIGSTOP, SIGCONT), and memory and open files are sampled.
    - `restart(name: str) -> None`: start a process again that was killed; without it the system has to do so by itself.
    - `files() -> list[Path]`: what its database consists of, for `db_size`.

    `redelivery_s = 600.0` in the class says for how many real seconds at most the work of a dead worker may wait to be started
    again; without it the lease says so.
    """

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """Take in a task, PENDING and due at once; Refused while `key` is PENDING, IN_PROGRESS or DONE.

        A key whose task is FAILED, BLOCKED or CANCELLED may come again: as a new task, with a new id.
        """

    def changes(self) -> list[Change]:
        """What was done since the last call, each once and in order; ENQUEUED and SKIPPED too. Never waits."""

    def snapshot(self) -> Snapshot:
        """Count the tasks by state."""

    def stop(self) -> None:
        """Take on nothing more: no body starts after this; those that run lose their line to the runner and need not be
        waited for. Nothing but `changes`, `snapshot` and `close` is called after it.
        """

    def close(self) -> None:
        """Let go of everything; no call follows. Called however the run ends, also without `stop` before, or when the
        construction took too long.
        """


QUEUE_METHODS = ("enqueue", "claim", "heartbeat", "complete", "fail", "block", "recover", "snapshot", "close")
"""What a class has to have that is a `Queue`."""

SYSTEM_METHODS = ("enqueue", "changes", "snapshot", "stop", "close")
"""What a class has to have that is a `System`."""
