"""The words of the orchestrator: tasks and their states, events, and what the store answers."""

from dataclasses import dataclass
from enum import StrEnum


class TaskState(StrEnum):
    """Where a task is. DONE, FAILED, BLOCKED and CANCELLED are ends; an operator may take FAILED and BLOCKED back."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"
    FAILED = "FAILED"
    BLOCKED = "BLOCKED"
    CANCELLED = "CANCELLED"


class EventType(StrEnum):
    """What the log of the store records."""

    ENQUEUED = "enqueued"
    SKIPPED = "skipped"
    DISPATCHED = "dispatched"
    CONTENDED = "contended"
    DONE = "done"
    RETRY = "retry"
    FAILED = "failed"
    DEAD_LETTERED = "dead_lettered"
    """Delivered for the last time; `failed` follows."""

    BLOCKED = "blocked"
    GUARDRAIL = "guardrail"
    """A budget was exceeded and the task went on all the same."""

    EXPIRED = "expired"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    REPLANNED = "replanned"
    RETRIED = "retried"


@dataclass(frozen=True, slots=True)
class Task:
    """A row of the queue. Times are Unix time in seconds; `attempt` counts attempts begun."""

    id: int
    key: str
    title: str
    payload: str
    state: TaskState
    attempt: int
    owner: str | None
    lease_until: float | None
    retry_not_before: float
    enqueued_at: float
    updated_at: float
    error: str
    notes: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the log. `due` is when the task may start, in events that say so: enqueued, dispatched, retry."""

    id: int
    at: float
    type: EventType
    task_id: int
    key: str
    attempt: int
    worker: str
    error: str
    due: float | None


@dataclass(frozen=True, slots=True)
class Worker:
    """A registered worker. `task_id` is the task it works on while it is busy."""

    name: str
    pid: int
    busy: bool
    task_id: int | None
    seen_at: float


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The key was accepted as a new task."""

    task_id: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """The key is active already, as the task `task_id`."""

    task_id: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """A worker got a task."""

    worker: str
    task_id: int
    attempt: int


@dataclass(frozen=True, slots=True)
class QueueStats:
    """The queue at one moment. `oldest_due_s` is the age of the oldest task that waits and is due, 0 if none does."""

    counts: dict[TaskState, int]
    due_pending: int
    oldest_due_s: float
    workers: int
    busy_workers: int
