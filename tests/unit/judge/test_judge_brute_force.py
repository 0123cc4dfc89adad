"""Windowed conditions, timers and stalls against what a few lines of slow Python say."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from histories import scenario, sli
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.timer import Timer, Transition
from soak.runner.judge.watch import Watch
from soak.schemas.language.conditions import Condition
from soak.schemas.language.expression import Op
from soak.schemas.language.slis import Aggregate

HALF_S = 0.5
END = 80 * HALF_S

CONDITIONS = [
    "success_rate < 60%",
    "success_rate >= 50%",
    "success_rate == 100%",
    "latency_mean > 2s",
    "latency_mean <= 2500ms",
    "latency_p50 > 2s",
    "latency_p50 >= 2s",
    "latency_p95 < 3s",
    "latency_p95 <= 3s",
    "latency_max >= 4s",
    "latency_max < 4s",
    "queue_depth > 2",
    "queue_depth <= 2",
    "state_transitions >= 3",
    "state_transitions < 2",
    "state_transitions == 1",
]
RATES = ["throughput > 1/s", "throughput >= 1/s", "throughput <= 0.25/s", "throughput < 0.5/s"]
WINDOWS = [", window: 500ms", ", window: 3s", ", window: 10s"]
CASES = [(when, "") for when in CONDITIONS] + [(when, window) for when in CONDITIONS + RATES for window in WINDOWS]


def condition(when: str, window: str, least: int) -> Condition:
    """The condition that a scenario's alert watches."""
    return scenario(f"alerts: [{{name: x, when: {when}{window}, min_samples: {least}}}]").alerts[0].condition


@dataclass(frozen=True)
class Observation:
    """One observation, made after so many half seconds."""

    at: int
    value: float


def value_of(watched: Condition, observed: list[Observation]) -> float:
    """The SLI over these observations; NaN when nothing can be said."""
    aggregate = watched.comparison.sli.aggregate
    inside = [each.value for each in observed]
    counted = aggregate in {Aggregate.COUNT, Aggregate.RATE}
    if len(inside) < watched.min_samples and (not counted or watched.min_samples > 1):
        return math.nan
    if aggregate is Aggregate.COUNT:
        return sum(inside)
    if aggregate is Aggregate.RATE:
        return len(inside) / (watched.window_s or 0.0)
    if aggregate is Aggregate.GAUGE and watched.window_s is None:
        return max(each.value for each in observed if each.at == observed[-1].at)
    if aggregate in {Aggregate.RATIO, Aggregate.MEAN}:
        return sum(inside) / len(inside)
    q = watched.comparison.sli.q if aggregate is Aggregate.QUANTILE else 1.0
    return sorted(inside)[math.ceil(q * len(inside) - 1e-9) - 1]


def enough(watched: Condition, now_s: float) -> bool:
    """Whether a condition that few of something are there can be told: only over a full window."""
    comparison = watched.comparison
    few = comparison.op in {Op.LT, Op.LE, Op.EQ} and comparison.sli.aggregate in {Aggregate.COUNT, Aggregate.RATE}
    return not (few and watched.window_s and now_s < watched.window_s)


def holds(watched: Condition, observations: list[Observation], width: float, now: int) -> bool:
    """Whether the condition holds over (now - width, now], in half seconds."""
    comparison = watched.comparison
    assert isinstance(comparison.target, float)
    inside = [each for each in observations if now - width < each.at <= now]
    if not enough(watched, now * HALF_S):
        return False
    return comparison.op.holds(value_of(watched, inside), comparison.target)


def slowly(watched: Condition, observations: list[Observation]) -> Iterator[tuple[float, bool]]:
    """When a condition begins and ceases to hold, looked at once every half second, after all that happened then."""
    before = False
    width = math.inf if watched.window_s is None else round(watched.window_s / HALF_S)
    for now in range(int(END / HALF_S) + 1):
        if width == math.inf and all(each.at != now for each in observations):
            continue
        after = holds(watched, observations, width, now)
        if after != before:
            yield now * HALF_S, after
        before = after


def watched_changes(
    watched: Condition, observations: list[Observation], sizes: list[int]
) -> tuple[list[Transition], list[tuple[float, float]]]:
    """What the judge's watch says, fed so many observations in each block, and the value it has just before each ends."""
    watch, changes, values, rest = Watch(watched, None), [], [], observations
    for size in [*sizes, len(observations)]:
        block, rest = rest[:size], rest[size:]
        last = not rest
        end_s = END if last else block[-1].at * HALF_S
        samples = Samples(np.array([each.at * HALF_S for each in block]), np.array([each.value for each in block]))
        changes += watch.observe(Facts(end_s, ended=last, series={watched.comparison.sli.series: samples}))
        values.append((end_s, watch.value()))
        if last:
            break
    return changes, values


def value_at(watched: Condition, observations: list[Observation], end_s: float) -> float:
    """The value just before a time, at the end of all at that time; NaN where the condition could not be told to hold."""
    width_s = math.inf if watched.window_s is None else watched.window_s
    now_s = end_s if end_s == END else end_s - 1e-6
    inside = [each for each in observations if now_s - width_s < each.at * HALF_S <= now_s]
    known = enough(watched, now_s) and (inside or watched.window_s is not None)
    return value_of(watched, inside) if known else math.nan


@pytest.mark.parametrize(("when", "window"), CASES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_conditions(when: str, window: str, data: st.DataObject) -> None:
    """Many observations at one instant, in blocks that end anywhere, also between them."""
    watched = condition(when, window, data.draw(st.integers(1, 3)))
    aggregate = watched.comparison.sli.aggregate
    small = {Aggregate.RATIO: 1, Aggregate.COUNT: 1}.get(aggregate, 5)
    steps = data.draw(st.lists(st.tuples(st.sampled_from((0, 0, 0, 1, 2, 6, 9)), st.integers(0, small)), max_size=30))
    times = np.cumsum([step for step, _ in steps], dtype=int).tolist()
    observations = [Observation(at, float(v)) for at, (_, v) in zip(times, steps, strict=True) if at * HALF_S <= END]
    sizes = data.draw(st.lists(st.integers(1, 9), max_size=6))
    found, values = watched_changes(watched, observations, sizes)
    assert [(change.t_s, change.holds) for change in found] == list(slowly(watched, observations))
    expected = [value_at(watched, observations, end_s) for end_s, _ in values]
    assert [value for _, value in values] == pytest.approx(expected, rel=0.006, nan_ok=True)


# Timers.


@given(
    flips=st.lists(st.integers(0, 60), max_size=12, unique=True).map(sorted),
    for_s=st.integers(0, 10),
    keep_s=st.integers(0, 10),
    ends=st.lists(st.integers(0, 60), max_size=4).map(sorted),
)
def test_timers(flips: list[int], for_s: int, keep_s: int, ends: list[int]) -> None:
    changes = [Transition(float(at), index % 2 == 0, 0.0) for index, at in enumerate(flips)]
    timer = Timer(float(for_s), float(keep_s))
    for start, end in pairwise([-1, *ends, 60]):
        timer.feed([change for change in changes if start < change.t_s <= end], float(end))
    assert [(each.fired_s, each.resolved_s) for each in timer.firings] == fired_slowly(flips, for_s, keep_s)


def fired_slowly(flips: list[int], for_s: int, keep_s: int) -> list[tuple[float, float | None]]:
    """Firings, second by second; what is due at a second comes after what changes then."""
    firings: list[tuple[float, float | None]] = []
    firing, holding, since = False, False, 0
    for now in range(61):
        if now in flips:
            holding, since = not holding, now
        if holding and not firing and now - since >= for_s:
            firings.append((float(now), None))
            firing = True
        elif not holding and firing and now - since >= keep_s:
            firings[-1] = (firings[-1][0], float(now))
            firing = False
    return firings


# Stalls.

FATES = ("done", "failed", "blocked", "retry", "stays")


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, str, int, int]]:
    """(time, event, task, due) of a few tasks, at whole seconds."""
    events = []
    for task in range(1, draw(st.integers(0, 5)) + 1):
        now = due = draw(st.integers(0, 20))
        events.append((now, "enqueued", task, due))
        for _ in range(draw(st.integers(0, 3))):
            now = max(now, due) + draw(st.integers(0, 9))
            events.append((now, "dispatched", task, 0))
            now += draw(st.integers(0, 9))
            fate = draw(st.sampled_from(FATES))
            if fate != "stays":
                due = now + draw(st.integers(0, 9)) if fate == "retry" else 0
                events.append((now, fate, task, due))
            if fate != "retry":
                break
    return sorted(events, key=lambda event: event[0])


def longest_stall(events: list[tuple[int, str, int, int]], until: int) -> int:
    """The longest row of seconds in which due work waits, broken by state changes."""
    changes = {t for t, name, _, _ in events if name != "enqueued"}
    longest = row = 0
    for second in range(until):
        row = 0 if second in changes else row
        due: dict[int, int] = {}
        for _, name, task, due_s in (event for event in events if event[0] <= second):
            due.pop(task, None)
            if name in {"enqueued", "retry"}:
                due[task] = due_s
        row = row + 1 if any(due_s <= second for due_s in due.values()) else 0
        longest = max(longest, row)
    return longest


@settings(max_examples=200, deadline=None)
@given(events=lives(), extra=st.integers(0, 9), cuts=st.sets(st.integers(1, 20), max_size=4))
def test_stalls(events: list[tuple[int, str, int, int]], extra: int, cuts: set[int]) -> None:
    until = max((event[0] for event in events), default=0) + extra
    history = "\n".join(f"{t} {name} {task} due={due}" for t, name, task, due in events)
    found = sli("stall_time", history, until=until)
    assert (0.0 if math.isnan(found) else found) == longest_stall(events, until)
