"""Planted defects, to see that a soak finds them: by `--defect NAME`, the settings, or the environment. Off by default."""

from collections.abc import Mapping
from enum import StrEnum

VARIABLE = "PIPELINE_DEFECT"
"""The environment variable that plants one, too."""


class Defect(StrEnum):
    """What can be wrong with the pipeline on demand."""

    RESTART_COUNTER_RESET = "restart_counter_reset"
    BACKOFF_IN_HEALTH_LOOP = "backoff_in_health_loop"
    STARTUP_UNWATCHED = "startup_unwatched"
    REPLAY_AFTER_RESTART = "replay_after_restart"
    BATCH_LOST_AT_TERM = "batch_lost_at_term"
    INSERT_OR_IGNORE = "insert_or_ignore"
    ALERTS_AT_THE_END = "alerts_at_the_end"
    RESOURCES_OF_SUPERVISOR_ONLY = "resources_of_supervisor_only"
    LOGS_TRUNCATED = "logs_truncated"
    WRONG_SHUTDOWN_ORDER = "wrong_shutdown_order"
    ORPHAN_KEEPS_PORT = "orphan_keeps_port"
    METRICS_DEFAULT_ZERO = "metrics_default_zero"
    CLEAN_EXIT_RESTARTED = "clean_exit_restarted"
    LEAK_IN_HARVEST = "leak_in_harvest"
    DEAD_CONNECTION = "dead_connection"


WHAT: Mapping[Defect, str] = {
    Defect.RESTART_COUNTER_RESET: "the count of restarts is set to 0 when it was raised: the backoff never grows, no limit binds",
    Defect.BACKOFF_IN_HEALTH_LOOP: "the health round itself waits for the backoff: no other probe is made meanwhile",
    Defect.STARTUP_UNWATCHED: "a process that ends while it starts up is noticed at the start timeout only",
    Defect.REPLAY_AFTER_RESTART: "after a restart, signal and broker process the last 64 KB of their input again",
    Defect.BATCH_LOST_AT_TERM: "at SIGTERM, signal stores the position of the batch for SQLite, and not the batch",
    Defect.INSERT_OR_IGNORE: "signal reads the last 64 KB again after a restart: JSONL is appended to, SQLite ignores known keys",
    Defect.ALERTS_AT_THE_END: "the rules of the alerts are evaluated after the run only",
    Defect.RESOURCES_OF_SUPERVISOR_ONLY: "the manifest has memory, open files and CPU of the supervisor only",
    Defect.LOGS_TRUNCATED: "the log of a process is overwritten when it is restarted",
    Defect.WRONG_SHUTDOWN_ORDER: "processes are stopped in the opposite order",
    Defect.ORPHAN_KEEPS_PORT: "signal has a helper that inherits its port and outlives it by five minutes",
    Defect.METRICS_DEFAULT_ZERO: "counters of harvest are not collected, and default to 0",
    Defect.CLEAN_EXIT_RESTARTED: "report ends with 0 every few seconds and is started again, uncounted, whatever the policy",
    Defect.LEAK_IN_HARVEST: "harvest keeps 4 KB for each record",
    Defect.DEAD_CONNECTION: "harvest does not notice that its connection is silent or closed",
}
"""What each one changes, in a sentence."""
