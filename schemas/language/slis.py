"""The catalogue of service-level indicators: what each is called, means and is measured in.

An SLI is an aggregate over a series. A series is what the judge extracts from the event stream
(one value for each finished task, one for each sample, and so on); the aggregate makes one number of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from soak.schemas.language.expression import EventFilter, Unit


class Aggregate(StrEnum):
    """How a series becomes one number."""

    RATIO = "ratio"
    MEAN = "mean"
    QUANTILE = "quantile"
    MAX = "max"
    COUNT = "count"
    RATE = "rate"
    GAUGE = "gauge"
    LONGEST = "longest"
    GROWTH = "growth"


class Better(StrEnum):
    """Which way an SLI improves."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Sli:
    """One indicator; `q` is the quantile of a QUANTILE, `filters` (good, total) define a series of the scenario's own."""

    name: str
    description: str
    unit: Unit
    aggregate: Aggregate
    series: str
    better: Better
    q: float = 0.0
    censored: bool = False
    """Unfinished work could still make it worse."""
    per_task: bool = False
    """Its observations belong to tasks, so that it can be selected by tenant and phase."""
    filters: tuple[tuple[EventFilter, ...], ...] = ()


AT_THE_END = "lost_tasks"
"""The one count that only the system's own census, at the end of the run, can give."""


def _ratio(name: str, series: str, description: str, *, better: Better = Better.HIGHER, censored: bool = False) -> Sli:
    return Sli(name, description, Unit.RATIO, Aggregate.RATIO, series, better, censored=censored, per_task=True)


def _count(name: str, description: str) -> Sli:
    return Sli(name, description, Unit.COUNT, Aggregate.COUNT, name, Better.LOWER, per_task=True)


def _times(name: str, description: str, *, censored: bool = False) -> list[Sli]:
    shapes = [
        ("mean", Aggregate.MEAN, 0.0, "mean"),
        ("p50", Aggregate.QUANTILE, 0.5, "median"),
        ("p95", Aggregate.QUANTILE, 0.95, "95th percentile"),
        ("p99", Aggregate.QUANTILE, 0.99, "99th percentile"),
        ("max", Aggregate.MAX, 0.0, "largest"),
    ]
    return [
        Sli(
            f"{name}_{suffix}",
            f"{words} of {description}",
            Unit.DURATION,
            aggregate,
            name,
            Better.LOWER,
            q,
            censored,
            per_task=True,
        )
        for suffix, aggregate, q, words in shapes
    ]


def _growth(name: str, unit: Unit, description: str) -> Sli:
    what = f"growth per hour of {description} (Theil-Sen slope, fault windows left out)"
    return Sli(f"{name}_growth", what, unit, Aggregate.GROWTH, name, Better.LOWER)


def _resource(name: str, unit: Unit, growth: Unit, description: str) -> list[Sli]:
    level = Sli(name, description, unit, Aggregate.GAUGE, name, Better.LOWER)
    return [level, _growth(name, growth, name)]


_QUEUE = [
    _ratio(
        "success_rate", "success", "DONE / (DONE + FAILED); BLOCKED, CANCELLED and SKIPPED do not count", censored=True
    ),
    *_times("latency", "the time from the intended enqueue to DONE or FAILED", censored=True),
    *_times("wait", "the time from due to dispatched, summed over a task's attempts", censored=True),
    _ratio(
        "recovery_rate",
        "recovery",
        "of the tasks that met a transient failure and ended DONE or FAILED, the share that is DONE",
        censored=True,
    ),
    _ratio(
        "lease_recovery_rate",
        "lease_recovery",
        "of the expired leases, the share whose task was returned to PENDING and reached DONE",
    ),
    *_times("redelivery_time", "the time from the death of an execution to the next start of its task", censored=True),
    _count(
        "duplicate_executions",
        "executions of a key that start while another execution of it runs, or after it is DONE (execution ledger)",
    ),
    _ratio(
        "duplicate_block_rate",
        "duplicate_block",
        "duplicate enqueues answered by an idempotency skip / duplicate enqueues attempted",
    ),
    _count("guardrail_unblocked", "tasks over the hard budget that did not end BLOCKED"),
    _count("backoff_violations", "attempts that started before their backoff was over"),
    _count("excess_attempts", "attempts beyond the most that a task may have"),
    replace(
        _count(
            AT_THE_END,
            "accepted tasks that at the end are in no state at all, or (in a queue) were never started again",
        ),
        per_task=False,
    ),
    _count("illegal_transitions", "state changes outside the state machine"),
    Sli(
        "lease_contentions",
        "dispatchers that picked a task and lost it to another",
        Unit.COUNT,
        Aggregate.COUNT,
        "lease_contentions",
        Better.LOWER,
        per_task=True,
    ),
    Sli(
        "stall_time",
        "longest time with due work waiting and no state change anywhere",
        Unit.DURATION,
        Aggregate.LONGEST,
        "stall",
        Better.LOWER,
    ),
    Sli(
        "state_transitions",
        "changes of state of accepted tasks",
        Unit.COUNT,
        Aggregate.COUNT,
        "state_transitions",
        Better.HIGHER,
        per_task=True,
    ),
    Sli("queue_depth", "tasks that are PENDING, as sampled", Unit.COUNT, Aggregate.GAUGE, "queue_depth", Better.LOWER),
    _growth("queue_depth", Unit.COUNT_PER_HOUR, "the tasks that are PENDING"),
    _growth("latency", Unit.DURATION_PER_HOUR, "the latency of tasks"),
    Sli(
        "oldest_pending",
        "how long the oldest due task has been waiting, work not taken in yet included, as sampled",
        Unit.DURATION,
        Aggregate.GAUGE,
        "oldest_pending",
        Better.LOWER,
    ),
    Sli(
        "throughput",
        "tasks that end DONE or FAILED, per time",
        Unit.RATE,
        Aggregate.RATE,
        "success",
        Better.HIGHER,
        per_task=True,
    ),
]

_EVERY_SYSTEM = [
    Sli(
        "submission_lag_p99",
        "99th percentile of how much later than planned work was offered",
        Unit.DURATION,
        Aggregate.QUANTILE,
        "submission_lag",
        Better.LOWER,
        0.99,
    ),
    Sli(
        "telemetry_gap",
        "longest time without an event or sample",
        Unit.DURATION,
        Aggregate.LONGEST,
        "telemetry",
        Better.LOWER,
    ),
    *_resource("rss", Unit.SIZE, Unit.SIZE_PER_HOUR, "resident memory of the system"),
    *_resource("open_files", Unit.COUNT, Unit.COUNT_PER_HOUR, "open files of the system"),
    *_resource("threads", Unit.COUNT, Unit.COUNT_PER_HOUR, "threads of the system"),
    *_resource("runner_rss", Unit.SIZE, Unit.SIZE_PER_HOUR, "resident memory of the runner itself"),
    *_resource("runner_open_files", Unit.COUNT, Unit.COUNT_PER_HOUR, "open files of the runner itself"),
    *_resource("db_size", Unit.SIZE, Unit.SIZE_PER_HOUR, "size of the system's database"),
]

_TASKS = frozenset(
    {
        *("success_rate", "recovery_rate", "backoff_violations", AT_THE_END, "illegal_transitions", "stall_time"),
        *("state_transitions", "throughput", "queue_depth", "queue_depth_growth", "latency_growth"),
    }
)
"""Indicators of tasks that a client's calls have as well, beside the times."""

_CALLS = [
    *(sli for sli in _QUEUE if sli.name in _TASKS or sli.series in {"latency", "wait"}),
    _ratio(
        "first_call_success_rate", "first_call", "tasks whose first call went well: what there is without any policy"
    ),
    _ratio("call_success_rate", "call_success", "calls that were answered well / calls that came to an end"),
    replace(_count("calls", "calls that were made"), better=Better.LOWER),
    _count("timeouts", "calls that were given up because the time was up"),
    _count(
        "rejections", "tries that a policy let not through: circuit open, bulkhead full, pool exhausted, rate limit"
    ),
    *_times("recovery_time", "the time from a task's first failed call to DONE, of tasks that recovered"),
    _count("degraded_tasks", "tasks that ended DONE with less than was asked for"),
    _count("circuit_openings", "how often a circuit breaker opened"),
    _count("lost_updates", "changes in a store that another call overwrote"),
    *_times("heal_time", "the time for which a dependency was gone"),
    *_times("rollback_time", "the time from a bad release to its rollback"),
    Sli("in_flight", "calls that are under way, as sampled", Unit.COUNT, Aggregate.GAUGE, "in_flight", Better.LOWER),
    Sli("memory_used", "share of a memory limit in use", Unit.RATIO, Aggregate.GAUGE, "memory", Better.LOWER),
    Sli(
        "memory_held",
        "share of a memory limit that finished tasks hold",
        Unit.RATIO,
        Aggregate.GAUGE,
        "memory_held",
        Better.LOWER,
    ),
]

CATALOGUE: Mapping[str, Mapping[str, Sli]] = {
    "queue": {sli.name: sli for sli in (*_QUEUE, *_EVERY_SYSTEM)},
    "calls": {sli.name: sli for sli in (*_CALLS, *_EVERY_SYSTEM)},
}
"""The built-in indicators of each system, by name."""
