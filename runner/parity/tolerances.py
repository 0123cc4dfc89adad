"""How far two runs may be apart: one table, a tolerance for each compared figure."""

from collections.abc import Mapping
from dataclasses import dataclass

from soak.schemas.language.expression import Unit
from soak.schemas.language.slis import Sli


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The largest difference: `absolute` in base units, a share of the base's value, or `real_s` of the real clock.

    The largest of the three counts. A second of the real clock is `speed` seconds of scenario time, and so are the
    overheads of a real system that a model does not have.
    """

    absolute: float = 0.0
    relative: float = 0.0
    real_s: float = 0.0

    def allowed(self, base: float, speed: float) -> float:
        """The largest difference from `base`, in base units."""
        return max(self.absolute, self.relative * abs(base), self.real_s * speed)

    def words(self, unit: Unit) -> str:
        """The tolerance for people."""
        parts = [f"{self.relative * 100:g} %"] if self.relative else []
        parts += [self._share(unit)] if self.absolute else []
        parts += [f"{self.real_s:g} s on the real clock"] if self.real_s else []
        return " or ".join(parts) or "exact"

    def _share(self, unit: Unit) -> str:
        if unit is not Unit.RATIO:
            return unit.show(self.absolute)
        points = self.absolute * 100
        return f"{points:g} point{'' if points == 1 else 's'}"


OVERHEAD_S = 0.05
"""What a real system may take for each task on top of what a model does, in seconds of the real clock."""

EXACT = Tolerance()
_TIME = Tolerance(relative=0.10, real_s=OVERHEAD_S)
_WAIT = Tolerance(relative=0.20, real_s=OVERHEAD_S)
_EXTREME = Tolerance(relative=0.25, real_s=0.5)
_SHARE = Tolerance(absolute=0.02)
_TOTAL = Tolerance(relative=0.02)
_FEW = Tolerance(absolute=2, relative=0.10)

TOLERANCES: Mapping[str, Tolerance | None] = {
    # Pairs of tasks: shares of them that are not the same.
    "tasks_accepted_in_one": Tolerance(absolute=0.01),
    "tasks_in_other_state": Tolerance(absolute=0.01),
    "attempts_mean": Tolerance(relative=0.03),
    "tasks_with_other_attempts": Tolerance(absolute=0.03),
    # The distribution of the latency of all tasks.
    "task_latency_p50": _TIME,
    "task_latency_p90": _TIME,
    "task_latency_p95": _TIME,
    "task_latency_p99": _TIME,
    "latency_distance": None,
    "latency_distance_beyond_overhead": Tolerance(absolute=0.10),
    "latency_paired_median": _TIME,
    # The SLIs of the verdict.
    "success_rate": Tolerance(absolute=0.005),
    "recovery_rate": _SHARE,
    "lease_recovery_rate": _SHARE,
    "duplicate_block_rate": _SHARE,
    "latency_mean": _TIME,
    "latency_p50": _TIME,
    "latency_p95": _TIME,
    "latency_p99": _TIME,
    "latency_max": _EXTREME,
    "wait_mean": _WAIT,
    "wait_p50": _WAIT,
    "wait_p95": _WAIT,
    "wait_p99": _WAIT,
    "wait_max": _EXTREME,
    **{f"redelivery_time_{each}": _WAIT for each in ("mean", "p50", "p95", "p99")},
    "redelivery_time_max": _EXTREME,
    "duplicate_executions": EXACT,
    "guardrail_unblocked": EXACT,
    "backoff_violations": EXACT,
    "excess_attempts": EXACT,
    "lost_tasks": EXACT,
    "illegal_transitions": EXACT,
    "lease_contentions": Tolerance(absolute=5, relative=0.25),
    "stall_time": _EXTREME,
    "state_transitions": _TOTAL,
    # The deepest sample: one hiccup of the machine decides it at high speed. `oldest_pending` tells the same in time.
    "queue_depth": None,
    "oldest_pending": _EXTREME,
    "throughput": _TOTAL,
    # The calls of a client. What depends on who comes first differs from run to run.
    "first_call_success_rate": _SHARE,
    "call_success_rate": _SHARE,
    "calls": _TOTAL,
    "timeouts": _FEW,
    "rejections": _FEW,
    **{f"recovery_time_{each}": _WAIT for each in ("mean", "p50", "p95", "p99", "max")},
    "degraded_tasks": EXACT,
    "circuit_openings": _FEW,
    "lost_updates": Tolerance(relative=0.5, absolute=5),
    **{f"heal_time_{each}": _EXTREME for each in ("mean", "p50", "p95", "p99", "max")},
    **{f"rollback_time_{each}": _EXTREME for each in ("mean", "p50", "p95", "p99", "max")},
    "in_flight": Tolerance(relative=0.5, absolute=3),
    "memory_used": _SHARE,
    "memory_held": _SHARE,
    "submission_lag_p99": Tolerance(real_s=OVERHEAD_S),
    "telemetry_gap": _EXTREME,
    # Slopes near zero: their size says nothing.
    "queue_depth_growth": None,
    "latency_growth": None,
    # A model has no memory, files or database.
    "rss": None,
    "rss_growth": None,
    "open_files": None,
    "open_files_growth": None,
    "threads": None,
    "threads_growth": None,
    "runner_rss": None,
    "runner_rss_growth": None,
    "runner_open_files": None,
    "runner_open_files_growth": None,
    "db_size": None,
    "db_size_growth": None,
}
"""By figure; None: shown and not compared."""

_BY_UNIT: Mapping[Unit, Tolerance] = {
    Unit.RATIO: _SHARE,
    Unit.DURATION: _TIME,
    Unit.COUNT: Tolerance(absolute=1, relative=0.05),
    Unit.RATE: Tolerance(relative=0.05),
    Unit.SIZE: Tolerance(relative=0.10),
}
"""For the SLIs that a scenario defines itself."""

_RESOURCES = {
    "sample.rss",
    "sample.open_files",
    "sample.db_size",
    "sample.cpu",
    "sample.threads",
    "sample.runner_rss",
    "sample.runner_open_files",
}


def tolerance_of(sli: Sli) -> Tolerance | None:
    """The tolerance of an SLI, built in or the scenario's own; None: not compared, since only a real system has it."""
    if sli.name in TOLERANCES:
        return TOLERANCES[sli.name]
    measured = {event.type for part in sli.filters for event in part}
    return None if measured & _RESOURCES else _BY_UNIT.get(sli.unit)
