"""Bounds that hold at every look: their values, and how often they are wrong."""

import math

import numpy as np
import pytest

from soak.runner.judge.deciding.bounds import (
    batches,
    inefficiency,
    levels,
    log_e_batches,
    log_e_mean,
    log_e_share,
    long_run_variance,
    share_bounds,
)


def test_the_e_value_of_a_share_has_mean_one_while_the_share_is_true() -> None:
    count, share = 7, 0.9
    chances = [math.comb(count, good) * share**good * (1 - share) ** (count - good) for good in range(count + 1)]
    mean = sum(chance * math.exp(log_e_share(good, count, share)) for good, chance in enumerate(chances))
    assert mean == pytest.approx(1)


def test_the_e_value_of_a_share_is_one_without_observations_and_grows_off_it() -> None:
    assert log_e_share(0, 0, 0.3) == pytest.approx(0)
    assert log_e_share(100, 100, 0.9) > math.log(100) > 0 > log_e_share(90, 100, 0.9)


def test_the_t_test_sees_no_scale_and_nothing_in_one_batch() -> None:
    sums = np.array([1.0, 2.0, 0.5, 1.5])
    assert log_e_batches(sums[:1], 0.0) == pytest.approx(0)
    assert log_e_batches(sums, 0.0) == pytest.approx(log_e_batches(1e6 * sums, 0.0))
    # By hand: 25 / (5 * 7.5) of the squares is explained.
    assert log_e_batches(sums, 0.0) == pytest.approx(-math.log(5) / 2 - 2 * math.log(1 - 25 / 37.5))


def test_a_spread_that_was_too_small_by_chance_is_not_believed() -> None:
    alike = np.full(8, 1.0)
    assert log_e_batches(alike, 0.0) > math.log(1000)
    assert log_e_batches(alike, 80.0) < 0


def test_the_t_test_is_right_at_every_look() -> None:
    draw = np.random.default_rng(3)
    wrong = sum(
        any(log_e_batches(path[:looks], 0.0) >= math.log(20) for looks in range(1, 61))
        for path in draw.standard_normal((400, 60))
    )
    assert 0 < wrong / 400 <= 0.05


def test_the_test_of_a_mean_is_tightest_where_it_is_tuned() -> None:
    effect = [np.full(64, 0.5)] * 3
    tight, early, late = (log_e_mean(each, 1.0, steps, 0.05) for each, steps in zip(effect, (64, 1, 4096), strict=True))
    assert tight > max(early, late)
    assert log_e_mean(effect[0], 0.0, 64, 0.05) == 0


def test_batches_are_joined_in_pairs_and_hold_the_latest_steps() -> None:
    assert batches(np.arange(15.0)).tolist() == list(range(15))
    assert batches(np.arange(16.0)).tolist() == [1, 5, 9, 13, 17, 21, 25, 29]
    assert batches(np.arange(17.0)).tolist() == [3, 7, 11, 15, 19, 23, 27, 31]
    assert [levels(steps) for steps in (1, 8, 15, 16, 72, 256)] == [1, 1, 1, 2, 4, 6]


def test_dependence_takes_from_the_number_of_observations() -> None:
    draw = np.random.default_rng(4)
    noise, found = draw.standard_normal(256), []
    for _ in range(40):
        series = [0.0]
        for each in draw.standard_normal(256):
            series.append(0.8 * series[-1] + each)
        found.append(long_run_variance(np.array(series[1:])))
    assert long_run_variance(noise) == pytest.approx(1.0, abs=0.4)
    # An autoregression of 0.8: variance 1 / (1 - 0.8) ** 2 = 25 in the long run.
    assert np.median(found) == pytest.approx(25, rel=0.2)
    assert inefficiency(noise * 3, np.full(256, 9.0), 1.0) == pytest.approx(1.0, abs=0.4)
    assert inefficiency(noise * 9, np.full(256, 9.0), 1.0) == pytest.approx(9.0, rel=0.4)
    assert inefficiency(noise, np.zeros(256), 1.0) == inefficiency(noise, np.ones(256), 0.0) == 1.0


def test_bounds_of_a_share_end_where_the_e_value_reaches_its_limit() -> None:
    low, high = share_bounds(970, 1000, math.log(20))
    assert low < 0.97 < high
    assert log_e_share(970, 1000, low) == pytest.approx(math.log(20), abs=0.01)
    assert log_e_share(970, 1000, high) == pytest.approx(math.log(20), abs=0.01)
    assert share_bounds(50, 50, math.log(20))[1] == 1.0
    # Rounding leaves a trace of a failure.
    assert share_bounds(np.nextafter(50, 0), 50, math.log(20))[1] == 1.0
    assert log_e_share(1, 2, 0) == log_e_share(1, 2, 1) == math.inf
