"""The service-level indicators of a task orchestrator."""

from msgspec.structs import replace

from soak.schemas.language import slis
from soak.schemas.language.expression import Unit
from soak.schemas.language.slis import catalogue, count, gauge, ratio, times
from soak.schemas.language.tolerance import EXTREME, WAIT, Tolerance

DEAD_LETTERED = "dead_lettered"
WORKERS_ALIVE = "workers_alive"
QUEUE_DEPTH_MAX = "queue_depth_max"
NEVER_STARTED = "never_started"
STUCK_IN_PROGRESS = "stuck_in_progress"
CONSUMER_STALL = "consumer_stall"
DUPLICATES_BY_CAUSE = ("duplicates_while_running", "duplicates_after_done")
AFTER_CRASH = "executions_after_crash"
BROKER_MEMORY = "broker_memory"
UNSTARTED = frozenset({NEVER_STARTED, STUCK_IN_PROGRESS})


def _unstarted(name: str, description: str) -> slis.Sli:
    return replace(count(name, description, on_demand=True), at_the_end=True)


SLIS = catalogue(
    (
        slis.SUCCESS_RATE,
        *slis.LATENCY,
        *slis.WAITS,
        slis.RECOVERY_RATE,
        ratio(
            "lease_recovery_rate",
            "lease_recovery",
            "share of expired leases whose task was returned to PENDING and reached DONE",
        ),
        *times(
            "redelivery_time",
            "the time from the death of an execution to the next start of its task",
            WAIT,
            censored=True,
        ),
        count(
            "duplicate_executions",
            "executions of a key that start while another execution of it runs, or after it is DONE (execution ledger)",
        ),
        count(
            DUPLICATES_BY_CAUSE[0],
            "executions of a key that start while another execution of it runs (execution ledger)",
            on_demand=True,
        ),
        count(
            DUPLICATES_BY_CAUSE[1], "executions of a key that start after it is DONE (execution ledger)", on_demand=True
        ),
        count(
            AFTER_CRASH,
            "executions of a task that start after one before it died: a system that redelivers has them by design",
            Tolerance(absolute=5, relative=0.25),
            on_demand=True,
        ),
        ratio(
            "duplicate_block_rate",
            "duplicate_block",
            "duplicate enqueues answered by an idempotency skip / duplicate enqueues attempted",
        ),
        count("guardrail_unblocked", "tasks over the hard budget that did not end BLOCKED"),
        slis.BACKOFF_VIOLATIONS,
        count("excess_attempts", "attempts beyond max_attempts"),
        count(
            DEAD_LETTERED,
            "tasks set aside after their last delivery (`queue.max_deliveries`)",
            Tolerance(absolute=5, relative=0.1),
            on_demand=True,
        ),
        slis.LOST_TASKS,
        _unstarted(
            NEVER_STARTED,
            "accepted tasks that were never started, though nothing else ran for longer than redelivery may take",
        ),
        _unstarted(
            STUCK_IN_PROGRESS,
            "tasks that were started and not again after their execution had ended, though nothing else ran for longer than "
            "redelivery may take",
        ),
        slis.ILLEGAL_TRANSITIONS,
        count(
            "lease_contentions",
            "dispatchers that picked a task and lost it to another dispatcher",
            Tolerance(absolute=5, relative=0.25),
        ),
        slis.STALL_TIME,
        replace(
            slis.longest(
                CONSUMER_STALL,
                CONSUMER_STALL,
                "longest time with accepted work waiting, fewer executions running than workers up, and nothing starting",
            ),
            on_demand=True,
        ),
        slis.STATE_TRANSITIONS,
        slis.QUEUE_DEPTH,
        gauge(
            QUEUE_DEPTH_MAX,
            Unit.COUNT,
            "most tasks that are PENDING at any time, from the events and not from samples",
            irregular=True,
            compared=False,
            on_demand=True,
        ),
        gauge(
            WORKERS_ALIVE,
            Unit.COUNT,
            "worker processes that are up; of a run the fewest at any time, from the events",
            irregular=True,
            compared=False,
            better=slis.Better.HIGHER,
            on_demand=True,
        ),
        gauge(
            BROKER_MEMORY,
            Unit.SIZE,
            "resident memory of the services of a target file whose role is `broker`",
            compared=False,
            on_demand=True,
        ),
        replace(slis.growth(BROKER_MEMORY, Unit.SIZE_PER_HOUR, BROKER_MEMORY), on_demand=True),
        slis.QUEUE_DEPTH_GROWTH,
        slis.LATENCY_GROWTH,
        gauge(
            "oldest_pending",
            Unit.DURATION,
            "how long the oldest due task has been waiting, including work not accepted yet, as sampled",
            EXTREME,
        ),
        slis.THROUGHPUT,
    )
)
