"""The contract between the runner and the system under test: write one class to attach a system. There are two kinds.

A `Queue` is what workers pull from. The runner provides the load, the workers (virtual ones, which poll `claim`), the watchdog's
timer (it calls `recover`) and the faults; the queue under test provides idempotency, leases, retries and states.

A `System` owns its workers. The runner provides the load and the body of every task (`soak.body`), and reads what the
the system reports; dispatching, heartbeats and the watchdog belong to the system and are tested, too.

The class is constructed as `Class(settings)`. All calls of a run, including the constructor and `close`, come from one
thread, one at a time. Only a `Queue` that declares `thread_safe = True` is called from several: up to eight workers claim
at the same moment, from separate threads, together with any other call. Each call must return within seconds
(`--patience`). An exception other than `BusyError`, or an answer of another type, ends the run.

However a run ends, even if the runner is killed, every process started by the class ends with it (on Linux).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

TaskId: TypeAlias = int | str

DESK = "SOAK_DESK"
"""The environment variable with the path of the runner's socket for task bodies (`desk`)."""


class BusyError(Exception):
    """The queue cannot serve this call now, and nothing has changed: the call is retried a little later."""


@dataclass(frozen=True, slots=True)
class KindSettings:
    """What holds for a kind of work, in real seconds. Of a higher `priority` tasks go first; `queue`: that of its tasks.

    For the others see `QueueSettings`.
    """

    priority: int
    max_attempts: int
    backoff_s: tuple[float, ...]
    hard_tokens: int
    queue: str = ""
    jitter: float = 0.0
    decorrelated: bool = False
    backoff_max_s: float = math.inf


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """The scenario's queue settings, in real seconds: already divided by `speed`.

    directory: absolute path of a new directory for the queue's files; a queue starts empty, whatever existed before.
    heartbeat_s: infinite if nothing renews a lease: it is a visibility timeout, and a `Queue` gets no heartbeats.
    backoff_s: wait after attempt 1, 2, …; the last value repeats. soft_tokens, hard_tokens: the budget of a task, for
    information; the worker detects that a task is over it. workers: number of polling workers. speed: for information.
    jitter: up to this share of a wait may be left out at random (1: full jitter, 0.5: equal); decorrelated: it may be
    anything from the first one to three times the wait before, at most backoff_max_s. Who draws nothing waits long enough.
    ack_early: a task is acknowledged when it is handed out, and has no lease: only for classes with `acks_early = True`.
    max_deliveries: a task that would get one more attempt is dead-lettered, that is FAILED; max_attempts is no more. None: never.
    kinds: by kind of work, the `kind` in the JSON object that a payload is. queues: the names of the workers of each queue, which
    take its tasks only; without any, every worker takes all. rates: by queue with a limit, dispatches a second, and how many
    at once after a pause.
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
    jitter: float = 0.0
    decorrelated: bool = False
    backoff_max_s: float = math.inf
    ack_early: bool = False
    max_deliveries: int | None = None
    kinds: Mapping[str, KindSettings] = field(default_factory=dict)
    queues: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rates: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def backoff_after(self, attempt: int) -> float:
        """The time in seconds between the failure of attempt `attempt` (from 1) and the next attempt, without jitter."""
        return self.backoff_s[min(attempt, len(self.backoff_s)) - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSettings(QueueSettings):
    """The scenario's settings for a system that owns its workers, in real seconds.

    desk: absolute path of the runner's socket for task bodies; a worker process needs `environment` to find it.
    dispatchers, intervals, claim_s (between reading the queue and claiming) and blocks (over the hard budget is BLOCKED)
    apply to systems with these features.
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
        """The environment variables with which `soak.body` finds the runner's socket in another process."""
        return {DESK: str(self.desk)}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The queue has a new PENDING task, with a new id."""

    task_id: TaskId


@dataclass(frozen=True, slots=True)
class Refused:
    """The call changed nothing: the key is taken, or the lease is lost."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's claim on a task. `attempt` counts from 1; `receipt` is internal to the queue and passed back with the claim."""

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
    """The task is FAILED; dead_lettered: since it was delivered `max_deliveries` times."""

    dead_lettered: bool = False


@dataclass(frozen=True, slots=True)
class Expired:
    """An expired lease: its attempt, and the outcome for its task."""

    task_id: TaskId
    attempt: int
    outcome: Retry | Failed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How many tasks are in each state; every task ever accepted counts in exactly one of them.

    oldest_s, busy_workers: real seconds that the oldest due PENDING task has waited, and number of busy workers,
    if the system knows them.
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
        """Number of tasks."""
        return self.pending + self.in_progress + self.done + self.failed + self.blocked + self.cancelled


class ChangeType(StrEnum):
    """Types of changes that a system reports."""

    ENQUEUED = "enqueued"
    SKIPPED = "skipped"
    """A key was refused."""

    DISPATCHED = "dispatched"
    """A worker has it, with a lease."""

    CONTENDED = "contended"
    """Two dispatchers competed for it; this one lost."""

    EXPIRED = "expired"
    """Its lease expired; a RETRY or FAILED follows."""

    REFUSED = "refused"
    """A worker that had lost its lease reported an end."""

    RETRY = "retry"
    """It is PENDING again."""

    DEAD_LETTERED = "dead_lettered"
    """It was delivered `max_deliveries` times; a FAILED follows."""

    DONE = "done"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a task.

    at: when, in seconds since the epoch. task_id: None for SKIPPED. attempt: from 1; 0 if there was none yet.
    worker: its name, as passed to the body. due: of a RETRY, when it may start. error: of a failure.
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
    """The interface of a queue. Each call is atomic; any of them except `close` may raise `BusyError`.

    A class whose methods, except `close`, may be called from several threads at once declares `thread_safe = True`; runs and
    `soak target check` then do so. `redelivery_s = 600.0` in the class declares the maximum real seconds until the work of a
    dead worker can be claimed again; by default it is derived from the lease. `takes = ("priority", "retry", "queues",
    "rate_limit")` declares what of `settings.kinds`, `queues` and `rates` it heeds; scenarios that ask for more are refused.
    `promises = ("at_least_once", "retries", …)` declares what it promises, in the words of target files: nothing else is then
    demanded, and checks of the rest are skipped; by default it promises everything.
    `acks_early = True` declares that it can forget a task when it is claimed (`ack_early`): then `snapshot` does not count what
    a dead worker held, and `recover` finds nothing.
    """

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """Accept a task, PENDING and due at once; Refused while `key` is PENDING, IN_PROGRESS or DONE.

        A key whose task is FAILED, BLOCKED or CANCELLED is accepted again: as a new task, with a new id.
        """

    def claim(self, worker: str) -> Claim | None:
        """Give the oldest due PENDING task to `worker`, with a lease from now; None when none is due. Never blocks.

        No two claims get the same attempt of a task. A task in backoff is not due, and does not block others.
        """

    def heartbeat(self, claim: Claim) -> bool:
        """Renew the lease for `lease_s` from now; False when it is lost.

        A lease is lost once `recover` has reported it expired; a queue may refuse its holder as soon as it has expired.
        """

    def complete(self, claim: Claim) -> bool:
        """The task is DONE; False without any change when the lease is lost or the attempt has ended."""

    def fail(self, claim: Claim, error: str, *, transient: bool) -> Retry | Failed | Refused:
        """The attempt failed: Refused when the lease is lost or the attempt has ended.

        A transient error makes the task PENDING again after its backoff, or FAILED at `max_attempts`; any other error
        makes it FAILED at once.
        """

    def block(self, claim: Claim, error: str) -> bool:
        """The task is BLOCKED: over its hard budget, not dispatched again; False as in `complete`."""

    def recover(self) -> list[Expired]:
        """A tick of the watchdog: leases found expired since the last call, each once.

        The attempt counts: the task is PENDING and due at once, or FAILED at `max_attempts`. A queue with its own watchdog
        reports here what that found, and does not dispatch such a task before reporting it.
        """

    def snapshot(self) -> Snapshot:
        """Count the tasks by state."""

    def close(self) -> None:
        """Release all resources; no call follows. Called however the run ends, even if the constructor timed out."""


class System(Protocol):
    """The interface of a system that owns its workers. Each call except `close` may raise `BusyError`.

    Once constructed it is ready to work. Its workers call `Body.run` of `soak.body` for each attempt, with the
    payload. Optional methods:

    - `processes() -> dict[str, int]`: ids of all running processes, workers under the names they pass to their bodies.
      With it workers can be crashed (SIGKILL) and made to hang (SIGSTOP, SIGCONT), and memory and open files are sampled.
    - `restart(name: str) -> None`: restart a killed process; without it the system must do so itself.
    - `files() -> list[Path]`: the files of its database, for `db_size`.

    `promises = ("at_least_once", "retries", …)` in the class declares what it promises, in the words of target files: nothing
    else is then demanded, and checks of the rest are skipped; by default it promises everything.
    `redelivery_s = 600.0` in the class declares the maximum real seconds until the work of a dead worker is started again; by
    default it is derived from the lease. `takes` declares what of kinds of work it heeds, as in `Queue`; also "hard_tokens".
    `acks_early = True` declares that it can acknowledge a task when it is handed out (`ack_early`): then nobody has the task
    of a dead worker, and `snapshot` does not count it.
    """

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """Accept a task, PENDING and due at once; Refused while `key` is PENDING, IN_PROGRESS or DONE.

        A key whose task is FAILED, BLOCKED or CANCELLED is accepted again: as a new task, with a new id.
        """

    def changes(self) -> list[Change]:
        """Changes since the last call, each once and in order, including ENQUEUED and SKIPPED. Never blocks."""

    def snapshot(self) -> Snapshot:
        """Count the tasks by state."""

    def stop(self) -> None:
        """Stop: no body starts after this; running bodies lose their connection to the runner and need not be
        waited for. Nothing but `changes`, `snapshot` and `close` is called after it.
        """

    def close(self) -> None:
        """Release all resources; no call follows. Called however the run ends, even without `stop` before, or if the
        constructor timed out.
        """


QUEUE_METHODS = ("enqueue", "claim", "heartbeat", "complete", "fail", "block", "recover", "snapshot", "close")
"""Methods that a `Queue` must have."""

SYSTEM_METHODS = ("enqueue", "changes", "snapshot", "stop", "close")
"""Methods that a `System` must have."""
