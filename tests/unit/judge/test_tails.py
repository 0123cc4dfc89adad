"""Tails: what is kept of a series, the fit to its largest values, and what is said of it or not."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from histories import make_judge, verdict
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.judge.clusters import extremal_index, find_clusters
from soak.runner.judge.goodness import anderson_darling, clumping, evenness, largest_gap
from soak.runner.judge.pareto import Pareto, fit
from soak.runner.judge.returns import stated
from soak.runner.judge.samples import Samples
from soak.runner.judge.tail_quantile import quantile_of_all, quantile_of_peaks, tail_quantile
from soak.runner.judge.tails import MOST_KEPT, Largest, Tailed
from soak.schemas.evidence.tails import Tail
from soak.schemas.language.registry import catalogues

LATENCY_MAX = catalogues()["queue"]["latency_max"]
DAY_S = 86_400.0


def pareto(seed: int, count: int, shape: float, scale: float = 1.0) -> np.ndarray:
    """A sample of a generalised Pareto distribution."""
    return scale * np.expm1(-shape * np.log(np.random.default_rng(seed).random(count))) / shape


def kept(value: np.ndarray, t: np.ndarray | None = None, blocks: int = 1) -> Largest:
    """The fold of a series of a day."""
    largest = Largest()
    times = (np.arange(len(value)) + 0.5) * (DAY_S / len(value)) if t is None else t
    for t_part, part in zip(np.array_split(times, blocks), np.array_split(value, blocks), strict=True):
        largest.observe(Samples(t_part, part))
    return largest


def said(value: np.ndarray, t: np.ndarray | None = None, span_s: float = DAY_S) -> Tail:
    """What is said of a series."""
    return stated(Tailed(LATENCY_MAX, (), None, kept(value, t)), 0.0, span_s)


def fitted(value: np.ndarray) -> Pareto:
    """The fit, which there is."""
    found = fit(value)
    assert found is not None
    return found


# What is kept.


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 3))
def test_what_is_kept_does_not_depend_on_blocks(seed: int, blocks: int, decimals: int) -> None:
    value = np.random.default_rng(seed).exponential(size=9000).round(decimals)
    whole, parts = kept(value), kept(value, blocks=blocks)
    for first, second in zip(whole.kept(), parts.kept(), strict=True):
        np.testing.assert_array_equal(first, second)
    assert whole.samples == parts.samples == 9000


def test_the_largest_are_kept_and_the_earliest_of_equal_ones() -> None:
    value = np.tile([1.0, 2.0, 3.0, 2.0], 1500)
    t, largest, places = kept(value, blocks=7).kept()
    assert len(largest) == MOST_KEPT
    assert (largest == 3.0).sum() == 1500
    twos = np.flatnonzero(value == 2.0)[: MOST_KEPT - 1500]
    np.testing.assert_array_equal(places[largest == 2.0], twos)
    assert (np.diff(t) > 0).all()


# The fit.


@pytest.mark.parametrize("shape", [-0.3, 0.001, 0.2, 0.6])
def test_the_fit_maximises_the_likelihood(shape: float) -> None:
    value = pareto(1, 200, shape, 7.0)
    found = fitted(value)

    def log_likelihood(scale: float, shape: float) -> float:
        return float(-len(value) * math.log(scale) - (1 + 1 / shape) * np.log1p(shape * value / scale).sum())

    best = log_likelihood(found.scale, found.shape)
    for scale in (0.98, 1.0, 1.02):
        for step in (-0.02, 0.0, 0.02):
            assert log_likelihood(found.scale * scale, found.shape + step) <= best + 1e-3


def test_levels_and_ends_follow_from_the_parameters() -> None:
    found = fitted(pareto(2, 500, -0.25, 4.0))
    survival = (1 + found.shape * found.level(1000.0) / found.scale) ** (-1 / found.shape)
    assert survival == pytest.approx(1 / 1000)
    assert found.end == pytest.approx(found.level(1e30), rel=1e-4)
    assert fitted(pareto(2, 500, 0.25)).end is None


@pytest.mark.parametrize(("seed", "shape"), [(1, -0.2), (2, 0.1), (3, 0.4)])
def test_an_interval_ends_where_the_profile_likelihood_does(seed: int, shape: float) -> None:
    value = pareto(seed, 120, shape)
    found, odds = fitted(value), 1e4
    low, high = found.region(0.95).level(odds)

    def profile(level: float) -> float:
        shapes = np.linspace(-0.9, 2.5, 6800)
        scale = shapes * level / np.expm1(shapes * math.log(odds))
        inner = 1 + np.multiply.outer(shapes / scale, value)
        with np.errstate(invalid="ignore", divide="ignore"):
            each = -len(value) * np.log(scale) - (1 + 1 / shapes) * np.log(inner).sum(axis=1)
        return float(np.nanmax(np.where((inner > 0).all(axis=1) & (np.abs(shapes) > 1e-6), each, -np.inf)))

    cut = 1.959964**2 * (1 + 4 / 120) / 2
    top = profile(found.level(odds))
    assert top - profile(low) == pytest.approx(cut, rel=0.02)
    assert top - profile(high) == pytest.approx(cut, rel=0.02)


def test_two_equal_values_and_an_even_spread_have_no_fit() -> None:
    assert fit(np.ones(2)) is None
    assert fit(np.ones(60)) is None
    assert fit(np.linspace(0.01, 1, 100) ** 0.2) is None


# The checks.


def rejected(check: Callable[[Pareto], float], draw: Callable[[int], np.ndarray], level: float = 0.05) -> float:
    """The share of 400 samples with a p-value below `level`."""
    return float(np.mean([check(fitted(draw(seed))) < level for seed in range(400)]))


@pytest.mark.parametrize("shape", [-0.2, 0.001, 0.3])
def test_the_checks_of_fit_reject_as_often_as_they_say(shape: float) -> None:
    assert 0.025 <= rejected(anderson_darling, lambda seed: pareto(seed, 100, shape)) <= 0.08
    assert rejected(largest_gap, lambda seed: pareto(seed, 100, shape)) <= 0.06


def test_the_checks_of_fit_reject_groups() -> None:
    def two_groups(seed: int) -> np.ndarray:
        return np.concatenate([pareto(seed, 130, 0.001), 60 + pareto(seed + 1000, 20, 0.001)])

    def few_far_out(seed: int) -> np.ndarray:
        return np.concatenate([pareto(seed, 146, 0.001), 20 + pareto(seed + 1000, 4, 0.001)])

    assert rejected(anderson_darling, two_groups) >= 0.99
    assert rejected(largest_gap, few_far_out) >= 0.8


def test_critical_values_are_close_to_those_of_choulakian_and_stephens() -> None:
    """Their table 2 has 0.974 for the shape 0 and 5 %: a sample with that statistic has this p-value."""
    best = min((abs(anderson_darling(fitted(pareto(seed, 300, 0.001))) - 0.05), seed) for seed in range(400))
    found = fitted(pareto(best[1], 300, 0.001))
    survival = found.log_survival()
    odd = 2 * np.arange(1, 301) - 1
    statistic = -300 - float((odd * (np.log(-np.expm1(survival)) + survival[::-1])).sum()) / 300
    assert statistic == pytest.approx(0.974, abs=0.05)


def test_times_that_are_not_even_are_found() -> None:
    random = np.random.default_rng(1)
    even = [evenness(np.sort(random.random(100)) * 50 + 10, 10.0, 60.0) for _ in range(400)]
    assert 0.03 <= np.mean(np.array(even) < 0.05) <= 0.08
    assert evenness(np.sort(random.random(100) ** 2), 0.0, 1.0) < 1e-3
    assert evenness(np.linspace(0.4, 0.6, 60), 0.0, 1.0) < 1e-6


def test_clumps_of_the_largest_values_are_found() -> None:
    random = np.random.default_rng(2)
    value = random.exponential(size=300)
    places = np.sort(random.choice(27_000, 300, replace=False))
    alone = [clumping(random.permutation(value), places, 27_000) < 0.05 for _ in range(300)]
    assert np.mean(alone) <= 0.08
    ordered = np.sort(value)
    assert clumping(ordered, places, 27_000) < 1e-6


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_extremal_index_is_one_over_the_size_of_clusters(size: int) -> None:
    random = np.random.default_rng(3)
    starts = np.sort(random.choice(100_000, 400, replace=False)) * 10
    places = np.unique(np.concatenate([starts + step for step in range(size)]))
    assert extremal_index(np.diff(places)) == pytest.approx(1 / size, rel=0.15)


def test_values_that_follow_each_other_are_one_cluster() -> None:
    value = np.random.default_rng(4).exponential(size=20_000)
    value[5000:20_000:100] = value[5001:20_000:100] = value[5002:20_000:100] = 20 + np.arange(150) / 10
    clusters = find_clusters(kept(value))
    assert clusters is not None
    assert clusters.index < 0.7
    assert (clusters.peaks >= 20).sum() == 150


# What is said.


def test_levels_of_an_exponential_tail() -> None:
    tail = said(np.random.default_rng(8).exponential(10.0, 20_000))
    assert tail.withheld == ""
    assert [level.period_s / DAY_S for level in tail.levels] == [1.0, 7.0, 30.0]
    for level in tail.levels:
        truth = 10 * math.log(20_000 * level.period_s / DAY_S)
        assert level.interval[0] < truth < level.interval[1]
        assert level.interval[0] < level.value < level.interval[1]
    assert tail.p999_interval is not None
    assert tail.p999_interval[0] < 10 * math.log(1000) < tail.p999_interval[1]
    assert tail.shape_interval is not None
    assert tail.shape_interval[0] < 0 < tail.shape_interval[1]
    assert len(tail.peaks) == 20


def test_periods_are_comparable_to_the_run() -> None:
    value = np.random.default_rng(8).exponential(10.0, 5000)
    t = np.arange(5000) * 0.72
    assert [level.period_s for level in said(value, t, 3600.0).levels] == [3600.0, DAY_S]
    t = np.arange(5000) * 0.72 * 24 * 60
    assert [level.period_s / DAY_S for level in said(value, t, 60 * DAY_S).levels] == [30.0]


@pytest.mark.parametrize(
    ("draw", "why"),
    [
        (lambda random: random.exponential(size=900), "45 of at least 50 independent peaks"),
        (lambda random: np.full(5000, 9.0), "0 of at least 50 independent peaks"),
        (lambda random: random.exponential(size=20_000) * np.linspace(1, 2, 20_000), "not spread evenly"),
        (lambda random: random.random(20_000), "upper bound"),
        (lambda random: pareto(1, 20_000, 1.5), "no mean"),
        (lambda random: 9 + random.exponential(size=20_000) + 60.0 * (random.random(20_000) < 0.003), "does not fit"),
        (
            lambda random: np.where(np.arange(4000) % 2000 == 7, 25.0, 0) + random.exponential(size=4000),
            "separate groups",
        ),
    ],
)
def test_nothing_is_said_where_nothing_sound_can_be(
    draw: Callable[[np.random.Generator], np.ndarray], why: str
) -> None:
    tail = said(draw(np.random.default_rng(6)))
    assert why in tail.withheld
    assert tail.levels == []
    assert tail.p999 is None


def sojourn(seed: int, count: int, load: float) -> np.ndarray:
    """Times in an M/M/1 queue with service rate 1."""
    random = np.random.default_rng(seed)
    service, apart = random.exponential(size=count), random.exponential(1 / load, count)
    sums = np.concatenate([[0.0], np.cumsum(service[:-1] - apart[1:])])
    return sums - np.minimum.accumulate(sums) + service


QUEUE_DAY = 17.04
"""The e**-1 quantile of the maximum of 20,000 sojourn times at load 0.5, from 4,000 simulated runs."""

COVERAGE = [
    (lambda seed: pareto(seed, 4000, 0.001), math.log, math.log),
    (lambda seed: pareto(seed, 4000, -0.2), lambda odds: (1 - odds**-0.2) / 0.2, lambda odds: (1 - odds**-0.2) / 0.2),
    (
        lambda seed: sojourn(seed, 20_000, 0.5),
        lambda odds: QUEUE_DAY + 2 * math.log(odds / 20_000),
        lambda odds: 2 * math.log(odds),
    ),
]


@pytest.mark.parametrize(("draw", "level", "quantile"), COVERAGE)
def test_intervals_hold_what_is_true(
    draw: Callable[[int], np.ndarray], level: Callable[[float], float], quantile: Callable[[float], float]
) -> None:
    samples = [draw(seed) for seed in range(200)]
    tails = [tail for tail in map(said, samples) if not tail.withheld]
    assert len(tails) >= 150
    for place, days in enumerate((1, 7, 30)):
        truth = level(len(samples[0]) * days)
        held = [tail.levels[place].interval[0] <= truth <= tail.levels[place].interval[1] for tail in tails]
        assert 0.91 <= np.mean(held) <= 0.995
    truth = quantile(1000.0)
    held = [tail.p999_interval[0] <= truth <= tail.p999_interval[1] for tail in tails if tail.p999_interval]
    assert 0.91 <= np.mean(held) <= 0.995


@given(
    st.integers(0, 10**6),
    st.integers(1, 5000),
    st.integers(-1, 3),
    st.floats(0.05, 4),
    st.sampled_from([0.0, 0.01, 0.5, 1.0]),
)
def test_any_series_has_a_statement_or_a_reason(
    seed: int, count: int, decimals: int, power: float, equal: float
) -> None:
    random = np.random.default_rng(seed)
    value = (random.exponential(size=count) ** power).round(decimals)
    value[random.random(count) < equal] = 3.0
    tail = said(value)
    assert bool(tail.withheld) != bool(tail.levels)
    for low, high in (level.interval for level in tail.levels):
        assert math.isfinite(low)
        assert low < high < math.inf


def alone(seed: int, load: float) -> tuple[bool, bool, bool]:
    """Whether the intervals of p99.9 of an M/M/1 queue hold the truth: from all large values, from peaks, and from both."""
    largest = kept(sojourn(seed, 20_000, load))
    clusters = find_clusters(largest)
    assert clusters is not None
    peaks = fitted(clusters.peaks - clusters.threshold)
    all_of_them, truth = quantile_of_all(clusters, largest.samples), math.log(1000) / (1 - load)
    both = tail_quantile(largest, clusters, peaks)
    assert all_of_them is not None
    assert both is not None
    found = (all_of_them, quantile_of_peaks(clusters, peaks, largest.samples), both)
    first, second, third = (low <= truth <= high for _, low, high in found)
    return first, second, third


def test_each_interval_of_a_quantile_allows_for_dependence() -> None:
    from_all, from_peaks, both = np.mean([alone(seed, 0.5) for seed in range(200)], axis=0)
    assert from_all >= 0.83
    assert from_peaks >= 0.9
    assert both >= 0.92


def test_a_quantile_below_the_threshold_is_found_by_ranks() -> None:
    samples = [kept(np.random.default_rng(seed).exponential(size=400_000)) for seed in range(60)]
    held = []
    for largest in samples:
        clusters = find_clusters(largest)
        assert clusters is not None
        assert clusters.threshold > math.log(1000)
        found = tail_quantile(largest, clusters, fitted(clusters.peaks - clusters.threshold))
        assert found is not None
        assert found[0] == pytest.approx(math.log(1000), abs=0.2)
        held.append(found[1] <= math.log(1000) <= found[2])
        assert found[2] - found[1] < 0.4
    assert np.mean(held) >= 0.88


# In a verdict.


def test_a_verdict_says_it_of_each_series_with_a_maximum() -> None:
    history = "".join(f"{n} enqueued {n} due={n}\n{n} dispatched {n} w0\n{n + 0.5} done {n} w0\n" for n in range(1, 40))
    tails = verdict(history + "99 census done=39\n").tails
    assert [(tail.sli, tail.samples) for tail in tails] == [("latency_max", 39), ("wait_max", 39)]
    assert all("independent peaks" in tail.withheld for tail in tails)


def test_unfinished_tasks_and_lost_events_withhold_it() -> None:
    begun = "0 enqueued 1 due=0\n0 dispatched 1 w0\n9 done 1 w0\n1 enqueued 2 due=1\n"
    assert (
        verdict(begun + "99 census done=1 pending=1\n").tails[0].withheld
        == "1 unfinished tasks could have the largest values"
    )


def test_labels_of_objectives_and_quantiles_far_out_have_tails_of_their_own() -> None:
    judge = make_judge(
        """
        workload:
          arrivals: {rate: 1/s}
          task: {duration: {distribution: constant, value: 9s}}
          tenants: [{name: A, share: 50%}, {name: B, share: 50%}]
        slis:
          run_p9995: {quantile: {of: execution.ended, q: 99.95%}, unit: duration}
          run_p99: {quantile: {of: execution.ended, q: 99%}, unit: duration}
        slos: ['latency_max{tenant=A} <= 9s', 'latency_p99{tenant=B} <= 9s']
        """
    )
    assert [(each.sli.name, each.selector) for each in judge.tails] == [
        ("latency_max", ()),
        ("wait_max", ()),
        ("redelivery_time_max", ()),
        ("run_p9995", ()),
        ("latency_max", (("tenant", "A"),)),
    ]
