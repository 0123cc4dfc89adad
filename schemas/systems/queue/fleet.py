"""The workers of a queue over time: by schedule, by a rule, and by faults that strike them at times."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from soak.schemas import units
from soak.schemas.language.faults import AT_ONCE_S, FaultSpec, Timed
from soak.schemas.language.windows import Recurrence
from soak.schemas.stream.events import Kind
from soak.schemas.systems.queue.faults import QueueFault

MOMENTARY = frozenset(
    {
        QueueFault.WORKER_CRASH,
        QueueFault.WORKER_RESTART,
        QueueFault.ROLLING_RESTART,
        QueueFault.WORKER_KILL,
        QueueFault.WORKER_TERM,
    }
)
"""Faults of workers at a time, without a duration of their own."""

OF_WORKERS = MOMENTARY | {QueueFault.SLOW_WORKER, QueueFault.WORKER_HANG}
"""Faults that strike workers at times, whatever these do."""

CRASH_AT_A_TIME = FaultSpec(QueueFault.WORKER_CRASH, (Kind.PROCESS_EXITED,), dies=True)
"""A `worker_crash` without a rate."""

HANG_AT_A_TIME = FaultSpec(QueueFault.WORKER_HANG, (Kind.FAULT_SEEN,))
"""A `worker_hang` without a rate."""

_AT_A_TIME = {QueueFault.WORKER_CRASH: CRASH_AT_A_TIME, QueueFault.WORKER_HANG: HANG_AT_A_TIME}

ALL = 1_000_000
"""As many workers as there are."""


class Step(Struct, frozen=True):
    """From `at_s` on there are `workers`."""

    at_s: float
    workers: int


class Scaling(Struct, frozen=True):
    """A rule that is looked at at every multiple of `every_s`.

    With more than `queue_depth` tasks PENDING, `out_by` workers are added and up after `delay_s`; otherwise up to `in_by` leave
    that have had no task for `idle_s` (None: they stay). There are never fewer than `least` or more than `most`.
    """

    least: int
    most: int
    queue_depth: int
    out_by: int
    every_s: float
    delay_s: float
    idle_s: float | None = None
    in_by: int = 1


class Strike(Struct, frozen=True):
    """What a fault does to workers or attempts.

    workers: how many it strikes at once. restart_s: until one that it took away is back. each_s: least time from one worker
    to the next. factor: how many times as long attempts take.
    """

    workers: int = 1
    restart_s: float = 0.0
    each_s: float = 0.0
    factor: float = 1.0


class Fleet(Struct, frozen=True):
    """The workers over time.

    strikes: what faults do to workers and attempts, by name. struck: whether any of them strike workers at times.
    """

    steps: tuple[Step, ...] = ()
    scaling: Scaling | None = None
    strikes: Mapping[str, Strike] = field(default_factory=dict)
    struck: bool = False

    @property
    def varies(self) -> bool:
        """Whether there is anything to say of the number of workers over time, beside crashes by rate."""
        return bool(self.steps or self.scaling or self.struck)

    def planned(self, workers: int, t_s: float) -> int:
        """Workers by schedule at a time, of a queue that starts with `workers`; with a rule the fewest that it leaves."""
        if self.scaling:
            return self.scaling.least if t_s else workers
        return next((step.workers for step in reversed(self.steps) if step.at_s <= t_s), workers)

    def most(self, workers: int) -> int:
        """The highest number of workers that is planned at any time."""
        if self.scaling:
            return max(workers, self.scaling.most)
        return max([workers, *(step.workers for step in self.steps)])


def build_fleet(scenario: Mapping[str, Any]) -> Fleet:
    """The fleet of checked data, defaults filled in."""
    queue = scenario["queue"]
    steps = tuple(Step(units.duration(each["at"]), each["workers"]) for each in queue.get("schedule", ()))
    faults = scenario["faults"]
    restart_s = units.duration(queue["worker_restart"])
    return Fleet(
        steps=steps,
        scaling=_scaling(queue["scaling"]) if "scaling" in queue else None,
        strikes={each["name"]: _strike(each, restart_s) for each in faults if _strikes(each)},
        struck=any(strikes_workers(each) for each in faults),
    )


def strikes_workers(fault: Mapping[str, Any]) -> bool:
    """Whether a fault, as written, strikes workers at times, whatever these do."""
    return fault["type"] in OF_WORKERS and "rate" not in fault


def _strikes(fault: Mapping[str, Any]) -> bool:
    return strikes_workers(fault) or fault["type"] == QueueFault.SLOW_TASK


def _scaling(data: Mapping[str, Any]) -> Scaling:
    leaves = data.get("in")
    return Scaling(
        least=data["min"],
        most=data["max"],
        queue_depth=data["out"]["queue_depth"],
        out_by=data["out"]["by"],
        every_s=units.duration(data["every"]),
        delay_s=units.duration(data["delay"]),
        idle_s=units.duration(leaves["idle"]) if leaves else None,
        in_by=leaves["by"] if leaves else 1,
    )


def _strike(data: Mapping[str, Any], restart_s: float) -> Strike:
    return Strike(
        workers=ALL if data.get("workers") == "all" else data.get("workers", 1),
        restart_s=units.duration(data["restart_after"]) if "restart_after" in data else restart_s,
        each_s=units.duration(data["each"]) if "each" in data else 0.0,
        factor=float(data.get("factor", 1.0)),
    )


def timed(data: Mapping[str, Any], workers: int, fleet: Fleet, spec: FaultSpec) -> Timed | None:
    """When a fault of workers takes place, how long it lasts if nothing delays it, and how many it strikes; None for others."""
    if not strikes_workers(data):
        return None
    strike = fleet.strikes[data["name"]]
    every_s = units.duration(data["every"]) if "every" in data else 0.0
    at_s = units.duration(data["at"]) if "at" in data else every_s
    rolling = data["type"] == QueueFault.ROLLING_RESTART

    def struck(t_s: float) -> int:
        return fleet.planned(workers, t_s) if rolling or strike.workers == ALL else strike.workers

    if "for" in data:
        lasts_s = units.duration(data["for"])
    elif rolling:
        lasts_s = (struck(at_s) - 1) * max(strike.each_s, strike.restart_s) + strike.restart_s
    else:
        lasts_s = strike.restart_s
    kind = _AT_A_TIME.get(data["type"], spec)
    return Timed(kind, Recurrence(at_s, max(lasts_s, AT_ONCE_S), every_s, data.get("times", 0)), struck)
