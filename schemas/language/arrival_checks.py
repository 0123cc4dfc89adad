"""Checks of `workload.arrivals` and `start` beyond the schema."""

import math
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

from soak.schemas.errors import Problem, Where, quoted
from soak.schemas.language.clock import Clock, ClockError, parse_start
from soak.schemas.language.shapes import (
    base_rate,
    is_shaped,
    point_times_s,
    scheduled_of,
    shape_of,
    stages_length_s,
    total,
)
from soak.schemas.language.trace_checks import arrivals_of_trace, trace_problems
from soak.schemas.language.view import View
from soak.schemas.units import show_duration

_ARRIVALS: Where = ("workload", "arrivals")
NAMED_ARRIVALS: tuple[Where, ...] = ((*_ARRIVALS, "bursts"), (*_ARRIVALS, "scheduled"))
"""Lists whose entries have names of their own."""

SHAPES = ("stages", "profile")
"""What says how the base rate changes: one of them at most."""
MOST_PIECES = 200_000
MAX_OCCURRENCES = 10_000


def _start(view: View) -> Iterator[Problem]:
    text, zone = view.get("start"), view.get("timezone")
    if not isinstance(text, str) or not _is_zone(zone):
        return
    try:
        parse_start(text, zone)
    except ClockError as error:
        yield view.problem(("start",), error.what, error.remedy)


def _is_zone(name: object) -> bool:
    try:
        return isinstance(name, str) and bool(ZoneInfo(name))
    except (ValueError, OSError, LookupError):
        return False


def clock_of(view: View) -> Clock | None:
    """The clock of the scenario; None where it is not valid."""
    text, zone = view.get("start"), view.get("timezone")
    if not _is_zone(zone):
        return None
    try:
        return Clock.of(parse_start(text, zone) if text is not None else None, zone)
    except (ClockError, TypeError):
        return None


def _forms(view: View) -> Iterator[Problem]:
    """That a rate is given, in one way."""
    arrivals = view.get(*_ARRIVALS)
    if not isinstance(arrivals, dict):
        return
    given = [key for key in SHAPES if key in arrivals]
    if not given and not {"rate", "count", "scheduled", "trace"} & set(arrivals):
        yield view.problem(_ARRIVALS, "needs the key 'rate'", "add rate: 5/min")
    if len(given) > 1:
        what = f"{given[0]} and {given[1]} both say how the rate changes"
        yield view.problem((*_ARRIVALS, given[1]), what, "keep one of them", at_key=True)
    if "profile" in arrivals and "rate" in arrivals:
        what = "the profile has the rate of every time"
        yield view.problem((*_ARRIVALS, "rate"), what, "remove rate", at_key=True)
    if "repeat" in arrivals and "stages" not in arrivals and "trace" not in arrivals:
        yield view.problem((*_ARRIVALS, "repeat"), "only stages are repeated", "remove repeat", at_key=True)
    if "count" in arrivals and "batch" in arrivals:
        what = "an exact number of arrivals cannot come in batches"
        yield view.problem((*_ARRIVALS, "batch"), what, "remove batch, or use scheduled", at_key=True)
    if "count" in arrivals and view.get("workload", "tasks") is not None:
        what = "workload.tasks says already how many tasks there are"
        yield view.problem((*_ARRIVALS, "count"), what, "keep one of them", at_key=True)


def _stages(view: View) -> Iterator[Problem]:
    reached_s, where = 0.0, (*_ARRIVALS, "stages")
    for place, stage in view.entries(*where):
        for_s, at_s = view.duration(*place, "for"), view.duration(*place, "at")
        if at_s is not None and at_s < reached_s:
            what = f"starts at {stage['at']}, inside the stage that ends at {show_duration(reached_s)}"
            yield view.problem((*place, "at"), what, "start it after that end")
        begin_s = reached_s if at_s is None else at_s
        reached_s = max(reached_s, begin_s + (for_s or 0.0))
        if for_s == 0 and "to" in stage:
            yield view.problem((*place, "to"), "a ramp takes time", "write rate instead of to, or a longer for")
    if reached_s == 0 and view.get(*_ARRIVALS, "repeat") is True and view.entries(*where):
        yield view.problem(where, "takes no time, and cannot be repeated", "write a longer for")


def _profile(view: View) -> Iterator[Problem]:
    where = (*_ARRIVALS, "profile", "points")
    every = view.get(*_ARRIVALS, "profile", "every")
    if every not in ("day", "week"):
        return
    seen: set[float] = set()
    for place, point in view.entries(*where):
        at = point.get("at")
        if not isinstance(at, str):
            continue
        try:
            times_s = point_times_s(at, every)
        except ValueError:
            remedy = (
                "write one from 00:00 to 23:59, in quotes"
                if every == "day"
                else "write one such as mon 09:00, or mon-fri 09:00"
            )
            yield view.problem((*place, "at"), f"{quoted(at)} is not a time of a {every}", remedy)
            continue
        if not seen.isdisjoint(times_s):
            yield view.problem((*place, "at"), f"{quoted(at)} has a rate already", "keep one of both points")
        seen.update(times_s)


def _bursts(view: View) -> Iterator[Problem]:
    duration_s = view.duration("duration")
    for where, burst in view.entries(*_ARRIVALS, "bursts"):
        if ("rate" in burst) == ("factor" in burst):
            what = "has both a rate and a factor" if "rate" in burst else "has neither a rate nor a factor"
            yield view.problem(where, what, "write rate: 20/min, or factor: 3")
        yield from _inside(view, where, duration_s)


def _inside(view: View, where: Where, duration_s: float | None) -> Iterator[Problem]:
    at_s = view.duration(*where, "at")
    if at_s is not None and duration_s is not None and at_s >= duration_s:
        what = f"first comes at {view.get(*where, 'at')}, but arrivals end at {show_duration(duration_s)}"
        yield view.problem((*where, "at"), what, "write an earlier time, or lengthen the run")


def _batch(view: View) -> Iterator[Problem]:
    where = (*_ARRIVALS, "batch")
    batch = view.get(*where)
    if not isinstance(batch, dict):
        return
    forms = [{"size"}, {"low", "high"}, {"mean"}]
    if set(batch) not in forms and set(batch) <= {"size", "low", "high", "mean"}:
        yield view.problem(where, "is not a size of batches", "write size: 10, low: 1 with high: 20, or mean: 5")
    low, high = batch.get("low"), batch.get("high")
    if isinstance(low, int) and isinstance(high, int) and high < low:
        yield view.problem((*where, "high"), f"is below {low}", "write a larger number")


def _scheduled(view: View) -> Iterator[Problem]:
    clock, duration_s = clock_of(view), view.duration("duration")
    for where, each in view.entries(*_ARRIVALS, "scheduled"):
        given = {"cron", "at", "every"} & set(each)
        if not given or ("cron" in given and len(given) > 1):
            what = "does not say when" if not given else "says twice when"
            yield view.problem(where, what, 'write cron: "0 2 * * *", or at: 2h and every: 24h')
            continue
        yield from _inside(view, where, duration_s)
        if clock is None or duration_s is None or not isinstance(each.get("cron"), str):
            continue
        try:
            if not scheduled_of({"name": "", "count": 1, **each}, duration_s, clock).times_s:
                what = f"{each['cron']} does not come within the {show_duration(duration_s)} of the run"
                yield view.problem((*where, "cron"), what, "write another time, or lengthen the run")
        except ValueError:
            what = f"{quoted(each['cron'])} is not a cron expression"
            yield view.problem(
                (*where, "cron"), what, 'write five fields, such as "0 2 * * *": minute hour day month weekday'
            )


def _any_work(view: View) -> Iterator[Problem]:
    """That a number of arrivals has a rate to be spread by."""
    arrivals, duration_s, clock = view.get(*_ARRIVALS), view.duration("duration"), clock_of(view)
    if not isinstance(arrivals, dict) or "count" not in arrivals or not duration_s or clock is None:
        return
    if _recur_too_often(view, duration_s) or _pieces(arrivals, duration_s) > MOST_PIECES:
        return
    try:
        shape = shape_of(arrivals, duration_s, clock)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return
    if shape is not None and not total(shape.pieces):
        yield view.problem((*_ARRIVALS, "count"), "the rate is 0 all the time", "write a rate above 0")


def planned_arrivals(view: View) -> float | None:
    """Expected arrivals of data that say more than a rate with a burst; None for others, and where they are not valid."""
    arrivals, duration_s, clock = view.get(*_ARRIVALS), view.duration("duration"), clock_of(view)
    if not isinstance(arrivals, dict) or not duration_s or clock is None:
        return None
    if "trace" in arrivals:
        return arrivals_of_trace(view, duration_s)
    if not is_shaped(arrivals) and not {"count", "scheduled"} & set(arrivals):
        return None
    if _recur_too_often(view, duration_s):
        return None
    try:
        if _pieces(arrivals, duration_s) > MOST_PIECES:
            return math.inf
        scheduled = [scheduled_of(each, duration_s, clock) for each in arrivals.get("scheduled", ())]
        shape = shape_of(arrivals, duration_s, clock)
        by_rate = total(shape.pieces) if shape else base_rate(arrivals, duration_s) * duration_s
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None
    return by_rate + sum(each.count * len(each.times_s) for each in scheduled)


def _recur_too_often(view: View, duration_s: float) -> bool:
    """Whether arrivals recur more often than may be: that is told elsewhere, and takes too long to look at."""
    entries = (*view.entries(*_ARRIVALS, "bursts"), *view.entries(*_ARRIVALS, "scheduled"))
    every_s = [view.duration(*where, "every") for where in ((*_ARRIVALS, "burst"), *(where for where, _ in entries))]
    return any(each_s and duration_s / each_s > MAX_OCCURRENCES for each_s in every_s)


def _pieces(arrivals: dict[str, object], duration_s: float) -> float:
    """About how many pieces repeated stages make."""
    if "stages" not in arrivals or not arrivals.get("repeat"):
        return 0.0
    length_s, stages = stages_length_s(arrivals), arrivals["stages"]
    return 2.0 * duration_s / length_s * len(stages) if length_s and isinstance(stages, list) else 0.0


ARRIVAL_CHECKS: tuple[Callable[[View], Iterator[Problem]], ...] = (
    _start,
    _forms,
    _stages,
    _profile,
    _bursts,
    _batch,
    _scheduled,
    _any_work,
    trace_problems,
)
