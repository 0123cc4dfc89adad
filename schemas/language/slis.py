"""The catalogue of service-level indicators: name, meaning and unit of each.

An SLI is an aggregate over a series. A series is what the judge extracts from the event stream
(one value for each finished task, one for each sample, and so on); the aggregate makes one number of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from soak.schemas.language.expression import EventFilter, Unit


class Aggregate(StrEnum):
    """How a series is aggregated."""

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
"""The one count that depends on the system's census at the end of the run."""


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
        "share of DONE among tasks that had a transient failure and ended DONE or FAILED",
        censored=True,
    ),
    _ratio(
        "lease_recovery_rate",
        "lease_recovery",
        "share of expired leases whose task was returned to PENDING and reached DONE",
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
    _count("excess_attempts", "attempts beyond max_attempts"),
    replace(
        _count(
            AT_THE_END,
            "accepted tasks that are in no state at the end, or (in a queue) were never started again",
        ),
        per_task=False,
    ),
    _count("illegal_transitions", "state changes outside the state machine"),
    Sli(
        "lease_contentions",
        "dispatchers that picked a task and lost it to another dispatcher",
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
        "state changes of accepted tasks",
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
        "how long the oldest due task has been waiting, including work not accepted yet, as sampled",
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
        "99th percentile of the delay of submissions after their planned time",
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
"""Indicators of tasks that also apply to a client's calls, in addition to the times."""

_CALLS = [
    *(sli for sli in _QUEUE if sli.name in _TASKS or sli.series in {"latency", "wait"}),
    _ratio(
        "first_call_success_rate",
        "first_call",
        "tasks whose first call succeeded, i.e. the success rate without policies",
    ),
    _ratio("call_success_rate", "call_success", "successful calls / finished calls"),
    replace(_count("calls", "calls made"), better=Better.LOWER),
    _count("timeouts", "calls that timed out"),
    _count("rejections", "attempts rejected by a policy: circuit open, bulkhead full, pool exhausted, rate limit"),
    *_times("recovery_time", "the time from a task's first failed call to DONE, for tasks that recovered"),
    _count("degraded_tasks", "tasks that ended DONE with a degraded result"),
    _count("circuit_openings", "how often a circuit breaker opened"),
    _count("lost_updates", "updates of a store that another call overwrote"),
    *_times("heal_time", "the time for which a dependency was down"),
    *_times("rollback_time", "the time from a bad release to its rollback"),
    Sli("in_flight", "calls in flight, as sampled", Unit.COUNT, Aggregate.GAUGE, "in_flight", Better.LOWER),
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
