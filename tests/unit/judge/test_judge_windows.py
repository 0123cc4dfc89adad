"""Objectives in windows, and conditions that are combined, against what a few lines of slow Python say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from histories import scenario
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.runner.judge.combined import Combined
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.window_fold import WindowFold
from soak.schemas.language.conditions import Combination, Objective
from soak.schemas.language.expression import Op
from soak.schemas.language.slis import Aggregate

HALF_S = 0.5
END = 80
"""The end of the run, in half seconds."""
WARMUP, ARRIVALS = 6, 60
"""Until when it warms up, and until when work arrives."""
RUN = f"duration: {ARRIVALS * HALF_S:g}s\nwarmup: {WARMUP * HALF_S:g}s"

OBJECTIVES = [
    "success_rate >= 60%",
    "success_rate == 100%",
    "success_rate < 90%",
    "latency_mean <= 2500ms",
    "latency_p50 <= 2s",
    "latency_p50 > 1s",
    "latency_p95 < 3s",
    "latency_p90 <= 3s",
    "latency_max <= 4s",
    "latency_share_below(2s) >= 50%",
    "queue_depth <= 2",
    "state_transitions <= 3",
    "state_transitions >= 1",
    "throughput >= 0.25/s",
]


def in_windows(text: str, window: str, least: int, share: str) -> Objective:
    """The objective that is written so."""
    entry = f"{{objective: '{text}', window: {window}, min_samples: {least}{share}}}"
    return scenario(f"{RUN}\nslos: [{entry}]").objectives[0]


@dataclass(frozen=True)
class Observation:
    """One observation, made after so many half seconds."""

    at: int
    value: float


def series_of(wanted: Objective, observations: Sequence[Observation]) -> list[Observation]:
    """The observations of the indicator's own series, of those of the durations it may be a share of."""
    limit = wanted.comparison.sli.limit
    return [Observation(each.at, each.value if limit is None else float(each.value <= limit)) for each in observations]


def value_of(wanted: Objective, inside: list[float]) -> float:
    """The indicator over these values; NaN with too few."""
    sli, window_s = wanted.comparison.sli, wanted.window_s
    assert window_s is not None
    counted = sli.aggregate in {Aggregate.COUNT, Aggregate.RATE}
    if len(inside) < wanted.min_samples and (not counted or wanted.min_samples > 1):
        return math.nan
    if sli.aggregate is Aggregate.COUNT:
        return sum(inside)
    if sli.aggregate is Aggregate.RATE:
        return len(inside) / window_s
    if sli.aggregate in {Aggregate.RATIO, Aggregate.MEAN}:
        return sum(inside) / len(inside)
    q = sli.q if sli.aggregate is Aggregate.QUANTILE else 1.0
    return sorted(inside)[math.ceil(q * len(inside) - 1e-9) - 1]


@dataclass(frozen=True)
class Seen:
    """What there is to see of windows, in half seconds."""

    first: int | None
    broken: int
    thin: int
    spells: int
    worst: tuple[int, float] | None
    consecutive: int
    enough: int
    good: int


def slowly(wanted: Objective, observations: list[Observation], latest: int) -> Seen:
    """At every half second from the first whole window on, up to `latest`."""
    comparison, window_s = wanted.comparison, wanted.window_s
    assert isinstance(comparison.target, float) and window_s is not None
    width = round(window_s / HALF_S)
    ends = range(WARMUP + width, latest + 1)
    values = {
        end: value_of(wanted, [each.value for each in observations if end - width < each.at <= end]) for end in ends
    }
    bad = [end for end, value in values.items() if value == value and not comparison.op.holds(value, comparison.target)]
    grid = [end for end in ends if (end - WARMUP) % width == 0]
    looked = grid if wanted.share is not None else list(ends)
    known = [(end, values[end]) for end in looked if values[end] == values[end]]
    side = {Op.LE: 1, Op.LT: 1, Op.GE: -1, Op.GT: -1}.get(comparison.op)

    def distance(pair: tuple[int, float]) -> float:
        apart = pair[1] - comparison.target
        return apart * side if side else abs(apart)

    return Seen(
        first=min(bad, default=None),
        broken=sum(end < latest for end in bad),
        thin=sum(value != value for end, value in values.items() if end < latest),
        spells=sum(end - 1 not in bad for end in bad),
        worst=max(known, key=distance, default=None),
        consecutive=len(grid),
        enough=sum(values[end] == values[end] for end in grid),
        good=sum(values[end] == values[end] and end not in bad for end in grid),
    )


def fed(wanted: Objective, observations: list[Observation], sizes: list[int]) -> WindowFold:
    """The fold, fed so many observations in each block."""
    fold, rest = WindowFold(wanted, scenario(RUN), None), observations
    for size in [*sizes, len(observations)]:
        block, rest = rest[:size], rest[size:]
        last = not rest
        end_s = (END if last else block[-1].at) * HALF_S
        samples = Samples(np.array([each.at * HALF_S for each in block]), np.array([each.value for each in block]))
        fold.observe(Facts(end_s, ended=last, series={wanted.comparison.sli.series: samples}))
        if last:
            break
    return fold


@pytest.mark.parametrize("text", OBJECTIVES)
@pytest.mark.parametrize("share", ["", ", in: 75%"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_windows(text: str, share: str, data: st.DataObject) -> None:
    """Many observations at one instant, in blocks that end anywhere, also between them."""
    window = data.draw(st.sampled_from(["500ms", "3s", "10s"]))
    wanted = in_windows(text, window, data.draw(st.integers(1, 3)), share)
    small = {Aggregate.RATIO: 1, Aggregate.COUNT: 1}.get(wanted.comparison.sli.aggregate, 5)
    small = 5 if wanted.comparison.sli.limit is not None else small
    steps = data.draw(st.lists(st.tuples(st.sampled_from((0, 0, 0, 1, 2, 6, 9)), st.integers(0, small)), max_size=30))
    times = np.cumsum([step for step, _ in steps], dtype=int).tolist()
    observations = [Observation(at, float(v)) for at, (_, v) in zip(times, steps, strict=True) if at <= END]
    observations = series_of(wanted, observations)
    fold = fed(wanted, observations, data.draw(st.lists(st.integers(1, 9), max_size=6)))
    aggregate, op = wanted.comparison.sli.aggregate, wanted.comparison.op
    latest = ARRIVALS if aggregate is Aggregate.RATE or (aggregate is Aggregate.COUNT and op is Op.GE) else END
    expected, found = slowly(wanted, observations, latest), fold.result(END * HALF_S)
    assert found.first_s == (None if expected.first is None else expected.first * HALF_S)
    assert (found.broken_s, found.thin_s) == (expected.broken * HALF_S, expected.thin * HALF_S)
    assert (found.spells, found.consecutive) == (expected.spells, expected.consecutive)
    assert (found.enough, found.good) == (expected.enough, expected.good)
    worst = found.worst and (found.worst.end_s, found.worst.value)
    assert worst == (expected.worst and (expected.worst[0] * HALF_S, pytest.approx(expected.worst[1])))


# Conditions that are combined.

PARTS = ["success_rate < 60%", "success_rate >= 50%", "success_rate == 100%"]


@dataclass(frozen=True)
class Part:
    """A condition over so many half seconds that must hold for some time."""

    when: str
    width: int
    wait: int

    @property
    def yaml(self) -> str:
        """As it is written."""
        return f"{{when: {self.when}, window: {self.width * 500}ms, for: {self.wait * 500}ms}}"

    def holds(self, observations: list[Observation], now: int) -> bool:
        """Whether it holds, and has held for as long as it must."""
        return all(self._is(observations, at) for at in range(now - self.wait, now + 1))

    def _is(self, observations: list[Observation], now: int) -> bool:
        inside = [each.value for each in observations if now - self.width < each.at <= now]
        if now < 0 or not inside:
            return False
        _, op, target = self.when.split()
        return Op(op).holds(sum(inside) / len(inside), float(target.rstrip("%")) / 100)


parts = st.builds(Part, st.sampled_from(PARTS), st.sampled_from([1, 6, 20]), st.sampled_from([0, 0, 3]))


@settings(max_examples=300, deadline=None)
@given(
    members=st.lists(parts, min_size=2, max_size=3),
    mode=st.sampled_from(["all", "any"]),
    nested=st.booleans(),
    steps=st.lists(st.tuples(st.sampled_from((0, 0, 1, 2, 6, 9)), st.integers(0, 1)), max_size=30),
    sizes=st.lists(st.integers(1, 9), max_size=6),
)
def test_conditions_that_are_combined(
    members: list[Part], mode: str, nested: bool, steps: list[tuple[int, int]], sizes: list[int]
) -> None:
    """The instants at which they begin and cease to hold together, wherever blocks end."""
    every = mode == "all"
    times = np.cumsum([step for step, _ in steps], dtype=int).tolist()
    observations = [Observation(at, float(v)) for at, (_, v) in zip(times, steps, strict=True) if at <= END]
    first, *rest = members
    other = "any" if every else "all"
    written = [first.yaml, f"{{{other}: [{', '.join(each.yaml for each in (*rest, rest[0]))}]}}"]
    listed = ", ".join(written if nested else [each.yaml for each in members])
    condition = scenario(f"alerts: [{{name: x, {mode}: [{listed}]}}]").alerts[0].condition
    assert isinstance(condition, Combination)
    guard = Combined(condition, LabelNumbers(scenario()))
    left = observations
    for size in [*sizes, len(observations)]:
        block, left = left[:size], left[size:]
        end_s = (END if not left else block[-1].at) * HALF_S
        samples = Samples(np.array([each.at * HALF_S for each in block]), np.array([each.value for each in block]))
        facts = Facts(end_s, ended=not left, series={"success": samples})
        guard.look(facts)
        guard.advance(facts.settled_s)
        if not left:
            break

    def together(now: int) -> bool:
        inner = (any if every else all)(each.holds(observations, now) for each in rest)
        held = [first.holds(observations, now), inner] if nested else [m.holds(observations, now) for m in members]
        return (all if every else any)(held)

    states = [together(now) for now in range(END + 1)]
    changes = [
        now * HALF_S for now, (was, now_) in enumerate(zip([False, *states], states, strict=False)) if was != now_
    ]
    found = [t_s for each in guard.timer.firings for t_s in (each.fired_s, each.resolved_s) if t_s is not None]
    assert found == changes
