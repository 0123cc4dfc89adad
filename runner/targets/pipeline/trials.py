"""The scenario and check that must find each planted defect of the bundled pipeline."""

from soak.runner.targets.trials import Trial, Trials
from soak.systems.pipeline.defects import VARIABLE, Defect

RESTARTS, SOURCE = "pipeline-restarts", "pipeline-source"
_SPEEDS = {RESTARTS: 10.0, SOURCE: 15.0}
"""As fast as a Python process, which takes half a second to start, allows."""


def _trial(defect: Defect | None, scenario: str, *meant: str) -> Trial:
    return Trial(defect, scenario, meant, speed=_SPEEDS[scenario])


_PLANTED = (
    _trial(Defect.RESTART_COUNTER_RESET, RESTARTS, "law restarts", "objective backoff_violations == 0"),
    _trial(
        Defect.BACKOFF_IN_HEALTH_LOOP,
        RESTARTS,
        "objective probe_gap{process=report} <= 35s",
        "objective health_green{process=report} >= 90%",
    ),
    _trial(Defect.STARTUP_UNWATCHED, RESTARTS, "objective restart_time_max{process=signal} <= 100s"),
    _trial(
        Defect.REPLAY_AFTER_RESTART,
        RESTARTS,
        "objective duplicate_records{sink=sqlite} == 0",
        "objective duplicate_orders == 0",
    ),
    _trial(
        Defect.BATCH_LOST_AT_TERM,
        RESTARTS,
        "objective lost_records{sink=sqlite} == 0",
        "objective sink_difference{figure=total} <= 0.1%",
    ),
    _trial(Defect.INSERT_OR_IGNORE, RESTARTS, "objective sink_difference{figure=total} <= 0.1%"),
    _trial(Defect.ALERTS_AT_THE_END, SOURCE, "objective missed_alerts{alert=no_records} == 0"),
    _trial(Defect.RESOURCES_OF_SUPERVISOR_ONLY, RESTARTS, "law resources"),
    _trial(Defect.LOGS_TRUNCATED, RESTARTS, "law logs"),
    _trial(Defect.WRONG_SHUTDOWN_ORDER, RESTARTS, "objective shutdown_order_violations == 0"),
    _trial(Defect.ORPHAN_KEEPS_PORT, RESTARTS, "objective orphans{process=signal} == 0"),
    _trial(Defect.METRICS_DEFAULT_ZERO, SOURCE, "objective gap_records == 0", "objective reconnects >= 3"),
    _trial(Defect.CLEAN_EXIT_RESTARTED, RESTARTS, "objective restarts{process=report} == 0"),
    _trial(Defect.LEAK_IN_HARVEST, RESTARTS, "objective process_rss_growth{process=harvest} <= 100MB/h"),
    _trial(Defect.DEAD_CONNECTION, SOURCE, "objective freshness{sink=jsonl} <= 3m"),
)
"""One for each defect that the pipeline knows."""

_CLEAN = (_trial(None, RESTARTS), _trial(None, SOURCE))
"""Runs that must have no findings."""

TRIALS = Trials(VARIABLE, _PLANTED, _CLEAN)
