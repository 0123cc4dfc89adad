"""What can go wrong with a task orchestrator."""

from enum import StrEnum

from soak.schemas.language.faults import FaultSpec, fault_table
from soak.schemas.stream.events import Kind


class QueueFault(StrEnum):
    """What goes wrong."""

    TRANSIENT_ERROR = "transient_error"
    PERMANENT_ERROR = "permanent_error"
    DB_LOCK = "db_lock"
    DUPLICATE_ENQUEUE = "duplicate_enqueue"
    GUARDRAIL_EXCEED = "guardrail_exceed"
    WORKER_CRASH = "worker_crash"
    WORKER_HANG = "worker_hang"
    DB_OUTAGE = "db_outage"
    DISK_FULL = "disk_full"
    DISPATCHER_CRASH = "dispatcher_crash"
    WATCHDOG_CRASH = "watchdog_crash"
    SLOW_TASK = "slow_task"
    SLOW_WORKER = "slow_worker"
    WORKER_RESTART = "worker_restart"
    ROLLING_RESTART = "rolling_restart"
    WORKER_KILL = "worker_kill"
    WORKER_TERM = "worker_term"
    SERVICE_KILL = "service_kill"
    SERVICE_RESTART = "service_restart"
    SERVICE_HANG = "service_hang"
    DATABASE_FAILOVER = "database_failover"
    CONNECTIONS_KILL = "connections_kill"
    NETWORK_CUT = "network_cut"
    NETWORK_DELAY = "network_delay"
    CLOCK_JUMP = "clock_jump"


ENDS_A_SERVICE = (QueueFault.SERVICE_KILL, QueueFault.SERVICE_RESTART, QueueFault.DATABASE_FAILOVER)
"""Faults by which a service ends."""
SHOW_AT_ONCE = frozenset({QueueFault.CONNECTIONS_KILL, QueueFault.CLOCK_JUMP})
"""What a model has none of: such a fault changes nothing in a simulation, and is seen at once."""
OF_SERVICES = frozenset(
    {
        *ENDS_A_SERVICE,
        QueueFault.SERVICE_HANG,
        QueueFault.CONNECTIONS_KILL,
        QueueFault.NETWORK_CUT,
        QueueFault.NETWORK_DELAY,
        QueueFault.DISK_FULL,
        QueueFault.CLOCK_JUMP,
    }
)
"""Faults of what a task system stands on."""
COUNTED = (OF_SERVICES - {QueueFault.CLOCK_JUMP, QueueFault.DISK_FULL}) | {
    QueueFault.WORKER_KILL,
    QueueFault.WORKER_TERM,
    QueueFault.WORKER_HANG,
}
"""Faults that may take place a number of times."""

_FAILED = (Kind.TASK_RETRY, Kind.TASK_FAILED)
_SEEN, _EXITED = (Kind.FAULT_SEEN,), (Kind.PROCESS_EXITED,)
_ATTEMPTS, _TASKS = "attempts", "tasks"

FAULTS = fault_table(
    (
        FaultSpec(QueueFault.TRANSIENT_ERROR, _FAILED, _ATTEMPTS, transient=True),
        FaultSpec(QueueFault.PERMANENT_ERROR, (Kind.TASK_FAILED,), _ATTEMPTS),
        FaultSpec(QueueFault.DB_LOCK, _FAILED, _ATTEMPTS, transient=True),
        FaultSpec(QueueFault.DUPLICATE_ENQUEUE, (Kind.TASK_SKIPPED, Kind.TASK_ENQUEUED), _TASKS, resubmits=True),
        FaultSpec(QueueFault.GUARDRAIL_EXCEED, (Kind.EXECUTION_ENDED,), _TASKS),
        FaultSpec(QueueFault.WORKER_CRASH, (Kind.LEASE_EXPIRED, Kind.TASK_LOST, *_SEEN), _ATTEMPTS, dies=True),
        # What kills a worker that hangs keeps it from being seen to go on.
        FaultSpec(QueueFault.WORKER_HANG, _SEEN, _ATTEMPTS, need_not_show=True),
        FaultSpec(QueueFault.DB_OUTAGE, _SEEN, outage=True),
        FaultSpec(QueueFault.DISK_FULL, _SEEN, outage=True, resumable=False),
        FaultSpec(QueueFault.DISPATCHER_CRASH, _EXITED, process="dispatcher0"),
        FaultSpec(QueueFault.WATCHDOG_CRASH, _EXITED, process="watchdog"),
        # One whose worker dies is not seen to end.
        FaultSpec(QueueFault.SLOW_TASK, _SEEN, _ATTEMPTS, need_not_show=True),
        FaultSpec(QueueFault.SLOW_WORKER, _SEEN),
        FaultSpec(QueueFault.WORKER_RESTART, _EXITED),
        FaultSpec(QueueFault.ROLLING_RESTART, _EXITED),
        FaultSpec(QueueFault.WORKER_KILL, _EXITED, dies=True),
        FaultSpec(QueueFault.WORKER_TERM, _EXITED),
        *(FaultSpec(each, _EXITED, outage=True) for each in ENDS_A_SERVICE),
        *(FaultSpec(each, _SEEN, outage=True) for each in (QueueFault.SERVICE_HANG, QueueFault.NETWORK_CUT)),
        *(
            FaultSpec(each, _SEEN)
            for each in (QueueFault.CONNECTIONS_KILL, QueueFault.NETWORK_DELAY, QueueFault.CLOCK_JUMP)
        ),
    )
)

OUTAGES = tuple(type_ for type_, spec in FAULTS.items() if spec.outage)
"""Faults during which no state can change."""
