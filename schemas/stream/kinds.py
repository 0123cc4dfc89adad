"""The kinds of events, and how a kind is described."""

from enum import Enum, IntEnum, auto, unique

from msgspec import Struct


class Value(Enum):
    """Meaning of the `value` column of a kind."""

    NONE = auto()
    SECONDS = auto()
    NUMBER = auto()
    NAME = auto()
    """An index into the names of a stream's vocabulary."""


@unique
class Kind(IntEnum):
    """The kinds of events, in the order of their codes (codes live in memory only)."""

    RUN_STARTED = 0
    RUN_ENDED = auto()
    RUN_ABORTED = auto()
    RUN_INTERRUPTED = auto()
    RUN_PAUSED = auto()
    RUN_RESUMED = auto()
    TASK_DEFERRED = auto()
    TASK_ENQUEUED = auto()
    TASK_DUPLICATE = auto()
    TASK_SKIPPED = auto()
    TASK_DISPATCHED = auto()
    TASK_RETRY = auto()
    TASK_DONE = auto()
    TASK_FAILED = auto()
    TASK_BLOCKED = auto()
    TASK_CANCELLED = auto()
    EXECUTION_STARTED = auto()
    EXECUTION_ENDED = auto()
    LEASE_EXPIRED = auto()
    LEASE_CONTENDED = auto()
    LEASE_REFUSED = auto()
    FAULT_INJECTED = auto()
    FAULT_SEEN = auto()
    FAULT_CLEARED = auto()
    PROCESS_EXITED = auto()
    PROCESS_STARTED = auto()
    SAMPLE_QUEUE_DEPTH = auto()
    SAMPLE_OLDEST_PENDING = auto()
    SAMPLE_BUSY_WORKERS = auto()
    SAMPLE_RSS = auto()
    SAMPLE_OPEN_FILES = auto()
    SAMPLE_DB_SIZE = auto()
    SAMPLE_CPU = auto()
    SAMPLE_THREADS = auto()
    SAMPLE_RUNNER_RSS = auto()
    SAMPLE_RUNNER_OPEN_FILES = auto()
    SAMPLE_LOST = auto()
    CENSUS_PENDING = auto()
    CENSUS_IN_PROGRESS = auto()
    CENSUS_DONE = auto()
    CENSUS_FAILED = auto()
    CENSUS_BLOCKED = auto()
    CENSUS_CANCELLED = auto()
    ALERT_FIRED = auto()
    ALERT_RESOLVED = auto()
    RUN_REPEATED = auto()
    TASK_DEGRADED = auto()
    CALL_STARTED = auto()
    CALL_SUCCEEDED = auto()
    CALL_FAILED = auto()
    CALL_REJECTED = auto()
    CIRCUIT_OPENED = auto()
    CIRCUIT_HALF_OPENED = auto()
    CIRCUIT_CLOSED = auto()
    RELEASE_DEPLOYED = auto()
    RELEASE_ROLLED_BACK = auto()
    UPDATE_LOST = auto()
    SAMPLE_IN_FLIGHT = auto()
    SAMPLE_MEMORY = auto()
    SAMPLE_MEMORY_HELD = auto()
    RUN_DECIDED = auto()
    TASK_LOST = auto()
    TASK_DEAD_LETTERED = auto()
    PROCESS_HEALTHY = auto()
    PROCESS_OUTPUT = auto()
    PROCESS_ABANDONED = auto()
    PROCESS_ORPHANED = auto()
    PROBE_GREEN = auto()
    PROBE_FAILED = auto()
    SHUTDOWN_STARTED = auto()
    RECORDS_SENT = auto()
    RECORDS_TAKEN = auto()
    RECORDS_STORED = auto()
    RECORDS_DROPPED = auto()
    RECORDS_MISSED = auto()
    RECORDS_LOST = auto()
    RECORDS_DUPLICATED = auto()
    RECORDS_PHANTOM = auto()
    ORDERS_PLACED = auto()
    ORDERS_DUPLICATED = auto()
    STREAM_RECONNECTED = auto()
    STREAM_TIMED_OUT = auto()
    EXPORT_MADE = auto()
    EXPORT_FAILED = auto()
    MINUTE_TOTAL = auto()
    MINUTE_STRONG = auto()
    MINUTE_LOW_CONSISTENCY = auto()
    SINK_TOTAL = auto()
    SINK_CONFIRM = auto()
    SINK_STRONG = auto()
    REPORTED_ALERT_FIRED = auto()
    REPORTED_ALERT_RESOLVED = auto()
    REPORTED_RESTARTS = auto()
    SAMPLE_BACKLOG = auto()
    SAMPLE_FRESHNESS = auto()
    SAMPLE_PROCESS_RSS = auto()
    SAMPLE_PROCESS_OPEN_FILES = auto()
    SAMPLE_PROCESS_CPU = auto()
    SAMPLE_SOURCE_LAG = auto()
    REPORTED_PROCESS_RSS = auto()
    LOG_LOST = auto()
    SAMPLE_LOG_SIZE = auto()
    SINK_EXPECTED = auto()
    REPORTED_RECONNECTS = auto()
    REPORTED_STREAM_TIMEOUTS = auto()
    REPORTED_EXPORTS = auto()
    PROBE_DISPUTED = auto()
    LEDGER_UNREAD = auto()
    CHECK_VALUE = auto()
    CHECK_NEGATIVE = auto()
    CHECK_DONE = auto()
    CHECK_FAILED = auto()
    CHECKS_BEGAN = auto()
    TEARDOWN_DONE = auto()
    TEARDOWN_FAILED = auto()
    RESPONSE_RECEIVED = auto()
    LOAD_WORKER_JOINED = auto()
    LOAD_WORKER_LOST = auto()
    SAMPLE_LOAD_CPU = auto()
    SAMPLE_LOAD_LAG = auto()
    SAMPLE_OUTBOX = auto()
    SAMPLE_IN_SERVICE = auto()
    SAMPLE_BROKER_RSS = auto()
    SAMPLE_CLOCK = auto()
    RUN_MARKED = auto()
    RUN_STOP_REQUESTED = auto()
    # For the events of systems of other packages.
    OWN_1 = auto()
    OWN_2 = auto()
    OWN_3 = auto()
    OWN_4 = auto()
    OWN_5 = auto()
    OWN_6 = auto()
    OWN_7 = auto()
    OWN_8 = auto()
    OWN_9 = auto()
    OWN_10 = auto()
    OWN_11 = auto()
    OWN_12 = auto()
    OWN_13 = auto()
    OWN_14 = auto()
    OWN_15 = auto()
    OWN_16 = auto()

    def __reduce_ex__(self, protocol: object) -> tuple[object, ...]:
        """Sent to another process by its event type: codes of systems of other packages may differ there."""
        from soak.schemas.stream.events import SPECS, kind_named

        spec = SPECS.get(self)
        return (Kind, (int(self),)) if spec is None else (kind_named, (spec.type, spec.state))


class Spec(Struct, frozen=True):
    """How a kind is written: its type, the columns it fills, the name and meaning of its value, a fixed state.

    The column `by` says who: in memory it is the error of a cause. `records` is how many records an event stands
    for: in memory it is the column `attempt`.
    """

    type: str
    description: str
    columns: str = ""
    value_name: str = ""
    value: Value = Value.NONE
    state: str = ""
    by_runner: bool = False
    """Written by the runner about itself, not evidence of activity of the system under test."""

    def uses(self, column: str) -> bool:
        """Whether events of this kind fill `column`."""
        return column in self.columns.split()
