"""The states of a task and the transitions between them that are legal."""

from enum import IntEnum


class TaskState(IntEnum):
    """State of a task. NONE: not seen yet; DEFERRED: offered, but not accepted by the system yet."""

    NONE = 0
    DEFERRED = 1
    PENDING = 2
    IN_PROGRESS = 3
    DONE = 4
    FAILED = 5
    BLOCKED = 6
    CANCELLED = 7
    LOST = 8
    """Acknowledged when it was handed out to a worker that died: nobody has it any more."""


OPEN = frozenset({TaskState.PENDING, TaskState.IN_PROGRESS})
"""States of accepted work that is not finished."""

ACTIVE = frozenset({TaskState.PENDING, TaskState.IN_PROGRESS, TaskState.DONE})
"""States in which a key refuses a second enqueue."""

ACCEPTED = tuple(state for state in TaskState if state >= TaskState.PENDING)
"""States of accepted work; their sum is the number of accepted tasks."""

# FAILED, BLOCKED and CANCELLED lead back to PENDING by an operator's retry or replan.
LEGAL = frozenset(
    {
        (TaskState.NONE, TaskState.DEFERRED),
        (TaskState.NONE, TaskState.PENDING),
        (TaskState.DEFERRED, TaskState.PENDING),
        (TaskState.PENDING, TaskState.IN_PROGRESS),
        (TaskState.PENDING, TaskState.CANCELLED),
        (TaskState.IN_PROGRESS, TaskState.PENDING),
        (TaskState.IN_PROGRESS, TaskState.DONE),
        (TaskState.IN_PROGRESS, TaskState.FAILED),
        (TaskState.IN_PROGRESS, TaskState.BLOCKED),
        (TaskState.IN_PROGRESS, TaskState.CANCELLED),
        (TaskState.IN_PROGRESS, TaskState.LOST),
        (TaskState.FAILED, TaskState.PENDING),
        (TaskState.BLOCKED, TaskState.PENDING),
        (TaskState.BLOCKED, TaskState.CANCELLED),
        (TaskState.CANCELLED, TaskState.PENDING),
    }
)
"""Every legal (before, after)."""
