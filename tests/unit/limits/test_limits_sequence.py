"""Intervals that hold whenever one stops: by hand, and after the sequential test that stops when it likes the figures."""

import math

import numpy as np
import pytest

from soak.runner.judge.interval import wilson
from soak.runner.limits.decision import Care, SequentialTest, Tally
from soak.runner.limits.sequence import anytime_interval


def test_all_that_pass_by_hand() -> None:
    # Two of two: the mixture gives B(2.5, 0.5) / B(0.5, 0.5) = 3/8, so that p**2 = 3/8 / 20 at the end.
    assert anytime_interval(2, 2, 0.95) == (pytest.approx(math.sqrt(3 / 8 / 20)), 1.0)
    assert anytime_interval(0, 2, 0.95) == (0.0, pytest.approx(1 - math.sqrt(3 / 8 / 20)))
    assert anytime_interval(0, 0, 0.95) == (0.0, 1.0)


@pytest.mark.parametrize(("passes", "total"), [(1, 2), (50, 50), (113, 123), (0, 3), (9_900, 10_000)])
def test_it_is_around_the_share_and_wider_than_one_of_a_fixed_number(passes: int, total: int) -> None:
    low, high = anytime_interval(passes, total, 0.95)
    fixed = wilson(passes, total, 0.95)
    assert 0 <= low <= fixed[0] <= passes / total <= fixed[1] <= high <= 1
    mirrored = anytime_interval(total - passes, total, 0.95)
    assert mirrored == (pytest.approx(1 - high, abs=1e-12), pytest.approx(1 - low, abs=1e-12))


@pytest.mark.parametrize("probability", [0.85, 0.93, 0.95])
def test_it_holds_after_the_test_has_stopped_where_that_of_a_fixed_number_does_not(probability: float) -> None:
    numbers, test = np.random.default_rng(5), SequentialTest(0.95, 200)
    held, fixed = [], []
    for _ in range(400):
        tally = Tally()
        while not test.enough(tally, Care.DECIDE):
            tally = tally.plus(bool(numbers.random() < probability))
        for intervals, found in ((held, anytime_interval), (fixed, wilson)):
            low, high = found(tally.passes, tally.total, 0.95)
            intervals.append(low <= probability <= high)
    # 400 trials have a standard deviation of 1.1 %.
    assert np.mean(held) >= 0.97
    assert np.mean(fixed) < 0.94


def test_a_sequence_of_looks_at_every_number_is_ever_wrong_as_rarely_as_promised() -> None:
    numbers = np.random.default_rng(6)
    ever = 0
    for _ in range(200):
        passes = np.cumsum(numbers.random(120) < 0.9)
        intervals = (anytime_interval(int(count), place, 0.8) for place, count in enumerate(passes, 1))
        ever += any(not low <= 0.9 <= high for low, high in intervals)
    # 20 % at most, and not nothing: of all looks at all numbers.
    assert 0.01 <= ever / 200 <= 0.2
