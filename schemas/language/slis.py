"""The catalogue of service-level indicators: name, meaning and unit of each.

An SLI is an aggregate over a series. A series is what the judge extracts from the event stream
(one value for each finished task, one for each sample, and so on); the aggregate makes one number of it.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.language.expression import EventFilter, Unit
from soak.schemas.language.tolerance import BY_UNIT, EXACT, EXTREME, OVERHEAD_S, SHARE, TIME, TOTAL, WAIT, Tolerance


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
    EVENNESS = "evenness"
    GROWTH = "growth"


class Better(StrEnum):
    """Which way an SLI improves."""

    HIGHER = "higher"
    LOWER = "lower"


class Sli(Struct, frozen=True):
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
    once_a_task: bool = False
    """There is one observation of each task at most."""
    irregular: bool = False
    """Of a gauge: its samples do not come at the sample interval."""
    compared: bool = True
    """Whether a model has it as well as a real system, so that the two can be compared."""
    tolerance: Tolerance | None = None
    """How far a model and a real system may be apart; None: what goes with its unit."""
    source: str = ""
    """Of a share of durations that has no filters: the series of those durations."""
    limit: float | None = None
    """Of a share of durations: the longest one that counts as good, in seconds."""
    on_demand: bool = False
    """Only scenarios have it that use it, or of which their system says so."""
    by: tuple[str, ...] = ()
    """Labels of its system's parts by which it can be selected."""
    at_the_end: bool = False
    """Whether it has no value during the run."""
    over: str = ""
    """Of a quotient: the phase whose value that of another phase is divided by; `FIRST_PHASE` until a scenario says which."""
    latest: bool = False
    """Of a gauge: its latest sample counts, of several labels the worst of their latest."""
    only_real: bool = False
    """Whether only real runs have it, and are judged by it."""

    @property
    def lowest(self) -> bool:
        """Whether its smallest sample counts, not the largest: of a gauge that should be high."""
        return self.aggregate is Aggregate.GAUGE and self.better is Better.HIGHER

    def allowed(self) -> Tolerance | None:
        """How far a model and a real system may be apart; None where they are not compared."""
        if not self.compared:
            return None
        return self.tolerance or BY_UNIT.get(self.unit)


FIRST_PHASE = "*"
"""A phase that is not known before a scenario is."""

AT_THE_END = "lost_tasks"
"""The one count that depends on the system's census at the end of the run."""


def ratio(
    name: str,
    series: str,
    description: str,
    *,
    censored: bool = False,
    once_a_task: bool = False,
    tolerance: Tolerance = SHARE,
) -> Sli:
    """A share of the observations of a series; the higher the better."""
    return Sli(
        name,
        description,
        Unit.RATIO,
        Aggregate.RATIO,
        series,
        Better.HIGHER,
        censored=censored,
        per_task=True,
        once_a_task=once_a_task,
        tolerance=tolerance,
    )


def count(
    name: str,
    description: str,
    tolerance: Tolerance = EXACT,
    *,
    better: Better = Better.LOWER,
    per_task: bool = True,
    on_demand: bool = False,
) -> Sli:
    """How many there were, of a series of the same name."""
    return Sli(
        name,
        description,
        Unit.COUNT,
        Aggregate.COUNT,
        name,
        better,
        per_task=per_task,
        on_demand=on_demand,
        tolerance=tolerance,
    )


def times(
    name: str,
    description: str,
    tolerance: Tolerance,
    extreme: Tolerance = EXTREME,
    *,
    censored: bool = False,
    once_a_task: bool = False,
) -> tuple[Sli, ...]:
    """Mean, median, 95th and 99th percentile and maximum of a series of durations; `extreme`: tolerance of the last."""
    shapes = [
        ("mean", Aggregate.MEAN, 0.0, "mean"),
        ("p50", Aggregate.QUANTILE, 0.5, "median"),
        ("p95", Aggregate.QUANTILE, 0.95, "95th percentile"),
        ("p99", Aggregate.QUANTILE, 0.99, "99th percentile"),
        ("max", Aggregate.MAX, 0.0, "largest"),
    ]
    return tuple(
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
            once_a_task=once_a_task,
            tolerance=extreme if aggregate is Aggregate.MAX else tolerance,
        )
        for suffix, aggregate, q, words in shapes
    )


def gauge(
    name: str,
    unit: Unit,
    description: str,
    tolerance: Tolerance | None = None,
    *,
    series: str = "",
    irregular: bool = False,
    compared: bool = True,
    better: Better = Better.LOWER,
    on_demand: bool = False,
) -> Sli:
    """A level as it is sampled; the series has the same name unless another is given."""
    return Sli(
        name,
        description,
        unit,
        Aggregate.GAUGE,
        series or name,
        better,
        irregular=irregular,
        compared=compared,
        tolerance=tolerance,
        on_demand=on_demand,
    )


def growth(name: str, unit: Unit, description: str) -> Sli:
    """How a series grows in the long run. Not compared with a model: near zero the size of a slope says nothing."""
    what = f"growth per hour of {description} (Theil-Sen slope, fault windows left out)"
    return Sli(f"{name}_growth", what, unit, Aggregate.GROWTH, name, Better.LOWER, compared=False)


def longest(name: str, series: str, description: str) -> Sli:
    """The longest stretch for which something went on."""
    return Sli(name, description, Unit.DURATION, Aggregate.LONGEST, series, Better.LOWER, tolerance=EXTREME)


def _resource(name: str, unit: Unit, growth_: Unit, description: str) -> list[Sli]:
    # A model has no memory, files or database.
    level = gauge(name, unit, description, compared=False)
    return [level, growth(name, growth_, name)]


def catalogue(slis: Iterable[Sli]) -> dict[str, Sli]:
    """Indicators by name, in their order; those that every system has come last."""
    return {sli.name: sli for sli in (*slis, *EVERY_SYSTEM)}


# Of systems that work on tasks.

SUCCESS_RATE = ratio(
    "success_rate",
    "success",
    "DONE / (DONE + FAILED); BLOCKED, CANCELLED and SKIPPED do not count",
    censored=True,
    once_a_task=True,
    tolerance=Tolerance(absolute=0.005),
)
LATENCY = times(
    "latency", "the time from the intended enqueue to DONE or FAILED", TIME, censored=True, once_a_task=True
)
WAITS = times(
    "wait", "the time from due to dispatched, summed over a task's attempts", WAIT, censored=True, once_a_task=True
)
RECOVERY_RATE = ratio(
    "recovery_rate",
    "recovery",
    "share of DONE among tasks that had a transient failure and ended DONE or FAILED",
    censored=True,
    once_a_task=True,
)
BACKOFF_VIOLATIONS = count("backoff_violations", "attempts that started before their backoff was over")
LOST_TASKS = count(
    AT_THE_END,
    "accepted tasks that are in no state at the end, or (in a queue) were never started again",
    per_task=False,
)
ILLEGAL_TRANSITIONS = count("illegal_transitions", "state changes outside the state machine")
STALL_TIME = longest("stall_time", "stall", "longest time with due work waiting and no state change anywhere")
STATE_TRANSITIONS = count("state_transitions", "state changes of accepted tasks", TOTAL, better=Better.HIGHER)
# The deepest sample: one hiccup of the machine decides it at high speed. `oldest_pending` tells the same in time.
QUEUE_DEPTH = gauge("queue_depth", Unit.COUNT, "tasks that are PENDING, as sampled", compared=False)
QUEUE_DEPTH_GROWTH = growth("queue_depth", Unit.COUNT_PER_HOUR, "the tasks that are PENDING")
LATENCY_GROWTH = replace(growth("latency", Unit.DURATION_PER_HOUR, "the latency of tasks"), once_a_task=True)
THROUGHPUT = Sli(
    "throughput",
    "tasks that end DONE or FAILED, per time",
    Unit.RATE,
    Aggregate.RATE,
    "success",
    Better.HIGHER,
    per_task=True,
    once_a_task=True,
    tolerance=TOTAL,
)

# Of every system.

EVERY_SYSTEM = (
    Sli(
        "submission_lag_p99",
        "99th percentile of the delay of submissions after their planned time",
        Unit.DURATION,
        Aggregate.QUANTILE,
        "submission_lag",
        Better.LOWER,
        0.99,
        once_a_task=True,
        tolerance=Tolerance(real_s=OVERHEAD_S),
    ),
    longest("telemetry_gap", "telemetry", "longest time without an event or sample"),
    *_resource("rss", Unit.SIZE, Unit.SIZE_PER_HOUR, "resident memory of the system"),
    *_resource("open_files", Unit.COUNT, Unit.COUNT_PER_HOUR, "open files of the system"),
    *_resource("threads", Unit.COUNT, Unit.COUNT_PER_HOUR, "threads of the system"),
    *_resource("runner_rss", Unit.SIZE, Unit.SIZE_PER_HOUR, "resident memory of the runner itself"),
    *_resource("runner_open_files", Unit.COUNT, Unit.COUNT_PER_HOUR, "open files of the runner itself"),
    *_resource("db_size", Unit.SIZE, Unit.SIZE_PER_HOUR, "size of the system's database"),
)
