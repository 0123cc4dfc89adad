"""What can go wrong with the dependencies of a client, and with its calls to them."""

from enum import StrEnum

from soak.schemas.language.faults import FaultSpec, fault_table
from soak.schemas.stream.events import Kind


class CallFault(StrEnum):
    """What goes wrong."""

    CONNECTION_ERROR = "connection_error"
    CONNECTION_RESET = "connection_reset"
    TIMEOUT = "timeout"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    QUEUE_FULL = "queue_full"
    WORKER_DOWN = "worker_down"
    POOL_EXHAUSTED = "pool_exhausted"
    DISK_FULL = "disk_full"
    PERMISSION_DENIED = "permission_denied"
    DELAY = "delay"
    DEPENDENCY_CRASH = "dependency_crash"
    BAD_RELEASE = "bad_release"


_ANSWERED_LATE = frozenset(
    {
        CallFault.CONNECTION_RESET,
        CallFault.SERVER_ERROR,
        CallFault.DISK_FULL,
        CallFault.PERMISSION_DENIED,
        CallFault.DELAY,
        CallFault.BAD_RELEASE,
    }
)
"""Faults that take time to show: a client that gives up before sees a timeout of its own."""

_ENDED_BY = {CallFault.BAD_RELEASE: (Kind.FAULT_CLEARED, Kind.RELEASE_ROLLED_BACK)}


def _of_calls(fault: CallFault, seen_by: Kind = Kind.CALL_FAILED) -> FaultSpec:
    ended_by = _ENDED_BY.get(fault, (Kind.FAULT_CLEARED,))
    return FaultSpec(fault, (seen_by,), "calls", always=True, ended_by=ended_by, need_not_show=fault in _ANSWERED_LATE)


FAULTS = fault_table(
    (
        *(_of_calls(each) for each in CallFault if each not in {CallFault.DELAY, CallFault.DEPENDENCY_CRASH}),
        _of_calls(CallFault.DELAY, Kind.FAULT_SEEN),
        FaultSpec(CallFault.DEPENDENCY_CRASH, (Kind.PROCESS_EXITED,), detected_by=(Kind.CALL_FAILED, Kind.FAULT_SEEN)),
    )
)

STRIKES_CALLS = frozenset(type_ for type_, spec in FAULTS.items() if not spec.by_time)
"""Faults that strike single calls."""
