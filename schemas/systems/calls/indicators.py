"""The service-level indicators of a client that calls dependencies."""

from soak.schemas.language import slis
from soak.schemas.language.expression import Unit
from soak.schemas.language.slis import catalogue, count, gauge, ratio, times
from soak.schemas.language.tolerance import EXTREME, FEW, SHARE, TOTAL, WAIT, Tolerance

SLIS = catalogue(
    (
        slis.SUCCESS_RATE,
        *slis.LATENCY,
        *slis.WAITS,
        slis.RECOVERY_RATE,
        slis.BACKOFF_VIOLATIONS,
        slis.LOST_TASKS,
        slis.ILLEGAL_TRANSITIONS,
        slis.STALL_TIME,
        slis.STATE_TRANSITIONS,
        slis.QUEUE_DEPTH,
        slis.QUEUE_DEPTH_GROWTH,
        slis.LATENCY_GROWTH,
        slis.THROUGHPUT,
        ratio(
            "first_call_success_rate",
            "first_call",
            "tasks whose first call succeeded, i.e. the success rate without policies",
            once_a_task=True,
        ),
        ratio("call_success_rate", "call_success", "successful calls / finished calls"),
        count("calls", "calls made", TOTAL),
        # What depends on who comes first differs from run to run.
        count("timeouts", "calls that timed out", FEW),
        count(
            "rejections",
            "attempts rejected by a policy: circuit open, bulkhead full, pool exhausted, rate limit",
            FEW,
        ),
        *times(
            "recovery_time",
            "the time from a task's first failed call to DONE, for tasks that recovered",
            WAIT,
            WAIT,
            once_a_task=True,
        ),
        count("degraded_tasks", "tasks that ended DONE with a degraded result"),
        count("circuit_openings", "how often a circuit breaker opened", FEW),
        count("lost_updates", "updates of a store that another call overwrote", Tolerance(relative=0.5, absolute=5)),
        *times("heal_time", "the time for which a dependency was down", EXTREME),
        *times("rollback_time", "the time from a bad release to its rollback", EXTREME),
        gauge("in_flight", Unit.COUNT, "calls in flight, as sampled", Tolerance(relative=0.5, absolute=3)),
        gauge("memory_used", Unit.RATIO, "share of a memory limit in use", SHARE, series="memory", irregular=True),
        gauge(
            "memory_held",
            Unit.RATIO,
            "share of a memory limit that finished tasks hold",
            SHARE,
            irregular=True,
        ),
    )
)
