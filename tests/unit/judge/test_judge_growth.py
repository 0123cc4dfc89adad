"""Slow death: a leak is found in noise, and noise is not called a leak."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.judge.growth import MOST_POINTS, Growth
from soak.runner.judge.samples import Samples
from soak.schemas.language.registry import catalogues
from soak.schemas.language.windows import Window

RSS = catalogues()["queue"]["rss_growth"]
MB = 1e6
DAY = np.arange(1, 24 * 60 + 1) * 60.0


def grown(t_s: np.ndarray, value: np.ndarray, *, left_out: tuple[Window, ...] = (), blocks: int = 1) -> Growth:
    """The fold of a series, in so many blocks."""
    growth = Growth(left_out)
    for t, v in zip(np.array_split(t_s, blocks), np.array_split(value, blocks), strict=True):
        growth.observe(Samples(t, v))
    return growth


def noisy(seed: int, leak_mb_per_h: float = 0.0, noise_mb: float = 5.0) -> np.ndarray:
    """Memory of a day, a sample a minute: garbage collected now and then makes it far from normal."""
    generator = np.random.default_rng(seed)
    saw = 8 * MB * ((DAY / 1800) % 1.0)
    return 300 * MB + leak_mb_per_h * MB * DAY / 3600 + saw + noise_mb * MB * generator.standard_t(3, len(DAY))


def test_a_leak_of_a_megabyte_an_hour_is_found_in_a_day() -> None:
    for seed in range(50):
        growth = grown(DAY, noisy(seed, leak_mb_per_h=1.0))
        trend = growth.trend(RSS, 0.95)
        assert trend.slope == pytest.approx(1.0 * MB, rel=0.25)
        assert trend.low > 0.5 * MB
        assert trend.p < 1e-6


def test_noise_is_called_a_leak_in_no_more_than_one_of_a_hundred_runs() -> None:
    trends = [grown(DAY, noisy(seed)).trend(RSS, 0.99) for seed in range(1_000)]
    # Half a percent is expected on the side of a leak; a thousand runs have a standard deviation of 0.22 %.
    assert np.mean([trend.low > 0 for trend in trends]) <= 0.01
    assert np.mean([trend.p < 0.01 and trend.slope > 0 for trend in trends]) <= 0.01
    assert np.mean([abs(trend.slope) > 0.5 * MB for trend in trends]) == 0


def test_the_interval_holds_the_true_slope_as_often_as_it_says() -> None:
    held = []
    for seed in range(600):
        trend = grown(DAY, noisy(seed, leak_mb_per_h=0.7)).trend(RSS, 0.95)
        held.append(trend.low <= 0.7 * MB <= trend.high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_a_line_without_noise_is_found_exactly() -> None:
    trend = grown(DAY, 100 + 3 * DAY / 3600).trend(RSS, 0.95)
    assert (trend.slope, trend.level) == (pytest.approx(3), pytest.approx(100))
    assert (trend.low, trend.high) == (pytest.approx(3), pytest.approx(3))


def test_what_never_changes_has_no_trend() -> None:
    trend = grown(DAY, np.full(len(DAY), 7.0)).trend(RSS, 0.95)
    assert (trend.slope, trend.p) == (0.0, 1.0)


def test_kendalls_statistic_by_hand() -> None:
    # 1 2 3 5 4 6 8 7: S = 24 of 28; variance 8*7*21/18 = 65.33; z = 23/8.083 = 2.8455; p = 0.00443.
    trend = grown(np.arange(8.0) * 3600, np.array([1.0, 2, 3, 5, 4, 6, 8, 7])).trend(RSS, 0.95)
    assert trend.p == pytest.approx(0.00443, abs=2e-5)
    assert trend.slope == pytest.approx(1.0)


def test_faults_are_left_out() -> None:
    value = np.where((DAY > 36_000) & (DAY <= 43_200), 1e12, 100.0)
    assert grown(DAY, value, left_out=(Window(36_001, 43_201),)).value(RSS, 0.0) == 0.0


def test_too_few_points_have_no_interval() -> None:
    few = grown(DAY[:7], DAY[:7])
    assert few.interval(RSS, 0.95) is None
    assert not math.isnan(few.value(RSS, 0.0))


@given(st.integers(3, 3_000), st.integers(1, 40))
def test_what_is_kept_does_not_depend_on_blocks(count: int, blocks: int) -> None:
    t_s, value = np.arange(count) * 7.0, np.random.default_rng(count).normal(size=count)
    whole, parts = grown(t_s, value), grown(t_s, value, blocks=blocks)
    assert whole.samples == parts.samples <= MOST_POINTS
    assert whole.value(RSS, 0.0) == parts.value(RSS, 0.0)
