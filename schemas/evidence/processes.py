"""What run_manifest.json holds of a system of processes under a supervisor: a fold over the stream, with ids from outside it."""

import msgspec


class Moment(msgspec.Struct, frozen=True):
    """An instant: `t_s` in scenario time, `at` on the wall in UTC, `local` in the scenario's time zone (both ISO 8601)."""

    t_s: float
    at: str
    local: str


class Restart(msgspec.Struct, frozen=True):
    """An exit of a process and what followed. Seconds of scenario time; None: it did not happen.

    fault: empty where no fault of the scenario caused it. backoff_planned_s: what the supervisor's settings ask for;
    backoff_observed_s: from the exit to the start. restart_time_s: until it is healthy and, if it writes anything, has new
    output; from the exit, or from an earlier one from which it had not come back.
    """

    exited_s: float
    fault: str
    started_s: float | None
    healthy_s: float | None
    output_s: float | None
    backoff_planned_s: float | None
    backoff_observed_s: float | None
    restart_time_s: float | None


class ProcessRecord(msgspec.Struct, frozen=True):
    """A process. restart_count: starts after an exit; reported_restart_count: what its supervisor says of itself, None: nothing.

    pids: process ids in the order in which they were seen; empty for a simulation.
    """

    name: str
    restart_count: int
    reported_restart_count: int | None
    abandoned: bool
    orphans: int
    pids: list[int]
    restarts: list[Restart]


class ShutdownOrder(msgspec.Struct, frozen=True):
    """How the processes were ended. observed: in the order in which they were; left_in_queues: records that wait at the end."""

    started_s: float | None
    planned: list[str]
    observed: list[str]
    left_in_queues: dict[str, int]


class ResourceUsage(msgspec.Struct, frozen=True):
    """Of a process, as sampled from outside: bytes, files, and CPU as a share of a core. None: never sampled."""

    samples: int
    rss_max_bytes: float | None
    rss_last_bytes: float | None
    open_files_max: float | None
    cpu_mean: float | None


class SystemExport(msgspec.Struct, frozen=True):
    """Exports of time series that the system makes itself. longest_gap_s: between two that succeeded, None: fewer than two."""

    every_s: float
    export_count: int
    error_count: int
    longest_gap_s: float | None


class SourceMetrics(msgspec.Struct, frozen=True):
    """What came of the source at its reader. dropped: at a full buffer; missed: never got."""

    process: str
    records_sent: int
    records_dropped: int
    records_missed: int
    reconnects: int
    stream_timeouts: int


class OwnAlert(msgspec.Struct, frozen=True):
    """A firing of an alert that the system itself reports. resolved: None where it still fires at the end."""

    rule: str
    level: str
    fired: Moment
    resolved: Moment | None
    details: str
