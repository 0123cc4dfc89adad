"""How long it takes to clear what arrives at set times, in the fluid limit: its work over what the rate leaves of the workers.

A backlog is the work that waits, in seconds of workers (of a rate limit: in attempts). It is gone when all of it is done,
whatever came in between. Outages are left aside, and so is the time between attempts.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from soak.schemas.language.model import Scenario
from soak.schemas.units import show_duration
from soak.simulation.shares import AtOnce

Steps = Sequence[tuple[float, float]]
"""From which time on a value is what; the first from 0 on, the last for ever."""

_ROUNDING = 1e-9


class SetTimeFigures(Struct, frozen=True):
    """Tasks that arrive at set times: how many at once, how often, and how long until they are cleared.

    cleared_after_s: the longest of all times; None if one is not in the run with its drain. workers: those whose work it is,
    None where their number changes. queue: whose workers they are, where they belong to queues.
    """

    name: str
    count: int
    times: int
    cleared_after_s: float | None
    workers: int | None
    queue: str = ""


class Lane(Struct, frozen=True):
    """Workers that share their work, or a rate limit: what is left of them over time, and the work in each of the arrivals.

    least_s: how long a task of each takes at least, with its retries. workers, queue: see `SetTimeFigures`.
    """

    spare: Steps
    work: Sequence[float]
    least_s: Sequence[float]
    workers: int | None
    queue: str = ""


def left_over(able: Steps, load: Steps) -> Steps:
    """What a load leaves of the capacity that there is, over time."""
    able_s, load_s = [t_s for t_s, _ in able], [t_s for t_s, _ in load]
    found = []
    for t_s in sorted({*able_s, *load_s}):
        there, taken = able[bisect_right(able_s, t_s) - 1][1], load[bisect_right(load_s, t_s) - 1][1]
        found.append((t_s, 0.0 if abs(there - taken) <= there * _ROUNDING else there - taken))
    return found


def cleared_s(spare: Steps, jobs: Sequence[tuple[float, float]]) -> list[float]:
    """When no work waits for the first time after each job came (inf: never). jobs: when, in order, and how much work."""
    found, waiting = [math.inf] * len(jobs), list[int]()
    backlog, next_job = 0.0, 0
    for (start_s, gain), (end_s, _) in pairwise([*spare, (math.inf, 0.0)]):
        now = start_s
        while True:
            coming = next_job < len(jobs) and jobs[next_job][0] < end_s
            until_s = jobs[next_job][0] if coming else end_s
            if gain > 0 and now + backlog / gain <= until_s:
                for job in waiting:
                    found[job] = now + backlog / gain
                backlog, waiting = 0.0, []
            elif until_s < math.inf:
                backlog -= gain * (until_s - now)
            if not coming:
                break
            backlog, now = backlog + jobs[next_job][1], until_s
            waiting.append(next_job)
            next_job += 1
    return found


def set_time_figures(scenario: Scenario, arrivals: Sequence[AtOnce], lanes: Sequence[Lane]) -> list[SetTimeFigures]:
    """The figures of each entry, of the slowest of the lanes that have work of it."""
    after_s = [[0.0] * len(arrivals) for _ in lanes]
    for lane, found in zip(lanes, after_s, strict=True):
        jobs = [place for place, work in enumerate(lane.work) if work]
        ends_s = cleared_s(lane.spare, [(arrivals[place].t_s, lane.work[place]) for place in jobs])
        for place, end_s in zip(jobs, ends_s, strict=True):
            found[place] = max(end_s - arrivals[place].t_s, lane.least_s[place])
    figures = []
    for name, places in _entries(arrivals):
        slowest = max(range(len(lanes)), key=lambda lane: max(after_s[lane][place] for place in places))
        longest_s = max(after_s[slowest][place] for place in places)
        late = any(arrivals[place].t_s + after_s[slowest][place] > scenario.horizon_s + _ROUNDING for place in places)
        count = round(max(arrivals[place].count for place in places))
        lane = lanes[slowest]
        figures.append(SetTimeFigures(name, count, len(places), None if late else longest_s, lane.workers, lane.queue))
    return figures


def set_time_warnings(scenario: Scenario, arrivals: Sequence[AtOnce], lanes: Sequence[Lane]) -> list[str]:
    """Where an entry, were it alone, is not cleared before it comes again or before the run ends; then all of them together."""
    found = [
        warning
        for name, places in _entries(arrivals)
        if (warning := next((told for lane in lanes if (told := _alone(scenario, arrivals, places, lane))), ""))
    ]
    if found:
        return found
    for lane in lanes:
        jobs = [(each.t_s, work) for each, work in zip(arrivals, lane.work, strict=True) if work]
        if any(end_s > scenario.horizon_s * (1 + _ROUNDING) for end_s in cleared_s(lane.spare, jobs)):
            return [
                f"all that arrives at set times is too much for {with_workers(lane)} together: a backlog is left at the end"
            ]
    return []


def _alone(scenario: Scenario, arrivals: Sequence[AtOnce], places: Sequence[int], lane: Lane) -> str:
    jobs = [(arrivals[place].t_s, lane.work[place]) for place in places if lane.work[place]]
    for place, end_s in enumerate(cleared_s(lane.spare, jobs)):
        begin_s = jobs[place][0]
        next_s = jobs[place + 1][0] if place + 1 < len(jobs) else math.inf
        if end_s <= min(next_s, scenario.horizon_s) * (1 + _ROUNDING):
            continue
        needs_s = cleared_s(lane.spare, [jobs[place]])[0] - begin_s
        each = arrivals[places[place]]
        takes = "are never cleared" if math.isinf(needs_s) else f"take about {about(needs_s)} to clear"
        what = f"{each.name}: {round(each.count):,} tasks at once {takes} with {with_workers(lane)}"
        if next_s <= scenario.horizon_s:
            return f"{what}, and come again after {show_duration(next_s - begin_s)}: a backlog builds up"
        left = show_duration(scenario.horizon_s - begin_s)
        return f"{what}, and the run with its drain ends {left} after they come: a backlog is left"
    return ""


def _entries(arrivals: Sequence[AtOnce]) -> Iterator[tuple[str, list[int]]]:
    """By entry: its name and the places of its arrivals."""
    places: dict[str, list[int]] = {}
    for place, each in enumerate(arrivals):
        places.setdefault(each.name, []).append(place)
    yield from places.items()


def with_workers(of: Lane | SetTimeFigures) -> str:
    """Which workers they are, in words."""
    if of.workers is None:
        return "the workers as planned"
    some = f"{of.workers} worker{'' if of.workers == 1 else 's'}"
    return f"the {some} of {of.queue}" if of.queue else some


def about(duration_s: float) -> str:
    """A duration, no more exactly than it can be known."""
    unit_s = 60 if duration_s >= 600 else 1 if duration_s >= 10 else 0.1
    return show_duration(round(round(duration_s / unit_s) * unit_s, 1))


def set_time_lines(figures: Sequence[SetTimeFigures]) -> list[str]:
    """A line for each entry."""
    lines = []
    for place, each in enumerate(figures):
        often, longest = (f", {each.times} times", " at most") if each.times > 1 else ("", "")
        when = "not cleared in the run"
        if each.cleared_after_s is not None:
            when = f"cleared after about {about(each.cleared_after_s)}{longest}"
        told = f"{each.count:,} task{'s' if each.count != 1 else ''} at once{often}, {when} with {with_workers(each)}"
        lines.append(f"  {'' if place else 'at set times':12}  {each.name}: {told}")
    return lines
