"""What a task system can promise: for target files, and for what of a scenario applies to their systems."""

from enum import StrEnum


class Promise(StrEnum):
    """What a task system promises, by its word in a target file. What nobody promises is not demanded."""

    AT_LEAST_ONCE = "at_least_once"
    """Every accepted task is executed to its end, also when workers die."""

    EXACTLY_ONCE_EFFECT = "exactly_once_effect"
    """The same, and no task is executed again once it was DONE."""

    EXCLUSIVE = "exclusive"
    """No task is started while another execution of it runs."""

    IDEMPOTENT_KEYS = "idempotent_keys"
    """A key that was submitted is refused when it comes again."""

    RETRIES = "retries"
    """An attempt that fails with a transient error is made again, up to the attempts of the scenario."""

    CRASHES_COUNT = "crashes_count"
    """An attempt whose worker dies is one of them: after the last one, the task has failed. Otherwise it is not counted."""

    BACKOFF = "backoff"
    """It waits in between as the scenario says."""

    PERMANENT_ERRORS = "permanent_errors"
    """An attempt that fails permanently is not made again."""

    REDELIVERY = "redelivery"
    """Work of a dead worker is started again within a time."""

    LEASES = "leases"
    HEARTBEATS = "heartbeats"
    GUARDRAIL = "guardrail"
    PRIORITIES = "priorities"
    ORDER = "order"
