"""Planted defects, to see that a soak finds them. One at a time, chosen by an environment variable; off by default."""

import os
from enum import StrEnum

VARIABLE = "ORCHESTRATOR_DEFECT"


class Defect(StrEnum):
    """What can be wrong with the orchestrator on demand."""

    CLAIM_NOT_ATOMIC = "claim_not_atomic"
    BACKOFF_IGNORED = "backoff_ignored"
    LEASE_NEVER_EXPIRES = "lease_never_expires"
    OWNER_NOT_CHECKED = "owner_not_checked"
    IDEMPOTENCY_OFF = "idempotency_off"
    IDEMPOTENCY_DONE_ONLY = "idempotency_done_only"
    GUARDRAIL_IGNORED = "guardrail_ignored"
    RETRIES_WITHOUT_END = "retries_without_end"
    TASK_LOST_ON_CRASH = "task_lost_on_crash"
    FAILURE_RECORDED_AS_DONE = "failure_recorded_as_done"
    TRANSACTION_HELD = "transaction_held"
    CONNECTION_LEAK = "connection_leak"
    MEMORY_LEAK = "memory_leak"
    SLOW_CLAIM = "slow_claim"
    TELEMETRY_DROPPED = "telemetry_dropped"
    WATCHDOG_ASLEEP = "watchdog_asleep"


class UnknownDefectError(Exception):
    """The environment asks for a defect that there is not."""


def active(*defects: Defect) -> bool:
    """Whether the planted defect is one of these."""
    return bool(name := os.environ.get(VARIABLE)) and name in defects


def check() -> None:
    """Raise UnknownDefectError if the environment names a defect that there is not."""
    name = os.environ.get(VARIABLE)
    if name and name not in set(Defect):
        raise UnknownDefectError(f"{VARIABLE}={name}: no such defect; there are {', '.join(Defect)}")
