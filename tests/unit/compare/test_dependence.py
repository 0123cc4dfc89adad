"""Tests over parts that depend on each other: as few false alarms as promised, and none where nothing can be said."""

import math

import numpy as np
import pytest

from soak.runner.compare.dependence import LEAST_EFFECTIVE, effective_number, hold_against, hold_apart, interval_of
from soak.schemas.stream.block import Floats

PARTS = 72


def series(generator: np.random.Generator, memory: float, count: int = PARTS) -> Floats:
    """A stationary series with variance 1 in which each value keeps `memory` of the one before."""
    values = np.empty(count)
    values[0] = generator.normal()
    for place, noise in enumerate(generator.normal(scale=math.sqrt(1 - memory**2), size=count - 1), 1):
        values[place] = memory * values[place - 1] + noise
    return values


def test_the_effective_number_by_hand() -> None:
    # Deviations -1, -1, 1, 1, -1, -1, 1, 1: the autocorrelation is (4 - 3) / 8, and with its bias 1/8 + 1.5/8.
    alike = 2.5 / 8
    alike += 0.75 * math.sqrt((1 - alike**2) / 8)
    assert effective_number(np.array([1.0, 1.0, 3.0, 3.0] * 2)) == pytest.approx(8 * (1 - alike) / (1 + alike))
    assert effective_number(np.array([1.0, -1.0] * 5)) == 10.0
    assert effective_number(np.full(7, 0.1)) == 7.0


def test_the_effective_number_is_that_of_the_process() -> None:
    generator = np.random.default_rng(4)
    found = np.median([effective_number(series(generator, 0.6, 400)) for _ in range(40)])
    assert found == pytest.approx(400 * 0.37 / 1.63, rel=0.1)


@pytest.mark.parametrize("memory", [0.0, 0.4, 0.7])
@pytest.mark.parametrize("hold", [hold_against, hold_apart])
def test_noise_raises_no_more_alarms_than_promised(hold: object, memory: float) -> None:
    generator = np.random.default_rng(3)
    ps = [hold(series(generator, memory), series(generator, memory)).p for _ in range(400)]  # type: ignore[operator]
    told = [p for p in ps if p is not None]
    assert len(told) > 360
    # 5 % at most; 400 trials have a standard deviation of 1.1 %.
    assert np.mean([p <= 0.05 for p in told]) <= 0.075


def test_nothing_is_said_of_parts_that_depend_on_each_other_for_too_long() -> None:
    # A random walk: its parts are one long excursion.
    walk = np.cumsum(np.random.default_rng(8).normal(size=PARTS))
    found = hold_against([0.0] * PARTS, walk.tolist())
    assert found.p is None
    assert found.effective is not None
    assert found.effective < LEAST_EFFECTIVE
    assert interval_of(walk, float(walk.mean()), 0.95) is None


def test_a_difference_is_found_and_parts_in_common_find_smaller_ones() -> None:
    generator = np.random.default_rng(4)
    common = generator.lognormal(size=PARTS)
    shifted = common * 1.05 + generator.normal(scale=0.01, size=PARTS)
    paired, apart = hold_against(common, shifted), hold_apart(common, shifted)
    assert paired.p is not None
    assert apart.p is not None
    assert paired.p < 1e-4
    assert apart.p > 0.1
    assert (hold_apart(common, common * 4).p or 1.0) < 0.01


def test_student_by_hand() -> None:
    # Mean 2, standard deviation sqrt(2.4), alternately apart: all six count. t = 2 / sqrt(2.4 / 6) with 5 degrees of freedom.
    found = hold_against([0.0] * 6, [0.0, 4.0, 1.0, 3.0, 1.0, 3.0])
    assert (found.mean, found.effective) == (2.0, 6.0)
    assert found.p == pytest.approx(0.0250, abs=2e-4)


def test_too_few_parts_say_nothing() -> None:
    assert hold_apart([1.0, None, 2.0], [1.0, 2.0, 3.0]).p is None
    assert hold_against([1.0] * 5, [2.0] * 5).p is None
    assert hold_against([1.0] * 6, [1.0] * 6).p == 1.0
    assert hold_against([1.0] * 6, [2.0] * 6).p == 0.0
    assert hold_apart([1.0] * 6, [2.0] * 6).p == 0.0
