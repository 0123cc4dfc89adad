"""Arrivals follow their rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.schemas.language.distributions import Constant, Distribution, Empirical, Exponential, LogNormal, Uniform
from soak.schemas.language.model import Burst, Process, Workload
from soak.schemas.stream.block import Floats
from soak.simulation.arrivals import arrivals
from soak.simulation.distributions import draw
from soak.simulation.rate import Rate


def due(workload: Workload, seed: int, until_s: float) -> Floats:
    """When its arrivals are due."""
    return np.concatenate([each.due_s for each in arrivals(workload, seed, until_s)])


rates = st.one_of(st.just(0.0), st.floats(0.001, 5.0))


@st.composite
def workloads(draw_from: st.DrawFn, process: Process = Process.POISSON) -> Workload:
    every_s = draw_from(st.floats(10.0, 5000.0))
    burst = Burst(every_s, every_s * draw_from(st.floats(0.01, 0.99)), draw_from(rates))
    return Workload(process, draw_from(rates), draw_from(st.none() | st.just(burst)), Constant(1.0), ())


@given(workloads(), st.lists(st.floats(0.0, 1000.0), min_size=1))
def test_the_time_of_a_count_is_the_inverse_of_the_count(workload: Workload, counts: list[float]) -> None:
    rate = Rate(workload)
    times = rate.time_of(np.array(counts))
    if rate.mean_per_s == 0:
        assert np.isinf(times).all()
    else:
        assert rate.expected(times) == pytest.approx(counts, rel=1e-6, abs=1e-6)


@given(workloads(), st.floats(1.0, 20_000.0))
def test_the_integral_of_the_rate_is_the_expected_count(workload: Workload, until_s: float) -> None:
    rate = Rate(workload)
    steps = np.linspace(0, until_s, 200_001)
    integral = float(rate.at((steps[1:] + steps[:-1]) / 2).sum()) * until_s / 200_000
    highest = max(rate.base_per_s, rate.burst_per_s)
    switches = 2 * (until_s / rate.period_s + 1)
    assert float(rate.expected(np.array([until_s]))[0]) == pytest.approx(
        integral, abs=switches * highest * until_s / 200_000
    )


@given(workloads(), st.integers(0, 100))
def test_poisson_counts_are_near_the_integral(workload: Workload, seed: int) -> None:
    until_s = 5000.0
    times = due(workload, seed, until_s)
    expected = float(Rate(workload).expected(np.array([until_s]))[0])
    assert (np.diff(times) >= 0).all()
    assert abs(len(times) - expected) <= 6 * np.sqrt(expected) + 6


def test_constant_arrivals_are_evenly_spaced() -> None:
    workload = Workload(Process.CONSTANT, 0.5, None, Constant(1.0), ())
    times = due(workload, 1, 20.0)
    assert times.tolist() == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]


def test_a_rate_of_zero_gives_nothing() -> None:
    assert not len(due(Workload(Process.POISSON, 0.0, None, Constant(1.0), ()), 1, 1e6))


@pytest.mark.parametrize(
    "distribution",
    [
        Constant(3.0),
        Exponential(3.0),
        Uniform(1.0, 4.0),
        LogNormal(8.0, 20.0),
        Empirical("values.txt", (1.0, 2.0, 6.0)),
    ],
)
def test_draws_have_the_mean_they_should(distribution: Distribution) -> None:
    values = draw(distribution, np.random.default_rng(1), 200_000)
    assert float(values.mean()) == pytest.approx(distribution.mean_s, rel=0.02)
    assert (values >= 0).all()


def test_a_lognormal_has_its_median_and_p95() -> None:
    values = draw(LogNormal(8.0, 20.0), np.random.default_rng(1), 200_000)
    assert np.quantile(values, [0.5, 0.95]).tolist() == pytest.approx([8.0, 20.0], rel=0.02)


@given(t_s=st.floats(0, 1e6), count=st.floats(0, 1e5), burst=st.sampled_from([None, (60.0, 7.0, 0.0), (7.0, 7.0, 3.0)]))
def test_one_time_and_an_array_of_times_come_out_the_same(
    t_s: float, count: float, burst: tuple[float, float, float] | None
) -> None:
    rate = Rate(Workload(Process.CONSTANT, 0.3, Burst(*burst) if burst else None, Constant(1.0), ()))
    assert rate.at(t_s) == rate.at(np.array([t_s]))[0]
    assert rate.expected(t_s) == rate.expected(np.array([t_s]))[0]
    assert rate.time_of(count) == rate.time_of(np.array([count]))[0]
