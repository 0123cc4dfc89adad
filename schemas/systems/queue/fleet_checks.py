"""What cannot be of the workers of a queue over time."""

from collections.abc import Callable, Iterator
from typing import Any

from soak.schemas.errors import Problem, Where
from soak.schemas.language.view import View
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.fleet import OF_WORKERS
from soak.schemas.units import show_duration

_AT_A_TIME = ("workers", "restart_after")
"""Keys of a `worker_crash` that has no rate."""


def _schedule(view: View) -> Iterator[Problem]:
    """Steps in order, inside the run; a schedule or a rule."""
    where: Where = ("queue", "schedule")
    if view.get(*where) is not None and view.get("queue", "scaling") is not None:
        what = "schedule and scaling both set the number of workers"
        yield view.problem(where, what, "keep one of them", at_key=True)
    duration_s, before_s = view.duration("duration"), -1.0
    for step, _ in view.entries(*where):
        at_s = view.duration(*step, "at")
        if at_s is None:
            continue
        if at_s <= before_s:
            what = f"{show_duration(at_s)} is not after the step before ({show_duration(before_s)})"
            yield view.problem((*step, "at"), what, "put the steps in order of time, one for each time")
        elif duration_s is not None and at_s >= duration_s:
            what = f"is at {show_duration(at_s)}, but the run ends at {show_duration(duration_s)}"
            yield view.problem((*step, "at"), what, "put it inside the run")
        before_s = max(before_s, at_s)


def _scaling(view: View) -> Iterator[Problem]:
    """Bounds that hold at the start, too, and steps that fit between them."""
    where: Where = ("queue", "scaling")
    least, most, workers = (_whole(view, *place) for place in ((*where, "min"), (*where, "max"), ("queue", "workers")))
    if least is None or most is None:
        return
    if least > most:
        yield view.problem((*where, "min"), f"{least} is above max ({most})", "write a smaller one, or raise max")
    elif workers is not None and not least <= workers <= most:
        what = f"the queue starts with {workers} workers, which is not between min ({least}) and max ({most})"
        yield view.problem(where, what, "write queue.workers between them", at_key=True)
    if (depth := _whole(view, *where, "out", "queue_depth")) is not None and depth > 0 and least == most:
        yield view.problem((*where, "max"), f"min and max are both {most}: the rule never does anything", "raise max")


def _whole(view: View, *where: str | int) -> int | None:
    value = view.get(*where)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _faults(view: View) -> Iterator[Problem]:
    """Faults of workers: at a time, or by rate; no more workers than there are."""
    for where, item in view.entries("faults"):
        kind = str(item.get("type"))
        if kind == QueueFault.WORKER_CRASH:
            yield from _crash(view, where, item)
        if kind == QueueFault.WORKER_HANG:
            yield from _hang(view, where, item)
        if kind in OF_WORKERS and "rate" not in item and view.get("queue", "queues") is None:
            yield from _struck(view, where, item)


def _crash(view: View, where: Where, item: dict[str, Any]) -> Iterator[Problem]:
    timed = "at" in item or "every" in item
    if "rate" not in item:
        if not timed:
            yield view.problem(where, "worker_crash has neither a rate nor a time", "add rate: 0.2%, or at: 1h")
        if "for" in item:
            what = "workers that die at a time have no `for`"
            yield view.problem((*where, "for"), what, "write restart_after, or add a rate")
        return
    for key in _AT_A_TIME:
        if key in item:
            what = f"{key!r} is of a worker_crash at a time, and this one has a rate"
            yield view.problem((*where, key), what, "remove it, or write at instead of rate")
    if timed and "for" not in item:
        yield view.problem(where, "a worker_crash with a rate and a start time needs the key 'for'", "add for: 10m")


def _hang(view: View, where: Where, item: dict[str, Any]) -> Iterator[Problem]:
    if "rate" not in item:
        if "at" not in item and "every" not in item:
            yield view.problem(where, "worker_hang has neither a rate nor a time", "add rate: 0.2%, or at: 1h")
        if "hang_for" in item:
            what = "workers that hang at a time do so for `for`"
            yield view.problem((*where, "hang_for"), what, "remove it, or add a rate")
        return
    if "hang_for" not in item:
        yield view.problem(where, "a worker_hang with a rate needs the key 'hang_for'", "add hang_for: 30s")
    for key in ("workers", "times"):
        if key in item:
            what = f"{key!r} is of a worker_hang at a time, and this one has a rate"
            yield view.problem((*where, key), what, "remove it, or write at instead of rate")


def _struck(view: View, where: Where, item: dict[str, Any]) -> Iterator[Problem]:
    at_s, duration_s = view.duration(*where, "at" if "at" in item else "every"), view.duration("duration")
    if at_s is None:
        return
    if duration_s is not None and at_s >= duration_s and "for" not in item:
        what = f"first starts at {show_duration(at_s)}, but the run ends at {show_duration(duration_s)}"
        yield view.problem((*where, "at" if "at" in item else "every"), what, "start it inside the run")
    there = _planned(view, at_s)
    lasts_s = _lasts(view, where, item, there)
    yield from _in_time(view, where, item, at_s, lasts_s)
    struck, most = item.get("workers", 1), _whole(view, "queue", "scaling", "max")
    if view.get("queue", "scaling") is not None:
        # How many workers the rule has brought by then only the run shows.
        if isinstance(struck, int) and most is not None and struck > most:
            what = f"strikes {struck} workers, but there are never more than {most} (scaling.max)"
            yield view.problem((*where, "workers"), what, "write a smaller number, or raise max")
    elif isinstance(struck, int) and there is not None and struck > there:
        what = f"strikes {struck} workers, but at {show_duration(at_s)} there are {there}"
        yield view.problem((*where, "workers"), what, "write a smaller number")


def _lasts(view: View, where: Where, item: dict[str, Any], there: int | None) -> float | None:
    """How long a fault of workers takes that has no `for`, if nothing delays it; None where that is not known."""
    own_s = view.duration(*where, "restart_after")
    restart_s = view.duration("queue", "worker_restart") if own_s is None else own_s
    if restart_s is None or "for" in item:
        return None
    each_s = view.duration(*where, "each")
    return restart_s if each_s is None else restart_s + ((there or 1) - 1) * max(each_s, restart_s)


def _in_time(view: View, where: Where, item: dict[str, Any], at_s: float, lasts_s: float | None) -> Iterator[Problem]:
    """It is over before the run is, and before it comes again."""
    every_s, duration_s = view.duration(*where, "every"), view.duration("duration")
    if lasts_s is None or duration_s is None or at_s >= duration_s:
        return
    if every_s is not None and lasts_s >= every_s:
        what = f"takes {show_duration(lasts_s)}, which does not fit into every {show_duration(every_s)}"
        yield view.problem((*where, "every"), what, "write a longer time")
    elif every_s is None and at_s + lasts_s > duration_s:
        what = f"is over at {show_duration(at_s + lasts_s)}, but the run ends at {show_duration(duration_s)}"
        yield view.problem((*where, "at"), what, "start it earlier")


def _planned(view: View, t_s: float) -> int | None:
    """Workers by schedule at a time, or the fewest that a rule leaves; None where that is not known."""
    if view.get("queue", "scaling") is not None:
        return _whole(view, "queue", "scaling", "min")
    there = _whole(view, "queue", "workers")
    for step, item in view.entries("queue", "schedule"):
        at_s, workers = view.duration(*step, "at"), item.get("workers")
        if at_s is not None and at_s <= t_s and isinstance(workers, int) and workers > 0:
            there = workers
    return there


FLEET_CHECKS: tuple[Callable[[View], Iterator[Problem]], ...] = (_schedule, _scaling, _faults)
