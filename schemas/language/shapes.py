"""Arrival rates that change: from the data of `workload.arrivals` to pieces over which the rate is linear.

Stages come one after the other; a profile is a function of the local clock; bursts replace whatever the rate is then. The
result is a function of scenario time, so that how arrivals are drawn from it does not depend on how it was written.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from msgspec.structs import replace

from soak.schemas import units
from soak.schemas.language.clock import DAY_S, WEEK_S, Clock
from soak.schemas.language.model import Batch, Piece, Rhythm, Scheduled, Shape
from soak.schemas.language.windows import Recurrence, Window, common_cycle_s

Data = Mapping[str, Any]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(DAYS)
_POINT = re.compile(rf"(?:({_DAY})(?:-({_DAY}))? )?([0-9]{{1,2}}):([0-9]{{2}})")
_ROUNDING = 1e-9


def is_shaped(arrivals: Data) -> bool:
    """Whether the rate is more than a constant with one recurring burst."""
    return not {"stages", "profile", "bursts"}.isdisjoint(arrivals) or (
        "burst" in arrivals and not {"count", "scheduled"}.isdisjoint(arrivals)
    )


def shape_of(arrivals: Data, duration_s: float, clock: Clock) -> Shape | None:
    """The shape of checked `arrivals`; None where a base rate and one recurring burst say it all."""
    if not is_shaped(arrivals):
        return None
    bursts = [_burst(each, duration_s) for each in _bursts(arrivals)]
    cycles: tuple[float, ...] = ()
    if "stages" in arrivals:
        base = list(_stages(arrivals, duration_s))
        cycles = (stages_length_s(arrivals),) if arrivals.get("repeat") else ()
    elif "profile" in arrivals:
        base = list(_profile(arrivals["profile"], duration_s, clock))
        cycles = (profile_period_s(arrivals["profile"]),)
    else:
        rate = base_rate(arrivals, duration_s)
        base = [Piece(0.0, duration_s, rate, rate)]
    rhythms = tuple(rhythm for rhythm, _ in bursts if rhythm.windows)
    regular = ("stages" not in arrivals or bool(arrivals.get("repeat"))) and len(list(clock.spells(duration_s))) == 1
    periods = [*cycles, *(rhythm.period_s for rhythm in rhythms)]
    pieces = tuple(_overlaid(base, bursts))
    if "count" in arrivals:
        pieces = _scaled(pieces, arrivals["count"] / (total(pieces) or 1.0))
    length_s = stages_length_s(arrivals) if "stages" in arrivals else 0.0
    return Shape(pieces, rhythms, cycles, common_cycle_s(periods, duration_s) if regular else 0.0, length_s)


def base_rate(arrivals: Data, duration_s: float) -> float:
    """Arrivals per second of a constant base rate."""
    return units.rate(arrivals["rate"]) if "rate" in arrivals else arrivals.get("count", 0) / duration_s


def total(pieces: Sequence[Piece]) -> float:
    """Expected arrivals over these pieces."""
    return math.fsum((piece.end_s - piece.start_s) * (piece.from_per_s + piece.to_per_s) / 2 for piece in pieces)


def _scaled(pieces: Sequence[Piece], factor: float) -> tuple[Piece, ...]:
    return tuple(
        replace(piece, from_per_s=piece.from_per_s * factor, to_per_s=piece.to_per_s * factor) for piece in pieces
    )


# Bursts.


def _bursts(arrivals: Data) -> Iterator[Data]:
    if "burst" in arrivals:
        yield {"name": "burst", "at": "0s", **arrivals["burst"]}
    yield from arrivals.get("bursts", ())


Burst = tuple[Rhythm, Callable[[float], float]]


def _burst(data: Data, duration_s: float) -> Burst:
    """When a burst takes place, and what it makes of a rate."""
    every_s = units.duration(data["every"]) if "every" in data else 0.0
    at_s = units.duration(data.get("at", "0s"))
    windows = Recurrence(at_s, units.duration(data["for"]), every_s).windows(duration_s)
    cut = tuple(Window(each.start_s, min(each.end_s, duration_s)) for each in windows)
    rhythm = Rhythm(data["name"], cut, every_s if len(cut) > 1 else 0.0)
    if "factor" in data:
        factor = float(data["factor"])
        return rhythm, lambda rate: rate * factor
    fixed = units.rate(data["rate"])
    return rhythm, lambda _: fixed


def _overlaid(base: Sequence[Piece], bursts: Sequence[Burst]) -> Iterator[Piece]:
    """The base pieces with the bursts in them; where bursts overlap, the first in the file decides."""
    edges = {edge for rhythm, _ in bursts for window in rhythm.windows for edge in (window.start_s, window.end_s)}
    cuts = sorted({*edges, *(piece.start_s for piece in base), base[-1].end_s})
    places, at = [0] * len(bursts), 0
    for start_s, end_s in pairwise(cuts):
        while base[at].end_s <= start_s:
            at += 1
        piece = _part(base[at], start_s, end_s)
        for number, (rhythm, change) in enumerate(bursts):
            while places[number] < len(rhythm.windows) and rhythm.windows[places[number]].end_s <= start_s:
                places[number] += 1
            if places[number] < len(rhythm.windows) and rhythm.windows[places[number]].start_s <= start_s:
                piece = Piece(start_s, end_s, change(piece.from_per_s), change(piece.to_per_s), burst=True)
                break
        yield piece


def _part(piece: Piece, start_s: float, end_s: float) -> Piece:
    slope = (piece.to_per_s - piece.from_per_s) / (piece.end_s - piece.start_s)
    first, last = (max(0.0, piece.from_per_s + slope * (t_s - piece.start_s)) for t_s in (start_s, end_s))
    return Piece(start_s, end_s, first, last, piece.burst)


# Stages.


def stages_length_s(arrivals: Data) -> float:
    """How long all stages take together, in seconds."""
    spans = list(stage_spans(arrivals["stages"]))
    return spans[-1][1] if spans else 0.0


def stage_spans(stages: Sequence[Data]) -> Iterator[tuple[float, float]]:
    """When each stage begins and ends, in seconds; one without `at` begins where the one before it ends."""
    end_s = 0.0
    for stage in stages:
        start_s = units.duration(stage["at"]) if "at" in stage else end_s
        end_s = start_s + units.duration(stage["for"])
        yield start_s, end_s


def _stages(arrivals: Data, duration_s: float) -> Iterator[Piece]:
    """The pieces of all stages, repeated if asked for: then each round begins as the first; otherwise the last rate stays."""
    stages, spans = arrivals["stages"], list(stage_spans(arrivals["stages"]))
    length_s, repeats = spans[-1][1], bool(arrivals.get("repeat"))
    first = units.rate(arrivals.get("rate", "0/s"))
    begin_s, rate = 0.0, first
    while begin_s < duration_s:
        reached_s = begin_s
        for stage, (start_s, end_s) in zip(stages, spans, strict=True):
            yield from _cut(Piece(reached_s, begin_s + start_s, rate, rate), duration_s)
            before = units.rate(stage["rate"]) if "rate" in stage else rate
            rate = units.rate(stage["to"]) if "to" in stage else before
            reached_s = begin_s + end_s
            yield from _cut(Piece(begin_s + start_s, reached_s, before, rate), duration_s)
        begin_s += length_s
        if not repeats:
            yield from _cut(Piece(reached_s, max(reached_s, duration_s), rate, rate), duration_s)
            return
        rate = first


def _cut(piece: Piece, until_s: float) -> Iterator[Piece]:
    """The piece up to a time, if there is anything of it."""
    end_s = min(piece.end_s, until_s)
    if end_s > piece.start_s:
        yield _part(piece, piece.start_s, end_s)


# Profiles.


def profile_period_s(profile: Data) -> float:
    """A day or a week, in seconds."""
    return WEEK_S if profile["every"] == "week" else DAY_S


def point_times_s(text: str, every: str) -> list[float]:
    """Seconds from the start of the day or week of a point: `09:00`, `mon 09:00`, and one a day of `mon-fri 09:00`.

    Raises ValueError.
    """
    match = _POINT.fullmatch(text)
    if not match or int(match[3]) > 23 or int(match[4]) > 59 or (match[1] is None) != (every == "day"):
        raise ValueError(text)
    first = DAYS.index(match[1]) if match[1] else 0
    last = DAYS.index(match[2]) if match[2] else first
    days = ((first + number) % len(DAYS) for number in range((last - first) % len(DAYS) + 1))
    return [day * DAY_S + int(match[3]) * 3600.0 + int(match[4]) * 60.0 for day in days]


def _profile(profile: Data, duration_s: float, clock: Clock) -> Iterator[Piece]:
    """The rate at each time is that of the profile at the local time: an hour that comes twice has its rates twice."""
    period_s, steps = profile_period_s(profile), profile.get("between") == "step"
    points = sorted(
        (at_s, units.rate(each["rate"]))
        for each in profile["points"]
        for at_s in point_times_s(each["at"], profile["every"])
    )
    first, last = points[0], points[-1]
    around = [(last[0] - period_s, last[1]), *points, (first[0] + period_s, first[1])]
    for spell in clock.spells(duration_s):
        local_s, end_s = spell.start_s + spell.local_s, spell.end_s + spell.local_s
        for turn in range(math.floor(local_s / period_s), math.ceil(end_s / period_s)):
            for (at_s, rate), (next_s, next_rate) in pairwise(around):
                begin, finish = at_s + turn * period_s - spell.local_s, next_s + turn * period_s - spell.local_s
                low = max(begin, spell.start_s, turn * period_s - spell.local_s)
                high = min(finish, spell.end_s, (turn + 1) * period_s - spell.local_s)
                if high - low > _ROUNDING:
                    yield _part(Piece(begin, finish, rate, rate if steps else next_rate), low, high)


# Set times, batches.


def batch_of(arrivals: Data) -> Batch | None:
    """The sizes of batches, if arrivals come in batches."""
    data = arrivals.get("batch")
    if data is None:
        return None
    if "mean" in data:
        return Batch(geometric_mean=float(data["mean"]))
    return Batch(data.get("size", data.get("low")), data.get("size", data.get("high")))


def scheduled_of(data: Data, duration_s: float, clock: Clock) -> Scheduled:
    """Arrivals at set times below `duration_s`."""
    if "cron" in data:
        times, period_s = tuple(cron_times(data["cron"], duration_s, clock)), 0.0
        gaps = {after - before for before, after in pairwise(times)}
        period_s = gaps.pop() if len(gaps) == 1 else 0.0
    else:
        period_s = units.duration(data["every"]) if "every" in data else 0.0
        windows = Recurrence(units.duration(data["at"]) if "at" in data else period_s, 0.0, period_s).windows(
            duration_s
        )
        times = tuple(window.start_s for window in windows)
    return Scheduled(data["name"], data["count"], times, period_s, data.get("kind", ""))


def cron_times(expression: str, duration_s: float, clock: Clock) -> Iterator[float]:
    """The scenario times at which a cron expression holds. Raises ValueError for one that is none."""
    from cronsim import CronSim, CronSimError

    try:
        moments = CronSim(expression, clock.at(-1.0))
    except CronSimError as error:
        raise ValueError(str(error)) from None
    for moment in moments:
        t_s = clock.scenario_s(moment)
        if t_s >= duration_s:
            return
        if t_s >= 0:
            yield t_s
