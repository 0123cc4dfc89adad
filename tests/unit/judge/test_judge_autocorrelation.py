"""The slope of noise: its distribution by formulas, and against drawing."""

import numpy as np
import pytest

from soak.runner.judge.autocorrelation import LOWEST, basis, spread_of, t_quantile, t_tails
from soak.runner.judge.cycle import cycles_of
from soak.runner.judge.student import t_tail

COUNT = 96


def rest_of(values: np.ndarray) -> np.ndarray:
    """Without mean and line."""
    line = basis(COUNT)[0]
    left = values - values.mean()
    return left - line * (line @ left)


def test_students_tails_of_even_degrees() -> None:
    for freedom in (2, 6, 8, 12):
        t = np.array([-3.0, 0.0, 0.5, 2.0, 9.0])
        assert t_tails(t, freedom) == pytest.approx([t_tail(float(each), freedom) for each in t], rel=1e-9)
    assert t_quantile(0.95, 12) == pytest.approx(2.1788, abs=1e-4)


@pytest.mark.parametrize("count", [8, 31, 127])
def test_line_and_cosines_are_orthonormal(count: int) -> None:
    line, cosines = basis(count)
    both = np.column_stack([np.full(count, count**-0.5), line, cosines])
    assert both.T @ both == pytest.approx(np.eye(both.shape[1]), abs=1e-12)
    assert cosines.shape[1] == min(LOWEST, count - 2)


def test_of_a_random_walk_the_scale_is_a_t_of_twelve_degrees() -> None:
    """Its slope lies outside of the interval of a walk with the probability that is asked for: a fifth of 10 %."""
    line, generator = basis(COUNT)[0], np.random.default_rng(1)
    walks = np.cumsum(generator.normal(size=(3000, COUNT)), axis=1)
    outside = [abs(float(line @ walk)) > spread_of(rest_of(walk)).widest(0.9) for walk in walks]
    assert float(np.mean(outside)) == pytest.approx(0.02, abs=0.008)


def test_half_of_the_interval_has_the_tail_that_it_should() -> None:
    spread = spread_of(rest_of(np.random.default_rng(2).normal(size=COUNT)))
    for confidence in (0.5, 0.95, 0.999):
        assert spread.tail(spread.half_width(confidence)) == pytest.approx((1 - confidence) / 2, rel=1e-4)
    assert float(spread.weights.sum()) == pytest.approx(1.0)
    assert spread.freedom == LOWEST


def test_dependence_is_recognised() -> None:
    """Noise without any is most likely none; a walk most likely what depends longest."""
    generator = np.random.default_rng(3)
    weights = np.mean([spread_of(rest_of(generator.normal(size=COUNT))).weights for _ in range(200)], axis=0)
    assert weights[0] == weights.min() and weights[-1] > 2 * weights[0]
    walks = np.cumsum(generator.normal(size=(200, COUNT)), axis=1)
    assert np.mean([spread_of(rest_of(walk)).weights for walk in walks], axis=0)[:2].sum() > 0.6


def test_units_do_not_matter() -> None:
    rest = rest_of(np.random.default_rng(4).normal(size=COUNT))
    one, other = spread_of(rest), spread_of(1e9 * rest)
    assert other.half_width(0.95) == pytest.approx(1e9 * one.half_width(0.95))
    assert other.weights == pytest.approx(one.weights)


@pytest.mark.parametrize("cycles", [2.8, 3.0, 4.4, 6.9])
def test_a_cycle_is_found_where_it_is(cycles: float) -> None:
    place = (np.arange(COUNT) + 0.5) / COUNT
    wave = 3 * np.sin(2 * np.pi * cycles * place + 1)
    noise = 0.2 * np.random.default_rng(5).normal(size=COUNT)
    found = cycles_of(rest_of(wave + noise))
    assert found
    assert float(np.abs(found.curve - wave).max()) < 0.35
    assert found.span.T @ found.span == pytest.approx(np.eye(found.span.shape[1]), abs=1e-9)
    # A slope with this correction is that of a line alone.
    line = basis(COUNT)[0] + found.span @ found.correction
    assert abs(float(line @ found.curve)) < 1e-9 and float(line @ basis(COUNT)[0]) == pytest.approx(1)


@pytest.mark.parametrize("cycles", [1.0, 2.0])
def test_a_slow_cycle_is_not_taken_out(cycles: float) -> None:
    place = (np.arange(COUNT) + 0.5) / COUNT
    assert cycles_of(rest_of(np.sin(2 * np.pi * cycles * place) + 0.01 * np.cos(9 * place))) is None


def test_noise_has_a_cycle_in_few_of_a_hundred_series() -> None:
    generator = np.random.default_rng(6)
    found = [cycles_of(rest_of(generator.normal(size=COUNT))) is not None for _ in range(500)]
    assert float(np.mean(found)) <= 0.03


def test_beside_a_slow_cycle_the_slope_is_known_less_well() -> None:
    """Of independent values its variance is the squared length of the corrected line."""
    place = (np.arange(COUNT) + 0.5) / COUNT
    rest = rest_of(3 * np.sin(2 * np.pi * 2.8 * place) + np.random.default_rng(7).normal(size=COUNT))
    found = cycles_of(rest)
    assert found
    known, unknown = (spread_of(rest, found.span, each) for each in (0 * found.correction, found.correction))
    length = float(np.linalg.norm(found.correction))
    assert unknown.scales[-1] / known.scales[-1] == pytest.approx(np.sqrt(1 + length**2), rel=0.02)
    assert length > 0.2 and unknown.freedom == LOWEST - 2
