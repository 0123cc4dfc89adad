"""How far two runs may be apart: in the fates of pairs of tasks, and in their indicators."""

from collections.abc import Mapping

from msgspec.structs import replace

from soak.schemas.language.slis import Sli
from soak.schemas.language.tolerance import TIME, Tolerance

TOLERANCES: Mapping[str, Tolerance | None] = {
    # Pairs of tasks: shares of them that are not the same.
    "tasks_accepted_in_one": Tolerance(absolute=0.01),
    "tasks_in_other_state": Tolerance(absolute=0.01),
    "attempts_mean": Tolerance(relative=0.03),
    "tasks_with_other_attempts": Tolerance(absolute=0.03),
    # The distribution of the latency of all tasks.
    "task_latency_p50": TIME,
    "task_latency_p90": TIME,
    "task_latency_p95": TIME,
    "task_latency_p99": TIME,
    "latency_distance": None,
    "latency_distance_beyond_overhead": Tolerance(absolute=0.10),
    "latency_paired_median": TIME,
}
"""By figure of pairs of tasks; None: shown and not compared. Those of indicators stand where they are declared."""

_RESOURCES = {
    "sample.rss",
    "sample.broker_rss",
    "sample.clock",
    "sample.open_files",
    "sample.db_size",
    "sample.cpu",
    "sample.threads",
    "sample.runner_rss",
    "sample.runner_open_files",
}


def tolerance_of(sli: Sli) -> Tolerance | None:
    """The tolerance of an SLI, built in or the scenario's own; None: not compared, since only a real system has it."""
    measured = {event.type for part in sli.filters for event in part}
    return None if measured & _RESOURCES else sli.allowed()


SILENCE = "telemetry_gap"


def with_samples(declared: Tolerance, base: float | None, run: float | None, interval_s: float) -> Tolerance:
    """The tolerance of the longest silence in two runs: any two up to the interval of samples are alike.

    Between two samples it is only events that end a silence, and a real system has none while it drains and its checks run.
    """
    if base is None or run is None or interval_s <= min(base, run):
        return declared
    because = "samples are as far apart as telemetry.sample_interval"
    return replace(declared, absolute=interval_s - min(base, run), because=because)
