"""What the faults of a queue do to an attempt at a task."""

from enum import IntEnum

from soak.schemas.systems.queue.faults import QueueFault


class Action(IntEnum):
    """What a fault does to an attempt."""

    NONE = 0
    TRANSIENT = 1
    PERMANENT = 2
    DB_LOCK = 3
    OVER_BUDGET = 4
    CRASH = 5
    HANG = 6
    SLOW = 7
    TIME_LIMIT = 8


ACTIONS: dict[str, Action] = {
    QueueFault.TRANSIENT_ERROR: Action.TRANSIENT,
    QueueFault.PERMANENT_ERROR: Action.PERMANENT,
    QueueFault.DB_LOCK: Action.DB_LOCK,
    QueueFault.GUARDRAIL_EXCEED: Action.OVER_BUDGET,
    QueueFault.WORKER_CRASH: Action.CRASH,
    QueueFault.WORKER_HANG: Action.HANG,
    QueueFault.SLOW_TASK: Action.SLOW,
}
"""The faults that an attempt can meet."""


BODY_FAILS = frozenset({Action.TRANSIENT, Action.PERMANENT, Action.OVER_BUDGET, Action.TIME_LIMIT})
"""What the body of a task itself does not survive: its execution ends with the fault as its cause."""

LOSES_LEASE = frozenset({Action.CRASH, Action.HANG})
"""What keeps a worker from renewing its lease."""

SHOWS_BY_RESULT = frozenset({Action.TRANSIENT, Action.PERMANENT, Action.DB_LOCK})
"""What is seen by what becomes of the task."""
