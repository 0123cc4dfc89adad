"""Fault types of each system, and the faults of a scenario."""

from dataclasses import dataclass
from enum import StrEnum

from soak.schemas.language.distributions import Distribution
from soak.schemas.language.windows import Window


class FaultType(StrEnum):
    """The type of a fault."""

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
    TELEMETRY_LOSS = "telemetry_loss"
    CONNECTION_ERROR = "connection_error"
    CONNECTION_RESET = "connection_reset"
    TIMEOUT = "timeout"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    QUEUE_FULL = "queue_full"
    WORKER_DOWN = "worker_down"
    POOL_EXHAUSTED = "pool_exhausted"
    PERMISSION_DENIED = "permission_denied"
    DELAY = "delay"
    DEPENDENCY_CRASH = "dependency_crash"
    BAD_RELEASE = "bad_release"


OF_CALLS = frozenset(
    {
        FaultType.CONNECTION_ERROR,
        FaultType.CONNECTION_RESET,
        FaultType.TIMEOUT,
        FaultType.SERVER_ERROR,
        FaultType.RATE_LIMITED,
        FaultType.QUEUE_FULL,
        FaultType.WORKER_DOWN,
        FaultType.POOL_EXHAUSTED,
        FaultType.DISK_FULL,
        FaultType.PERMISSION_DENIED,
        FaultType.DELAY,
        FaultType.BAD_RELEASE,
    }
)
"""Faults of the system `calls` that affect single calls; in a queue, `disk_full` affects the whole database."""

SYSTEM_FAULTS: dict[str, frozenset[FaultType]] = {
    "queue": frozenset(FaultType) - OF_CALLS - {FaultType.DEPENDENCY_CRASH} | {FaultType.DISK_FULL},
    "calls": OF_CALLS | {FaultType.DEPENDENCY_CRASH, FaultType.TELEMETRY_LOSS},
}
"""The fault types of each system."""

PER_TASK = frozenset({FaultType.DUPLICATE_ENQUEUE, FaultType.GUARDRAIL_EXCEED})
"""Faults whose rate counts tasks; the other rates count attempts."""

PROCESS_CRASHES = {FaultType.DISPATCHER_CRASH: "dispatcher0", FaultType.WATCHDOG_CRASH: "watchdog"}
"""Faults that take down one of the system's processes for a time, and which."""

OUTAGES = frozenset({FaultType.DB_OUTAGE, FaultType.DISK_FULL})
"""Faults during which no state can change."""

BY_TIME = frozenset({*OUTAGES, FaultType.TELEMETRY_LOSS, *PROCESS_CRASHES, FaultType.DEPENDENCY_CRASH})
"""Faults with a schedule only, no rate (in the system `calls`, a full disk has one)."""

TRANSIENT = frozenset({FaultType.TRANSIENT_ERROR, FaultType.DB_LOCK})
"""Faults after which an attempt may be retried."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: by rate, scheduled (`windows`), or by rate within its windows."""

    name: str
    type: FaultType
    rate: float
    windows: tuple[Window, ...]
    errors: tuple[str, ...]
    hang_for_s: float
    delay: Distribution
    dependency: str = ""
    """In the system `calls`: the dependency affected."""
    retry_after_s: float = 0.0

    @property
    def by_time(self) -> bool:
        """Whether it affects the system at scheduled times, not single attempts."""
        return self.type in BY_TIME and not (self.dependency and self.type in OF_CALLS)
