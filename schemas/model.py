"""The typed scenario: what a scenario file says, in base units, frozen."""

import math
from dataclasses import dataclass
from enum import StrEnum

from schemas.calls import Calls
from schemas.distributions import Distribution
from schemas.expression import Op, Selector
from schemas.outlets import Export, Notify
from schemas.slis import Sli


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open stretch of scenario time, in seconds."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Recurrence:
    """From `at_s` for `for_s`, and again every `every_s` (0: once)."""

    at_s: float
    for_s: float
    every_s: float = 0.0

    def windows(self, until_s: float) -> tuple[Window, ...]:
        """Every occurrence that starts before `until_s`."""
        count = 1 if not self.every_s else max(0, math.ceil((until_s - self.at_s) / self.every_s))
        starts = (self.at_s + index * self.every_s for index in range(count))
        return tuple(Window(start, start + self.for_s) for start in starts if start < until_s)


class Process(StrEnum):
    """How arrivals are spaced."""

    POISSON = "poisson"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class Burst:
    """During the first `for_s` of every `every_s` the arrival rate is `rate_per_s`."""

    every_s: float
    for_s: float
    rate_per_s: float


@dataclass(frozen=True, slots=True)
class Tenant:
    """A sender of work and its share of the arrivals."""

    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Workload:
    """The offered work: `tasks` of them (None: for as long as the run goes on), each attempt in its `service` time."""

    process: Process
    rate_per_s: float
    burst: Burst | None
    service: Distribution
    tenants: tuple[Tenant, ...]
    tasks: int | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """A named part of the run."""

    name: str
    window: Window


class GuardrailMode(StrEnum):
    """What happens to a task over its hard budget."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class Queue:
    """The task orchestrator; times in seconds."""

    workers: int
    dispatchers: int
    poll_interval_s: float
    claim_time_s: float
    watchdog_interval_s: float
    worker_restart_s: float
    busy_timeout_s: float
    lease_s: float
    heartbeat_s: float
    max_attempts: int
    backoff_s: tuple[float, ...]
    soft_tokens: int
    hard_tokens: int
    guardrail_mode: GuardrailMode

    def backoff_after(self, attempt: int) -> float:
        """Least time in seconds between the end of attempt `attempt` (from 1) and the next; the last value repeats."""
        return self.backoff_s[min(attempt, len(self.backoff_s)) - 1]


class FaultType(StrEnum):
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
"""Faults of the system `calls` that strike single calls; `disk_full` strikes the whole database in a queue."""

SYSTEM_FAULTS: dict[str, frozenset[FaultType]] = {
    "queue": frozenset(FaultType) - OF_CALLS - {FaultType.DEPENDENCY_CRASH} | {FaultType.DISK_FULL},
    "calls": OF_CALLS | {FaultType.DEPENDENCY_CRASH, FaultType.TELEMETRY_LOSS},
}
"""What can go wrong with each system."""

PER_TASK = frozenset({FaultType.DUPLICATE_ENQUEUE, FaultType.GUARDRAIL_EXCEED})
"""Faults whose rate counts tasks; the other rates count attempts."""

PROCESS_CRASHES = frozenset({FaultType.DISPATCHER_CRASH, FaultType.WATCHDOG_CRASH})
"""Faults that take one of the system's own processes away for a time."""

OUTAGES = frozenset({FaultType.DB_OUTAGE, FaultType.DISK_FULL})
"""Faults in which no state can change."""

BY_TIME = frozenset({*OUTAGES, FaultType.TELEMETRY_LOSS, *PROCESS_CRASHES, FaultType.DEPENDENCY_CRASH})
"""Faults that have no rate, only times (of the system `calls`, a full disk has one)."""

TRANSIENT = frozenset({FaultType.TRANSIENT_ERROR, FaultType.DB_LOCK})
"""Faults after which an attempt may be made again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: by rate, by time (`windows`), or by rate within its windows."""

    name: str
    type: FaultType
    rate: float
    windows: tuple[Window, ...]
    errors: tuple[str, ...]
    hang_for_s: float
    delay: Distribution
    dependency: str = ""
    """Of the system `calls`: what it strikes."""
    retry_after_s: float = 0.0

    @property
    def by_time(self) -> bool:
        """Whether it strikes the system at set times, and not single attempts."""
        return (self.type in BY_TIME and not self.dependency) or self.type is FaultType.DEPENDENCY_CRASH


@dataclass(frozen=True, slots=True)
class Reference:
    """A target that is `factor` times the same SLI under `selector`."""

    factor: float
    selector: Selector


@dataclass(frozen=True, slots=True)
class Comparison:
    """`sli{selector} op target`: the heart of an objective and of a condition; `target` in base units."""

    text: str
    sli: Sli
    selector: Selector
    op: Op
    target: float | Reference


@dataclass(frozen=True, slots=True)
class Objective:
    """What must hold at the end; `note`: where its target comes from."""

    comparison: Comparison
    min_samples: int
    confidence: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """What is watched while the run goes on; `window_s` None: the run so far."""

    name: str
    comparison: Comparison
    window_s: float | None
    for_s: float
    min_samples: int


class Severity(StrEnum):
    """How bad an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an alert itself has to do."""

    of: str | None
    fires_within_s: float | None
    resolves_within_s: float | None
    max_flaps: int | None


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition that fires and resolves."""

    condition: Condition
    severity: Severity
    keep_firing_for_s: float
    expect: Expectation | None


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What the run observes about itself, in seconds."""

    sample_interval_s: float
    max_gap_s: float
    max_lag_s: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario, checked."""

    name: str
    title: str
    description: str
    system: str
    duration_s: float
    drain_s: float
    warmup_s: float
    seed: int
    timezone: str
    preflight: tuple[str, ...]
    notify: tuple[Notify, ...]
    exports: tuple[Export, ...]
    workload: Workload
    phases: tuple[Phase, ...]
    system_settings: Queue | Calls
    faults: tuple[Fault, ...]
    slis: dict[str, Sli]
    objectives: tuple[Objective, ...]
    alerts: tuple[Alert, ...]
    aborts: tuple[Condition, ...]
    telemetry: Telemetry
    checkpoint_every_s: float
    repeat: int = 1

    @property
    def queue(self) -> Queue:
        """The task orchestrator; only of a scenario of the system `queue`."""
        assert isinstance(self.system_settings, Queue)
        return self.system_settings

    @property
    def calls(self) -> Calls:
        """The client and what it calls; only of a scenario of the system `calls`."""
        assert isinstance(self.system_settings, Calls)
        return self.system_settings

    @property
    def horizon_s(self) -> float:
        """The latest time at which the run may still go on."""
        return self.duration_s + self.drain_s
