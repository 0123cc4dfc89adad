"""Distributions are found again in their own samples, with intervals that hold, and none is believed that does not fit."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from soak.runner.calibrate.estimates import poisson, share
from soak.runner.calibrate.fits import EMPIRICAL, FAMILIES, MOST_VALUES, Interval, bootstrap, fit_durations, ks_distance
from soak.schemas.evidence.calibration import Taken
from soak.schemas.language.distributions import Z95, Constant, Distribution, Empirical, Exponential, LogNormal, Uniform
from soak.simulation.distributions import draw

SEEDS = 30
TRUTHS: list[tuple[Distribution, dict[str, float]]] = [
    (LogNormal(8.0, 20.0), {"median": 8.0, "p95": 20.0}),
    (Exponential(5.0), {"mean": 5.0}),
    (Uniform(2.0, 9.0), {"low": 2.0, "high": 9.0}),
]


@pytest.mark.parametrize(("truth", "parameters"), TRUTHS)
def test_intervals_hold_the_truth_as_often_as_they_say(truth: Distribution, parameters: dict[str, float]) -> None:
    held, others = dict.fromkeys(parameters, 0), 0
    for seed in range(SEEDS):
        fitted = fit_durations(draw(truth, np.random.default_rng(seed), 200))
        others += type(fitted.distribution) is not type(truth)
        for key, value in parameters.items():
            held[key] += key in fitted.intervals and fitted.intervals[key].holds(value)
    assert others <= 1
    # 30 intervals of 95 % hold the truth 25 times or more with a probability of 99.7 %; ones of 80 %, with 43 %.
    assert all(count >= 25 for count in held.values()), held


def test_an_interval_is_not_just_wide() -> None:
    widths = [
        interval.high / interval.low
        for seed in range(5)
        for interval in fit_durations(draw(LogNormal(8.0, 20.0), np.random.default_rng(seed), 400)).intervals.values()
    ]
    assert max(widths) < 1.35


def test_the_same_values_give_the_same_result() -> None:
    values = draw(LogNormal(8.0, 20.0), np.random.default_rng(1), 150)
    assert fit_durations(values) == fit_durations(values.copy())


def test_what_fits_nothing_is_drawn_from_as_it_is() -> None:
    generator = np.random.default_rng(1)
    values = np.concatenate([generator.normal(2, 0.1, 150), generator.normal(60, 1, 150)])
    fitted = fit_durations(values)
    assert fitted.name == EMPIRICAL
    assert isinstance(fitted.distribution, Empirical)
    assert fitted.distribution.values_s == tuple(sorted(values.tolist()))
    assert fitted.intervals["mean"].holds(float(values.mean()))
    assert {fit.distribution for fit in fitted.fits} == {"lognormal", "exponential", "uniform"}
    assert [fit.p < 0.005 for fit in fitted.fits if fit.p is not None] == [True]


def test_more_values_than_a_file_needs_are_thinned() -> None:
    generator = np.random.default_rng(1)
    values = np.concatenate([generator.normal(2, 0.1, MOST_VALUES), generator.normal(60, 1, MOST_VALUES)])
    fitted = fit_durations(values).distribution
    assert isinstance(fitted, Empirical)
    assert len(fitted.values_s) == MOST_VALUES
    assert fitted.mean_s == pytest.approx(values.mean(), rel=1e-3)


def test_what_hardly_varies_is_constant() -> None:
    values = 5 + np.random.default_rng(1).uniform(0, 0.02, 200)
    fitted = fit_durations(values)
    assert fitted.name == "constant"
    assert fitted.distribution == Constant(float(np.median(values)))


def test_zeros_are_no_lognormal() -> None:
    values = draw(Exponential(5.0), np.random.default_rng(1), 200)
    values[:3] = 0.0
    fitted = fit_durations(values)
    assert fitted.name == "exponential"
    assert "lognormal" not in {fit.distribution for fit in fitted.fits}


@pytest.mark.parametrize("z", [-5.0, -1.96, -0.3, 0.0, 0.7, 1.6448536, 4.0])
def test_the_normal_distribution_function(z: float) -> None:
    lognormal = next(family for family in FAMILIES if family.name == "lognormal")
    fitted = LogNormal(1.0, math.exp(Z95))
    assert lognormal.below(fitted, np.exp(np.array([z])))[0] == pytest.approx(NormalDist().cdf(z), abs=1e-7)


def test_likelihood_and_criteria_are_those_of_the_textbook() -> None:
    values = np.array([1.0, 2.0, 4.0])
    fit = next(fit for fit in fit_durations(values).fits if fit.distribution == "exponential")
    mean = 7 / 3
    likelihood = -3 * math.log(mean) - 3
    assert fit.log_likelihood == pytest.approx(likelihood)
    assert fit.aic == pytest.approx(2 - 2 * likelihood)
    assert fit.bic == pytest.approx(math.log(3) - 2 * likelihood)


def test_the_distance_is_the_largest_gap_on_either_side_of_a_step() -> None:
    uniform = next(family for family in FAMILIES if family.name == "uniform")
    assert ks_distance(uniform, Uniform(0.0, 1.0), np.array([0.5])) == pytest.approx(0.5)
    assert ks_distance(uniform, Uniform(0.0, 1.0), np.array([0.1, 0.2])) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.6)]
)
def test_poisson_intervals_are_near_the_exact_ones(count: int, low: float, high: float) -> None:
    # Exact values: Garwood (1936).
    interval = poisson(count, 1.0)
    assert interval.low == pytest.approx(low, rel=0.02, abs=0.03)
    assert interval.high == pytest.approx(high, rel=0.02)
    halved = poisson(count, 2.0)
    assert (halved.low, halved.high) == (pytest.approx(interval.low / 2), pytest.approx(interval.high / 2))


def test_what_the_scenario_says_stands_unless_the_run_contradicts_it() -> None:
    near, far = share("k", 12, 100, 0.1, "attempts"), share("k", 40, 100, 0.1, "attempts")
    assert (near.taken, near.value, near.estimate) == (Taken.SCENARIO, 0.1, 0.12)
    assert (far.taken, far.value, far.estimate) == (Taken.RUN, 0.4, 0.4)
    nothing = share("k", 0, 0, 0.1, "attempts")
    assert (nothing.taken, nothing.value, nothing.estimate) == (Taken.UNSEEN, 0.1, None)


def test_a_bootstrap_holds_the_mean() -> None:
    values = np.random.default_rng(4).exponential(4.0, 300)
    interval = bootstrap(values, lambda sample: float(sample.mean()))
    assert interval.holds(4.0)
    assert interval == bootstrap(values, lambda sample: float(sample.mean()))
    assert Interval(1.0, 2.0).holds(1.0)
    assert not Interval(1.0, 2.0).holds(2.1)
