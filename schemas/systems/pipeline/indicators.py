"""The service-level indicators of a pipeline."""

from msgspec.structs import replace

from soak.schemas.language.expression import Unit
from soak.schemas.language.slis import Aggregate, Better, Sli, catalogue, count, gauge, growth, ratio, times
from soak.schemas.language.tolerance import EXACT, EXTREME, FEW, SHARE, TOTAL, Tolerance

PROCESS, SINK, FIGURE, ALERT = "process", "sink", "figure", "alert"
"""Labels of parts and figures, by which indicators can be selected."""

_AT_MOST_TWO = Tolerance(absolute=2)
_PASSED_ON = Tolerance(relative=0.25, real_s=0.5)
"""Batches of a real process are not those of a model, and after a restart its backlog is worked off at another pace."""
_AFTER_A_RESTART = Tolerance(relative=0.25, real_s=1.5)
_ALERTED = Tolerance(relative=0.25, real_s=1.0)


def _by(label: str, *slis: Sli, at_the_end: bool = False) -> tuple[Sli, ...]:
    return tuple(replace(sli, by=(label,), per_task=False, at_the_end=at_the_end) for sli in slis)


def _whole(*slis: Sli, at_the_end: bool = False) -> tuple[Sli, ...]:
    """Of the whole system, without labels."""
    return tuple(replace(sli, per_task=False, at_the_end=at_the_end) for sli in slis)


_CATALOGUE = catalogue(
    (
        *_by(
            PROCESS,
            ratio(
                "health_green", "probes", "health probes that succeeded / probes due; one that is missing is not green"
            ),
            gauge(
                "probe_gap",
                Unit.DURATION,
                "time from one health probe of a process to the next",
                EXTREME,
                irregular=True,
            ),
            *times(
                "restart_time",
                "the time from the exit of a process until it is healthy again and has passed something on",
                _AFTER_A_RESTART,
                _AFTER_A_RESTART,
            ),
            count("restarts", "restarts of processes, counted by their pids and start times", FEW),
            count("abandoned", "processes that the supervisor gave up"),
            count(
                "backoff_violations",
                "restarts before the backoff was over, long after it, or that were not due at all",
            ),
            count("queue_dropped", "records dropped at a full buffer", Tolerance(absolute=5, relative=0.1)),
            gauge("backlog", Unit.COUNT, "records that wait for a process, wherever they are", compared=False),
            count("left_in_queues", "records that still wait for a process at the end"),
            count("orphans", "processes of the system that are still there at the end"),
        ),
        *_whole(
            count("gap_records", "sequence numbers of the source that its reader never got"),
            count("reconnects", "connections to the source that were made again", _AT_MOST_TWO),
            count("stream_timeouts", "connections to the source given up since no data came", _AT_MOST_TWO),
            count("orders", "orders placed", TOTAL, better=Better.HIGHER),
            count("duplicate_orders", "orders placed for records that have one already"),
            count("shutdown_order_violations", "processes ended before one that had to end before them"),
            count("export_count", "exports of the time series", _AT_MOST_TWO, better=Better.HIGHER),
            count("export_errors", "exports of the time series that failed", _AT_MOST_TWO),
        ),
        *_by(
            SINK,
            count(
                "lost_records",
                "records sent that are not in a sink, not dropped and wait nowhere, those its reader missed among them",
                EXACT,
            ),
            count("duplicate_records", "records that a sink holds more than once", EXACT),
            count("phantom_records", "records in a sink that the source never sent", EXACT),
            gauge("freshness", Unit.DURATION, "age of the newest record in a sink, as sampled", compared=False),
        ),
        *_by(
            FIGURE,
            gauge(
                "sink_difference",
                Unit.RATIO,
                "by how much sinks of one stream differ in a figure, as a share of the larger, over the same records",
                Tolerance(absolute=0.001),
                irregular=True,
            ),
            at_the_end=True,
        ),
        *(
            replace(sli, by=(SINK,))
            for sli in times(
                "latency",
                "the time from the source sending a record until a sink holds it",
                _PASSED_ON,
                _AFTER_A_RESTART,
            )
        ),
        replace(count("records", "records in the first sink", TOTAL, better=Better.HIGHER)),
        replace(count("records_sent", "records that the source sent", TOTAL, better=Better.HIGHER)),
        # Not compared: the shutdown, which is part of the run, takes as long in real time at every speed.
        Sli(
            "throughput",
            "records that reach the first sink, per time",
            Unit.RATE,
            Aggregate.RATE,
            "records",
            Better.HIGHER,
            per_task=True,
            compared=False,
        ),
        *_whole(
            ratio("strong_ratio", "strong", "strong records / all records, of closed minutes", tolerance=SHARE),
            replace(
                ratio(
                    "low_consistency",
                    "low_consistency",
                    "records of low consistency / all records, of closed minutes",
                    tolerance=SHARE,
                ),
                better=Better.LOWER,
            ),
        ),
        *_by(
            ALERT,
            *times(
                "alert_delay",
                "the time by which the pipeline's own alerts fire or resolve after they are due",
                _ALERTED,
                _ALERTED,
            ),
            count("missed_alerts", "alerts of the pipeline's own that were due and did not fire, or did not resolve"),
            count("false_alerts", "alerts of the pipeline's own that fired although they were not due"),
        ),
        *_by(
            PROCESS,
            gauge("process_rss", Unit.SIZE, "resident memory of a process", compared=False),
            growth("process_rss", Unit.SIZE_PER_HOUR, "the resident memory of a process"),
            growth("process_open_files", Unit.COUNT_PER_HOUR, "the open files of a process"),
            gauge("process_open_files", Unit.COUNT, "open files of a process", compared=False),
            gauge("process_cpu", Unit.RATIO, "CPU of a process, as a share of a core", compared=False),
        ),
    )
)

_LAG = "submission_lag_p99"
SLIS = {**_CATALOGUE, _LAG: replace(_CATALOGUE[_LAG], tolerance=Tolerance(real_s=0.25))}
"""By name. The most by which the source was late in a sample interval counts: more than the delay of one submission."""
