"""The statistics of paired comparisons: against tables, closed forms and noise that is made on purpose."""

import math

import numpy as np
import pytest

from soak.runner.compare.dependence import interval_of
from soak.runner.compare.noise import BATCHES, LEAST_IN_BATCH, batch_means, gain, mcnemar
from soak.runner.judge.student import t_of, t_tail
from soak.schemas.stream.block import Floats

# Student's t.


@pytest.mark.parametrize(
    ("freedom", "confidence", "expected"),
    # Abramowitz and Stegun 1964, table 26.10.
    [(1, 0.95, 12.706), (2, 0.95, 4.303), (4, 0.99, 4.604), (9, 0.95, 2.262), (19, 0.99, 2.861), (120, 0.9, 1.658)],
)
def test_quantiles_as_in_the_table(freedom: int, confidence: float, expected: float) -> None:
    assert t_of(confidence, freedom) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("t", [-30.0, -0.7, 0.0, 1e-6, 0.3, 1.0, 2.5, 40.0, 1e6])
def test_tails_of_one_and_two_degrees_have_closed_forms(t: float) -> None:
    assert t_tail(t, 1) == pytest.approx(math.atan2(1, t) / math.pi, rel=1e-9)
    if t < 1e3:
        assert t_tail(t, 2) == pytest.approx(0.5 - t / (2 * math.sqrt(2 + t * t)), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("freedom", [1, 3, 10, 1000, 100_000])
def test_a_quantile_has_its_tail(freedom: int) -> None:
    for confidence in (0.1, 0.5, 0.95, 0.999):
        assert t_tail(t_of(confidence, freedom), freedom) == pytest.approx((1 - confidence) / 2, rel=1e-6)
    assert (t_tail(math.inf, freedom), t_tail(-math.inf, freedom)) == (0.0, 1.0)


def test_many_degrees_are_normal() -> None:
    assert t_of(0.95, 1_000_000) == pytest.approx(1.959966, abs=1e-5)


# Tests.


def test_mcnemar_by_hand() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(9, 1) == mcnemar(1, 9)
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(30_000, 28_000) < 1e-12
    assert mcnemar(30_000, 29_900) == pytest.approx(0.686, abs=0.005)


# Batch means.


def correlated(generator: np.random.Generator, count: int, memory: float) -> Floats:
    """A stationary series with mean 0 in which each value keeps `memory` of the one before."""
    values = np.empty(count)
    values[0] = generator.normal() / math.sqrt(1 - memory**2)
    for place, noise in enumerate(generator.normal(size=count - 1), 1):
        values[place] = memory * values[place - 1] + noise
    return values


def test_the_interval_holds_its_promise_where_neighbours_are_alike() -> None:
    generator = np.random.default_rng(6)
    held, naive = [], []
    for _ in range(300):
        values = correlated(generator, 2000, 0.8)
        found = interval_of(batch_means(values), float(values.mean()), 0.95)
        assert found is not None
        held.append(found[0] <= 0 <= found[1])
        naive.append(abs(values.mean()) <= 1.96 * values.std(ddof=1) / math.sqrt(len(values)))
    # Batches of a hundred hardly depend on each other; that this is only estimated makes the interval wider.
    assert 0.94 <= np.mean(held) <= 1
    assert np.mean(naive) < 0.6


def test_too_few_tasks_have_no_interval() -> None:
    few = np.ones(BATCHES * LEAST_IN_BATCH - 1)
    assert len(batch_means(few)) == 0
    assert interval_of(batch_means(few), 1.0, 0.95) is None
    assert gain(batch_means(few), batch_means(few)) is None


def test_the_gain_is_what_the_correlation_of_pairs_gives() -> None:
    generator = np.random.default_rng(7)
    common = generator.normal(size=4000)
    base, run = common + generator.normal(scale=0.1, size=4000), common + generator.normal(scale=0.1, size=4000)
    # Variances 1.01 each; what is left in pairs has 0.02.
    assert gain(base, run) == pytest.approx(2.02 / 0.02, rel=0.1)
    assert gain(base, generator.normal(size=4000)) == pytest.approx(1.0, rel=0.1)
    assert gain(base, base) is None
    assert gain(base, base + 1.0) is None
