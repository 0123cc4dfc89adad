"""The vocabulary of events: every kind, and which columns it fills.

A kind is an event type together with the fields that never change for it: the census kinds all
write `sample.state`, each with its own `state`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from soak.schemas.stream.check_events import CHECK_SPECS
from soak.schemas.stream.kinds import Kind, Spec, Value
from soak.schemas.stream.record_events import RECORD_SPECS
from soak.schemas.stream.request_events import REQUEST_SPECS
from soak.schemas.stream.states import TaskState

__all__ = [
    "CENSUS",
    "COPY",
    "KEY_SHIFT",
    "KIND_OF",
    "NEW_STATE",
    "SPECS",
    "TYPES",
    "Kind",
    "Spec",
    "Value",
    "kind_named",
    "on_register",
    "register",
    "registration",
    "task_name",
    "worker_name",
]

COPY = 1
"""The bit of a task number that distinguishes a second enqueue from the first: the number is `2 * arrival + copy`."""

KEY_SHIFT = 1
"""A task's idempotency key is the number of its arrival: `number >> KEY_SHIFT`."""


def worker_name(index: int) -> str:
    """The name of a worker's process."""
    return f"w{index}"


def task_name(number: int) -> str:
    """Name of a task in the stream: its key, with the suffix `.2` for a second enqueue."""
    return f"{number >> KEY_SHIFT}{'.2' if number & COPY else ''}"


def _sample(name: str, value: Value, description: str) -> Spec:
    return Spec(f"sample.{name}", description, "", "value", value)


def _census(state: TaskState) -> Spec:
    what = "at the end: tasks the system itself counts in this state"
    return Spec("sample.state", what, "", "value", Value.NUMBER, state.name)


def _runner(type_: str, description: str, columns: str = "", name: str = "", value: Value = Value.NONE) -> Spec:
    return Spec(type_, description, columns, name, value, by_runner=True)


_ATTEMPT = "task attempt worker"
_FAILED_ATTEMPT = "task attempt worker cause"
_SUBMITTED = "task key cause label"
_CALL = "task attempt"
_FAILED_CALL = "task attempt cause"

SPECS: dict[Kind, Spec] = {
    Kind.RUN_STARTED: _runner("run.started", "the run starts"),
    Kind.RUN_ENDED: _runner("run.ended", "the run is over: `planned` counts submissions", "", "planned", Value.NUMBER),
    Kind.RUN_DECIDED: _runner(
        "run.decided",
        "the run is over, ended early since its verdict was known: `planned` counts submissions up to then",
        "",
        "planned",
        Value.NUMBER,
    ),
    Kind.RUN_ABORTED: _runner("run.aborted", "an abort condition held", "", "name", Value.NAME),
    Kind.RUN_INTERRUPTED: _runner("run.interrupted", "the run was interrupted from outside"),
    Kind.RUN_PAUSED: _runner(
        "run.paused", "the runner was down for `pause` of real time; the run was paused", "", "pause", Value.SECONDS
    ),
    Kind.RUN_RESUMED: _runner(
        "run.resumed", "the run was resumed; for `gap` from here nothing was observed", "", "gap", Value.SECONDS
    ),
    Kind.RUN_MARKED: _runner(
        "run.marked", "an operator marked this moment: `name` is what it was, `by` who", "by", "name", Value.NAME
    ),
    Kind.RUN_STOP_REQUESTED: _runner("run.stop_requested", "an operator asked to stop the run: `by` is who", "by"),
    Kind.TASK_DEFERRED: Spec(
        "task.deferred",
        "the system could not accept a submission; it is offered again",
        "task key",
        "due",
        Value.SECONDS,
    ),
    Kind.TASK_ENQUEUED: Spec(
        "task.enqueued", "accepted; `due` is its planned arrival time", _SUBMITTED, "due", Value.SECONDS
    ),
    Kind.TASK_DUPLICATE: Spec("task.duplicate", "a key is enqueued a second time", _SUBMITTED),
    Kind.TASK_SKIPPED: Spec("task.skipped", "an enqueue was refused because of its idempotency key", _SUBMITTED),
    Kind.TASK_DISPATCHED: Spec("task.dispatched", "a worker got the task and its lease", _ATTEMPT),
    Kind.TASK_RETRY: Spec(
        "task.retry", "back to PENDING, for an attempt no earlier than `due`", _FAILED_ATTEMPT, "due", Value.SECONDS
    ),
    Kind.TASK_DONE: Spec("task.done", "succeeded", _ATTEMPT),
    Kind.TASK_FAILED: Spec("task.failed", "failed permanently", _FAILED_ATTEMPT),
    Kind.TASK_BLOCKED: Spec("task.blocked", "over its hard budget; waits for an operator", _FAILED_ATTEMPT),
    Kind.TASK_CANCELLED: Spec("task.cancelled", "cancelled by an operator", "task attempt cause"),
    Kind.TASK_LOST: Spec("task.lost", "its worker died after it was acknowledged: nobody has it", _FAILED_ATTEMPT),
    Kind.TASK_DEAD_LETTERED: Spec("task.dead_lettered", "set aside; `task.failed` follows", _FAILED_ATTEMPT),
    Kind.EXECUTION_STARTED: Spec("execution.started", "ledger: the body of the task starts", f"{_ATTEMPT} key"),
    Kind.EXECUTION_ENDED: Spec(
        "execution.ended",
        "ledger: the body ended, successfully unless it has an `error`; `ran` is how long it took",
        f"{_FAILED_ATTEMPT} key",
        "ran",
        Value.SECONDS,
    ),
    Kind.LEASE_EXPIRED: Spec("lease.expired", "the watchdog found an expired lease", _FAILED_ATTEMPT),
    Kind.LEASE_CONTENDED: Spec(
        "lease.contended",
        "`value` dispatchers picked a task and lost it to another dispatcher",
        "task attempt",
        "value",
        Value.NUMBER,
    ),
    Kind.LEASE_REFUSED: Spec(
        "lease.refused", "the result of a worker that had lost its lease was refused", _FAILED_ATTEMPT
    ),
    Kind.FAULT_INJECTED: Spec("fault.injected", "a fault is injected", _FAILED_ATTEMPT),
    Kind.FAULT_SEEN: Spec("fault.seen", "the system shows the effect of a fault", "cause"),
    Kind.FAULT_CLEARED: _runner("fault.cleared", "a fault has ended", "worker cause"),
    Kind.PROCESS_EXITED: Spec(
        "process.exited",
        "the process `name` of the system has exited; a worker has a number, too",
        "worker cause",
        "name",
        Value.NAME,
    ),
    Kind.PROCESS_STARTED: Spec(
        "process.started",
        "the process `name` of the system has started, or started again",
        "worker",
        "name",
        Value.NAME,
    ),
    Kind.SAMPLE_QUEUE_DEPTH: _sample("queue_depth", Value.NUMBER, "tasks that are PENDING"),
    Kind.SAMPLE_OLDEST_PENDING: _sample(
        "oldest_pending",
        Value.SECONDS,
        "how long the oldest due task has been waiting, including work not accepted yet",
    ),
    Kind.SAMPLE_BUSY_WORKERS: _sample("busy_workers", Value.NUMBER, "busy workers"),
    Kind.SAMPLE_RSS: _sample("rss", Value.NUMBER, "resident memory of the system, in bytes"),
    Kind.SAMPLE_BROKER_RSS: _sample(
        "broker_rss", Value.NUMBER, "resident memory of the services with the role `broker`, in bytes"
    ),
    Kind.SAMPLE_CLOCK: _runner(
        "sample.clock",
        "how many times as fast as the runner's clock waits of the system's programs ended",
        "",
        "value",
        Value.NUMBER,
    ),
    Kind.SAMPLE_OPEN_FILES: _sample("open_files", Value.NUMBER, "open files of the system"),
    Kind.SAMPLE_DB_SIZE: _sample("db_size", Value.NUMBER, "size of the system's database, in bytes"),
    Kind.SAMPLE_CPU: _sample("cpu", Value.SECONDS, "CPU time of the system's processes so far, in real seconds"),
    Kind.SAMPLE_THREADS: _sample("threads", Value.NUMBER, "threads of the system"),
    Kind.SAMPLE_RUNNER_RSS: _runner(
        "sample.runner_rss", "resident memory of the runner itself, in bytes", "", "value", Value.NUMBER
    ),
    Kind.SAMPLE_RUNNER_OPEN_FILES: _runner(
        "sample.runner_open_files", "open files of the runner itself", "", "value", Value.NUMBER
    ),
    Kind.SAMPLE_LOST: _runner(
        "sample.lost", "telemetry is back: `value` events were lost", "cause", "value", Value.NUMBER
    ),
    Kind.CENSUS_PENDING: _census(TaskState.PENDING),
    Kind.CENSUS_IN_PROGRESS: _census(TaskState.IN_PROGRESS),
    Kind.CENSUS_DONE: _census(TaskState.DONE),
    Kind.CENSUS_FAILED: _census(TaskState.FAILED),
    Kind.CENSUS_BLOCKED: _census(TaskState.BLOCKED),
    Kind.CENSUS_CANCELLED: _census(TaskState.CANCELLED),
    Kind.ALERT_FIRED: _runner("alert.fired", "an alert fires", "", "name", Value.NAME),
    Kind.ALERT_RESOLVED: _runner("alert.resolved", "an alert resolves", "", "name", Value.NAME),
    Kind.RUN_REPEATED: _runner(
        "run.repeated",
        "the simulation was repeated: `differing` events differ",
        "",
        "differing",
        Value.NUMBER,
    ),
    Kind.TASK_DEGRADED: Spec("task.degraded", "the answer is degraded: `name` says how", _CALL, "name", Value.NAME),
    Kind.CALL_STARTED: Spec("call.started", "a call to a dependency starts", _CALL, "to", Value.NAME),
    Kind.CALL_SUCCEEDED: Spec("call.succeeded", "the call succeeded", _CALL, "to", Value.NAME),
    Kind.CALL_FAILED: Spec("call.failed", "the call failed or timed out", _FAILED_CALL, "to", Value.NAME),
    Kind.CALL_REJECTED: Spec("call.rejected", "a policy rejected the call: `error` says which", _FAILED_CALL),
    Kind.CIRCUIT_OPENED: Spec("circuit.opened", "a circuit breaker opens", "cause"),
    Kind.CIRCUIT_HALF_OPENED: Spec("circuit.half_opened", "an open circuit breaker goes half-open and tries calls"),
    Kind.CIRCUIT_CLOSED: Spec("circuit.closed", "a circuit breaker closes"),
    Kind.RELEASE_DEPLOYED: _runner("release.deployed", "a bad release of a dependency goes live", "cause"),
    Kind.RELEASE_ROLLED_BACK: Spec("release.rolled_back", "the release is rolled back", "cause"),
    Kind.UPDATE_LOST: Spec("update.lost", "a call overwrote a concurrent update", _CALL),
    Kind.SAMPLE_IN_FLIGHT: _sample("in_flight", Value.NUMBER, "calls in flight"),
    Kind.SAMPLE_MEMORY: _sample("memory", Value.NUMBER, "share of a dependency's memory limit that is in use"),
    Kind.SAMPLE_MEMORY_HELD: _sample(
        "memory_held", Value.NUMBER, "share of a dependency's memory limit that finished tasks hold"
    ),
    **RECORD_SPECS,
    **CHECK_SPECS,
    **REQUEST_SPECS,
}
"""How every kind is written."""

TYPES = list(dict.fromkeys(spec.type for spec in SPECS.values()))
"""Every event type, in the order of the vocabulary."""

KIND_OF = {(spec.type, spec.state): kind for kind, spec in SPECS.items()}
"""Kind by event type and state (empty where the type has none)."""

NEW_STATE: dict[Kind, TaskState] = {
    Kind.TASK_DEFERRED: TaskState.DEFERRED,
    Kind.TASK_ENQUEUED: TaskState.PENDING,
    Kind.TASK_DISPATCHED: TaskState.IN_PROGRESS,
    Kind.TASK_RETRY: TaskState.PENDING,
    Kind.TASK_DONE: TaskState.DONE,
    Kind.TASK_FAILED: TaskState.FAILED,
    Kind.TASK_BLOCKED: TaskState.BLOCKED,
    Kind.TASK_CANCELLED: TaskState.CANCELLED,
    Kind.TASK_LOST: TaskState.LOST,
}
"""The state a task is in after an event of this kind."""

CENSUS: dict[TaskState, Kind] = {
    TaskState.PENDING: Kind.CENSUS_PENDING,
    TaskState.IN_PROGRESS: Kind.CENSUS_IN_PROGRESS,
    TaskState.DONE: Kind.CENSUS_DONE,
    TaskState.FAILED: Kind.CENSUS_FAILED,
    TaskState.BLOCKED: Kind.CENSUS_BLOCKED,
    TaskState.CANCELLED: Kind.CENSUS_CANCELLED,
}
"""The census kind of each state."""

_VALUE_NAMES = frozenset(spec.value_name for spec in SPECS.values())
_COLUMNS = frozenset(column for spec in SPECS.values() for column in spec.columns.split())
_follow: list[Callable[[], None]] = []
_given: dict[Spec, Kind] = {}
"""The kinds that were given to events of other packages, also those that were taken back: modules may hold them."""


def register(specs: Iterable[Spec]) -> tuple[Kind, ...]:
    """Give events of a system of another package kinds of their own, and return them; those that have one keep it.

    Raises ValueError for a type that is taken, a column or the name of a value that the stream does not have, and when there
    are no kinds left.
    """
    kinds: dict[Kind, Spec] = {}
    for spec in specs:
        kinds[_kind_for(spec, taken=kinds)] = spec
    for kind, spec in kinds.items():
        SPECS[kind] = spec
        KIND_OF[spec.type, spec.state] = kind
        TYPES.extend({spec.type}.difference(TYPES))
        _given[spec] = kind
    _refresh()
    return tuple(kinds)


def kind_named(type_: str, state: str) -> Kind:
    """The kind of an event type and state, as another process names it."""
    return KIND_OF[type_, state]


def _refresh() -> None:
    for refresh in _follow:
        refresh()


@contextmanager
def registration() -> Iterator[None]:
    """Context whose failure takes back the kinds that were given in it."""
    before = set(SPECS)
    try:
        yield
    except BaseException:
        for kind in SPECS.keys() - before:
            spec = SPECS.pop(kind)
            del KIND_OF[spec.type, spec.state]
            TYPES.remove(spec.type)
        _refresh()
        raise


def _kind_for(spec: Spec, taken: Mapping[Kind, Spec]) -> Kind:
    kind = KIND_OF.get((spec.type, spec.state))
    if kind is not None and SPECS[kind] == spec:
        return kind
    if spec.type in TYPES or spec.type in {each.type for each in taken.values()}:
        raise ValueError(f"the event type {spec.type!r} is taken")
    if not set(spec.columns.split()) <= _COLUMNS:
        raise ValueError(f"event {spec.type}: the columns of the stream are {', '.join(sorted(_COLUMNS))}")
    if spec.value_name not in _VALUE_NAMES:
        names = ", ".join(sorted(name for name in _VALUE_NAMES if name))
        raise ValueError(f"event {spec.type}: a value is called one of {names}")
    # One that it had before, or else one that nobody had, as long as there are any: its module may hold the former.
    before = set(_given.values())
    offered = [_given[spec]] if spec in _given else sorted(Kind, key=lambda each: (each in before, each))
    free = next((each for each in offered if each not in SPECS and each not in taken), None)
    if free is None:
        raise ValueError("there are no kinds of events left")
    return free


def on_register(refresh: Callable[[], None]) -> None:
    """Call a function whenever there are new kinds of events."""
    _follow.append(refresh)
