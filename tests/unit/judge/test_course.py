"""The record of a series in bounded memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from soak.runner.judge.course import MOST_PIECES, MOST_STRETCHES, Course
from soak.runner.judge.samples import Samples
from soak.schemas.language.slis import LATENCY, STATE_TRANSITIONS, SUCCESS_RATE, THROUGHPUT
from soak.schemas.stream.block import Floats

MEAN, P50, P95, _, MAX = LATENCY


def course_of(values: Floats, t: Floats | None = None, *, cuts: tuple[int, ...] = (), ranked: bool = True) -> Course:
    """The course of values at these times, a second apart by default, shown in parts."""
    t = np.arange(len(values), dtype=float) if t is None else t
    course = Course(ranked=ranked)
    for part in zip(np.split(t, cuts), np.split(values, cuts), strict=True):
        course.observe(Samples(*part))
        # Reading it processes what it has been shown so far: else it would wait for more, and see no cut.
        assert course.every >= 1
    return course


def test_few_observations_are_a_stretch_each() -> None:
    course = course_of(np.array([3.0, 1.0, 2.0]), np.array([0.0, 10.0, 20.0]))
    assert course.every == 1
    assert course.total.tolist() == [3, 1, 2]
    assert course.weight.tolist() == [1, 1, 1]
    assert course.last_s.tolist() == [0, 10, 20]


def test_many_are_kept_in_equal_stretches() -> None:
    course = course_of(np.ones(5 * MOST_STRETCHES + 1))
    assert course.every == 8
    assert len(course) == 5 * MOST_STRETCHES // 8 + 1
    assert set(course.weight[:-1]) == {8}
    assert course.weight[-1] == 1
    assert course.first_s[1] == 8
    assert course.last_s[0] == 7


@given(st.lists(st.integers(0, 9_000), max_size=6), st.integers(0, 9_000), st.integers(0, 5))
def test_nothing_depends_on_where_blocks_end(cuts: list[int], count: int, seed: int) -> None:
    values = np.random.default_rng(seed).exponential(30.0, count)
    whole = course_of(values)
    parts = course_of(values, cuts=tuple(sorted(min(cut, count) for cut in cuts)))
    for name in ("every", "first_s", "last_s", "largest", "weight", "total"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    if count:
        assert np.array_equal(whole.above(0.95), parts.above(0.95))
    edges = np.linspace(0, count or 1, 8)
    for sli in (P95, MEAN, MAX, THROUGHPUT):
        one, other = whole.windows(sli, edges), parts.windows(sli, edges)
        assert np.array_equal(one.value, other.value, equal_nan=True)


def test_what_lies_above_a_quantile_is_counted_by_stretch() -> None:
    values = np.concatenate([np.full(900, 1.0), np.full(100, 50.0)])
    above = course_of(values).above(0.9)
    assert above.sum() == 100
    assert above[900:].sum() == 100


def test_windows_hold_each_indicator_by_itself() -> None:
    t = np.arange(600.0)
    slow = np.where(t >= 300, 20.0, 10.0)
    edges = np.array([0.0, 300.0, 600.0, 900.0])
    p95 = course_of(slow, t).windows(P95, edges)
    assert p95.value[:2] == pytest.approx([10, 20], rel=0.011)
    assert np.isnan(p95.value[2])
    assert p95.samples.tolist() == [300, 300, 0]
    good = np.where((t >= 300) & (t % 2 == 0), 0.0, 1.0)
    assert course_of(good, t, ranked=False).windows(SUCCESS_RATE, edges).value[:2].tolist() == [1.0, 0.5]
    assert course_of(slow, t).windows(MEAN, edges).value[:2].tolist() == [10, 20]
    assert course_of(slow, t).windows(MAX, edges).value[:2].tolist() == [10, 20]
    assert course_of(good, t).windows(STATE_TRANSITIONS, edges).value.tolist() == [300, 150, 0]
    assert course_of(good, t).windows(THROUGHPUT, edges).value.tolist() == [1, 1, 0]
    gauge = replace(MAX, aggregate=THROUGHPUT.aggregate)
    assert course_of(slow, t).windows(gauge, np.array([0.0, 60.0])).value.tolist() == [1]


def test_weights_count() -> None:
    course = Course(ranked=False)
    course.observe(Samples(np.array([1.0, 2.0]), np.array([3.0, 0.0]), weight=np.array([4.0, 2.0])))
    assert course.weight.tolist() == [4, 2]
    assert course.windows(SUCCESS_RATE, np.array([0.0, 5.0])).value.tolist() == [0.5]


def test_memory_does_not_grow_with_observations() -> None:
    draws, course, shown = np.random.default_rng(4), Course(ranked=True), []
    for block in range(4 * MOST_PIECES):
        shown.append(draws.exponential(30.0, 1 << 14))
        course.observe(Samples(np.full(1 << 14, float(block)), shown[-1]))
        assert len(course._cells) <= MOST_PIECES
    values = np.concatenate(shown)
    distinct = len(np.unique(np.concatenate([codes for codes, _ in course._cells])))
    assert sum(len(codes) for codes, _ in course._cells) < 1.2 * distinct
    below, up_to = course.at_most(30.0)
    assert below.sum() < (values <= 30.0).sum() <= up_to.sum() < below.sum() + 0.01 * len(values)
    assert course.variance() == pytest.approx(values.var(), rel=0.05)


def test_few_observations_of_many_blocks_do_not_wait_one_by_one() -> None:
    course = Course(ranked=False)
    for block in range(10 * MOST_PIECES):
        course.observe(Samples(np.array([float(block)]), np.ones(1)))
        assert len(course._waiting) < MOST_PIECES
    assert course.total.sum() == 10 * MOST_PIECES
