"""Slow death: a leak is found in noise, and noise is not called a leak; where that cannot be told, nothing is said."""

import math

import numpy as np
import pytest
from histories import objective
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.judge.autocorrelation import LEAST_EFFECTIVE
from soak.runner.judge.growth import Growth, Trend
from soak.runner.judge.samples import Samples
from soak.schemas.evidence.verdict import ObjectiveResult
from soak.schemas.language.registry import catalogues
from soak.schemas.language.windows import Window

RSS = catalogues()["queue"]["rss_growth"]
MB = 1e6
DAY = np.arange(1, 24 * 60 + 1) * 60.0
REFUSAL = "no statement: observations depend on each other for too long"


def grown(t_s: np.ndarray, value: np.ndarray, *, left_out: tuple[Window, ...] = (), blocks: int = 1) -> Growth:
    """The fold of a series, in so many blocks."""
    growth = Growth(left_out)
    for t, v in zip(np.array_split(t_s, blocks), np.array_split(value, blocks), strict=True):
        growth.observe(Samples(t, v))
    return growth


def trend_of(value: np.ndarray) -> Trend:
    """The trend of a sample a minute."""
    trend = grown(np.arange(1, len(value) + 1) * 60.0, value).trend(RSS, 0.95)
    assert trend
    return trend


def noisy(seed: int, leak_mb_per_h: float = 0.0, noise_mb: float = 5.0) -> np.ndarray:
    """Memory of a day, a sample a minute: garbage collected now and then makes it far from normal."""
    generator = np.random.default_rng(seed)
    saw = 8 * MB * ((DAY / 1800) % 1.0)
    return 300 * MB + leak_mb_per_h * MB * DAY / 3600 + saw + noise_mb * MB * generator.standard_t(3, len(DAY))


def dependent(runs: int, hours: int, rho: float, seed: int = 1) -> np.ndarray:
    """AR(1) of standard deviation 1, one run a row; a random walk for rho 1."""
    drawn = np.random.default_rng(seed).normal(size=(60 * hours, runs))
    if rho == 1:
        return np.cumsum(drawn, axis=0).T
    for index in range(1, len(drawn)):
        drawn[index] = rho * drawn[index - 1] + math.sqrt(1 - rho * rho) * drawn[index]
    return drawn.T


def cycles(runs: int, hours: int, period_h: float, seed: int = 2) -> np.ndarray:
    """A sine of amplitude 1 that begins anywhere, one run a row."""
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, (runs, 1))
    return np.sin(2 * np.pi * np.arange(60 * hours) / 60 / period_h + phase)


def alarms(series: np.ndarray) -> float:
    """The share of runs in which something grows."""
    return float(np.mean([trend_of(each).low > 0 for each in series]))


def silent(series: np.ndarray) -> float:
    """The share of runs of which nothing is said."""
    return float(np.mean([trend_of(each).doubt != "" for each in series]))


def test_a_leak_of_a_megabyte_an_hour_is_found_in_a_day() -> None:
    for seed in range(50):
        trend = trend_of(noisy(seed, leak_mb_per_h=1.0))
        assert trend.slope == pytest.approx(1.0 * MB, rel=0.25)
        assert trend.low > 0.5 * MB
        assert trend.p < 1e-4 and trend.doubt == ""


@pytest.mark.parametrize(("hours", "period_h", "cycle_mb"), [(24, 1, 15), (24, 24, 2), (72, 24, 15)])
def test_a_leak_is_found_beside_a_cycle(hours: int, period_h: float, cycle_mb: float) -> None:
    leak = np.arange(60 * hours) / 60
    noise = 5 * dependent(50, hours, 0.9) + cycle_mb * cycles(50, hours, period_h)
    found = [trend_of(MB * (leak + each)) for each in noise]
    assert sum(trend.low > 0 for trend in found) >= 49
    assert float(np.mean([trend.slope for trend in found])) == pytest.approx(MB, rel=0.1)


@pytest.mark.parametrize(("hours", "rho"), [(4, 0.5), (4, 0.9), (24, 0.9), (72, 0.9), (24, 0.99), (24, 1.0)])
def test_noise_that_depends_on_itself_is_no_leak(hours: int, rho: float) -> None:
    """Three in a hundred are allowed: 400 runs then have twelve, and a standard deviation of 3.4."""
    assert alarms(dependent(400, hours, rho)) <= 0.03


@pytest.mark.parametrize(("hours", "period_h"), [(4, 1), (24, 1), (24, 7.5), (24, 5), (72, 24), (72, 20)])
@pytest.mark.parametrize("height", [1, 10])
def test_a_cycle_is_no_leak(hours: int, period_h: float, height: float) -> None:
    assert alarms(dependent(100, hours, 0.9) + height * cycles(100, hours, period_h)) <= 0.03


@pytest.mark.parametrize(("hours", "period_h"), [(24, 7.5), (72, 24), (72, 20)])
def test_a_cycle_of_less_than_a_third_of_the_run_is_taken_out(hours: int, period_h: float) -> None:
    assert silent(dependent(50, hours, 0.9) + 10 * cycles(50, hours, period_h)) == 0


def test_two_cycles_are_taken_out() -> None:
    both = dependent(50, 24, 0.9) + 10 * cycles(50, 24, 7.5) + 5 * cycles(50, 24, 4.5)
    assert silent(both) == 0 and alarms(both) <= 0.04


@pytest.mark.parametrize("period_h", [24, 16, 12])
def test_of_a_longer_cycle_nothing_is_said(period_h: float) -> None:
    series = dependent(50, 24, 0.9) + 3 * cycles(50, 24, period_h)
    assert silent(series) == 1
    assert trend_of(series[0]).doubt.startswith(REFUSAL)


def test_of_a_random_walk_nothing_is_said() -> None:
    assert silent(dependent(100, 24, 1.0)) >= 0.9


def test_of_what_depends_briefly_something_is_said() -> None:
    assert silent(dependent(100, 24, 0.9)) == 0
    assert silent(dependent(100, 4, 0.5)) == 0


def test_a_walk_upwards_that_no_walk_makes_is_growth() -> None:
    """The slope counts where observations depend for too long, if it is far steeper than a random walk's."""
    trend = trend_of(np.arange(1440) / 60 + 0.05 * dependent(1, 24, 1.0)[0])
    assert trend.effective < LEAST_EFFECTIVE and trend.doubt == "" and trend.low > 0.4


def test_growth_that_slows_down_is_growth() -> None:
    trend = trend_of(np.sqrt(DAY) + np.random.default_rng(3).normal(0, 1, len(DAY)))
    assert trend.low > 0 and trend.doubt == ""


@pytest.mark.parametrize(("rho", "hours"), [(0.0, 24), (0.5, 24), (0.9, 24), (0.9, 72)])
def test_the_effective_number_is_that_of_independent_samples(rho: float, hours: int) -> None:
    """Of AR(1) they are n (1 - rho) / (1 + rho); a dozen slow parts of a series know it to within a third or so."""
    true = 60 * hours * (1 - rho) / (1 + rho)
    found = [trend_of(each).effective for each in dependent(100, hours, rho)]
    assert 0.55 * true < float(np.median(found)) <= true


def test_there_are_not_more_effective_samples_than_samples() -> None:
    assert trend_of(np.arange(1440) % 2.0).effective == 1440


def test_noise_is_called_a_leak_in_no_more_than_one_of_a_hundred_runs() -> None:
    trends = [grown(DAY, noisy(seed)).trend(RSS, 0.99) for seed in range(500)]
    assert np.mean([trend.low > 0 for trend in trends if trend]) <= 0.01
    assert np.mean([trend.p < 0.01 and trend.slope > 0 for trend in trends if trend]) <= 0.01
    assert np.mean([abs(trend.slope) > 0.5 * MB for trend in trends if trend]) == 0


def test_the_interval_holds_the_true_slope_at_least_as_often_as_it_says() -> None:
    held = [trend.low <= 0.7 * MB <= trend.high for trend in (trend_of(noisy(seed, 0.7)) for seed in range(300))]
    assert np.mean(held) >= 0.93


def test_the_p_goes_with_the_interval() -> None:
    for series in dependent(60, 24, 0.9, seed=4) + np.linspace(0, 1.5, 1440):
        trend = trend_of(series)
        assert (trend.p < 0.05) == (trend.low > 0 or trend.high < 0)


def test_a_line_without_noise_is_found_exactly() -> None:
    trend = grown(DAY, 100 + 3 * DAY / 3600).trend(RSS, 0.95)
    assert trend
    assert (trend.slope, trend.level) == (pytest.approx(3), pytest.approx(100))
    assert (trend.low, trend.high, trend.p) == (pytest.approx(3), pytest.approx(3), 0.0)


def test_what_never_changes_has_no_trend() -> None:
    trend = trend_of(np.full(1440, 7.0))
    assert (trend.slope, trend.low, trend.high, trend.level, trend.p, trend.doubt) == (0.0, 0.0, 0.0, 7.0, 1.0, "")


def test_a_small_leak_of_something_large_keeps_its_digits() -> None:
    trend = trend_of(1e12 + 1e-2 * DAY / 3600 + 1e-3 * np.random.default_rng(5).normal(size=len(DAY)))
    assert trend.slope == pytest.approx(1e-2, rel=0.05)


def test_faults_are_left_out() -> None:
    value = np.where((DAY > 36_000) & (DAY <= 43_200), 1e12, 100.0)
    growth = grown(DAY, value, left_out=(Window(36_001, 43_201),))
    assert growth.value(RSS, 0.0) == 0.0
    assert growth.samples == 1440 - 120


def test_a_gap_in_time_does_not_bend_the_line() -> None:
    value = 5.0 * DAY / 3600 + np.random.default_rng(6).normal(size=len(DAY))
    trend = grown(DAY, value, left_out=(Window(3_600, 43_200),)).trend(RSS, 0.95)
    assert trend and trend.low < 5 < trend.high and trend.high - trend.low < 0.1


def test_too_few_points_have_no_interval() -> None:
    few = grown(DAY[:7], DAY[:7])
    assert few.interval(RSS, 0.95) is None and few.trend(RSS, 0.95) is None
    assert few.effective is None and few.longer == 1
    assert not math.isnan(few.value(RSS, 0.0))


@given(st.integers(8, 40), st.integers(0, 1000))
def test_a_short_series_has_an_interval_around_its_slope(count: int, seed: int) -> None:
    trend = trend_of(np.random.default_rng(seed).normal(size=count))
    assert trend.low < trend.slope < trend.high and 0 < trend.effective <= count


@given(st.integers(8, 3_000), st.integers(1, 40))
def test_what_is_said_does_not_depend_on_blocks(count: int, blocks: int) -> None:
    t_s, value = np.arange(count) * 7.0, np.random.default_rng(count).normal(size=count)
    whole, parts = grown(t_s, value), grown(t_s, value, blocks=blocks)
    assert whole.samples == parts.samples == count
    assert whole.value(RSS, 0.0) == parts.value(RSS, 0.0)
    assert whole.trend(RSS, 0.95) == parts.trend(RSS, 0.95)


# What an objective makes of it.


def strict_on(value: np.ndarray, limit_mb: float) -> ObjectiveResult:
    """The result of `rss_growth <= …` with a confidence, of a sample a minute in MB."""
    history = "\n".join(f"{60 * (minute + 1)} rss {round(MB * each)}" for minute, each in enumerate(value))
    return objective(
        f"{{objective: rss_growth <= {limit_mb:g}MB/h, confidence: 95%}}", history, f"duration: {len(value)}m"
    )


def test_an_objective_on_what_wanders_is_inconclusive_and_says_why() -> None:
    result = strict_on(300 + dependent(1, 10, 1.0)[0], 1.0)
    assert result.status == "INCONCLUSIVE"
    assert result.detail.startswith(f"{REFUSAL} (600 count as about ")
    assert "times as long a run would tell" in result.detail
    assert result.effective_samples and result.effective_samples < LEAST_EFFECTIVE


def test_an_objective_that_no_such_slope_breaks_is_met() -> None:
    """Also of what wanders: the interval of a random walk lies below the limit."""
    assert strict_on(300 + dependent(1, 10, 1.0)[0], 100.0).status == "PASS"


def test_a_leak_breaks_an_objective_and_noise_does_not() -> None:
    noise = 300 + dependent(1, 10, 0.5)[0]
    assert strict_on(noise, 0.5).status == "PASS"
    assert strict_on(noise + 1.5 * np.arange(600) / 60, 0.5).status == "FAIL"
