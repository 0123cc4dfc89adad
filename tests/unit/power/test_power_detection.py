"""What is computed of objectives, against the judge's own folds and against drawing lots."""

import math
from itertools import pairwise, product
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.runner.judge.folds import Sketch, Tally
from soak.runner.judge.growth import Growth
from soak.runner.judge.samples import Samples
from soak.runner.power.detection import (
    CountDetector,
    EnoughDetector,
    QuantileRule,
    RarityDetector,
    RatioRule,
    ShareDetector,
    SpreadDetector,
)
from soak.runner.power.search import shortest, smallest
from soak.runner.power.tails import binomial_at_least
from soak.schemas.language.expression import Op
from soak.schemas.language.registry import catalogues

SLIS = catalogues()["queue"]
HERE = RatioRule(Op.GE, 0.97, good_counts=True)


def folded(values: list[float], sli: str) -> float:
    """What the judge makes of these observations."""
    fold = Tally() if sli.endswith("rate") else Sketch()
    fold.observe(Samples(np.arange(len(values), dtype=float), np.array(values)))
    return fold.value(SLIS[sli], 1.0)


RULES = [
    (Op.GE, 0.97, True),
    (Op.GT, 0.97, True),
    (Op.GE, 0.9, True),
    (Op.EQ, 1.0, True),
    (Op.LE, 0.05, False),
    (Op.LT, 0.1, False),
    (Op.EQ, 0.0, False),
]


@pytest.mark.parametrize(("op", "target", "good_counts"), RULES)
def test_a_ratio_breaks_where_the_judge_finds_it_broken(op: Op, target: float, good_counts: bool) -> None:
    rule = RatioRule(op, target, good_counts)
    for n in (1, 2, 9, 10, 33, 34, 99, 100, 101, 200):
        broken = [
            not op.holds(folded([1.0 - good_counts] * bad + [float(good_counts)] * (n - bad), "success_rate"), target)
            for bad in range(n + 1)
        ]
        assert broken == [bad >= rule.least_bad(n) for bad in range(n + 1)]


@pytest.mark.parametrize(("sli", "q"), [("latency_p50", 0.5), ("latency_p95", 0.95), ("latency_p99", 0.99)])
def test_a_quantile_breaks_where_the_judge_finds_it_broken(sli: str, q: float) -> None:
    for n in (1, 2, 3, 19, 20, 21, 100, 101, 199):
        broken = [folded([10.0] * bad + [1.0] * (n - bad), sli) > 5 for bad in range(n + 1)]
        assert broken == [bad >= QuantileRule(q).least_bad(n) for bad in range(n + 1)]


def share(rule: RatioRule | QuantileRule = HERE, *, per_hour: float = 1.0, design_effect: float = 1.0) -> ShareDetector:
    """A detector whose sizes are shares of bad ones."""
    return ShareDetector(rule, lambda size: size, rule.allowed, 1.0, per_hour, design_effect)


def test_a_longer_run_never_sees_less() -> None:
    """The least from here on, by brute force over all longer runs that can matter."""
    for p in (0.035, 0.05, 0.12):
        alone = [binomial_at_least(HERE.least_bad(n), n, p) for n in range(1, 1500)]
        assert any(later < here for here, later in pairwise(alone))
        for n in range(1, 400, 7):
            assert share().probability(p, n) == pytest.approx(min(alone[n - 1 :]))


def test_the_smallest_share_is_the_smallest() -> None:
    found = smallest(share(), 500, 0.95)
    assert found
    assert share().probability(found, 500) == pytest.approx(0.95)
    assert share().probability(found - 1e-6, 500) < 0.95


def test_the_shortest_run_is_the_shortest() -> None:
    hours = shortest(share(), 0.05, 0.95, 1.0)
    assert hours
    brute = [binomial_at_least(HERE.least_bad(n), n, 0.05) >= 0.95 for n in range(1, 5000)]
    assert round(hours) == max(n for n in range(1, 5000) if not brute[n - 1]) + 1


@pytest.mark.parametrize("n", [10, 300, 30_575])
def test_nothing_may_happen_is_the_rule_of_three(n: int) -> None:
    count = CountDetector(1, 0.0, 1.0, float(n), 1.0)
    found = smallest(count, 1.0, 0.95)
    assert found == pytest.approx(1 - 0.05 ** (1 / n))
    assert shortest(count, 0.01, 0.95, 1e-6) == pytest.approx(math.ceil(math.log(0.05) / math.log(0.99)) / n)


def test_a_duplicate_in_ten_thousand_takes_so_many_executions() -> None:
    """Three days with 29,956 executions and not one fewer: what the documentation says."""
    assert CountDetector(1, 0.0, 1.0, 29_956 / 72, 1.0).probability(0.0001, 72) >= 0.95
    assert CountDetector(1, 0.0, 1.0, 29_955 / 72, 1.0).probability(0.0001, 72) < 0.95


def test_without_known_opportunities_a_count_is_poisson() -> None:
    count = CountDetector(3, 0.0, 1e6, None, 1.0)
    terms = sum(math.exp(-4.0) * 4.0**k / math.factorial(k) for k in range(3))
    assert count.probability(2.0, 2.0) == pytest.approx(1 - terms)


def test_a_rare_event() -> None:
    assert smallest(RarityDetector(), 72, 0.95) == pytest.approx(-math.log(0.05) / 72)
    assert shortest(RarityDetector(), 1 / 24, 0.95, 1.0) == pytest.approx(24 * -math.log(0.05))


def drawn(rule: RatioRule, n: int, p: float, cluster: int, runs: int) -> float:
    """How often a ratio is broken of which `cluster` neighbours share their fate, drawn and folded by the judge."""
    generator = np.random.default_rng(5)
    broken = 0
    for _ in range(runs):
        bad = np.repeat(generator.random(n // cluster) < p, cluster)
        broken += not rule.op.holds(folded((1.0 - bad).tolist(), "success_rate"), rule.target)
    return broken / runs


@pytest.mark.parametrize("cluster", [1, 5])
def test_what_is_said_to_be_seen_is_seen(cluster: int) -> None:
    n, runs = 2000, 1500
    detector = share(per_hour=float(n), design_effect=float(cluster))
    p = smallest(detector, 1.0, 0.95)
    assert p
    exact = binomial_at_least(math.ceil(HERE.least_bad(n) / cluster), n // cluster, p)
    assert drawn(HERE, n, p, cluster, runs) == pytest.approx(exact, abs=2.6 * math.sqrt(exact * (1 - exact) / runs))
    assert 0.95 <= exact < 0.97


def test_duplicates_are_seen_as_often_as_promised() -> None:
    """Bernoulli's trials through the judge's fold, at the smallest rate that is seen with 95 %."""
    n, runs, generator = 3000, 2000, np.random.default_rng(2)
    rate = smallest(CountDetector(1, 0.0, 1.0, float(n), 1.0), 1.0, 0.95)
    assert rate
    seen = 0
    for _ in range(runs):
        fold = Tally()
        fold.observe(Samples(np.arange(n, dtype=float), (generator.random(n) < rate).astype(float)))
        seen += fold.value(SLIS["duplicate_executions"], 1.0) != 0
    assert seen / runs == pytest.approx(0.95, abs=2.6 * math.sqrt(0.95 * 0.05 / runs))


@pytest.mark.parametrize("hourly", [False, True])
def test_events_in_clusters_are_seen_as_often_as_promised(hourly: bool) -> None:
    """Four at a time where they come, and broken from twelve on: three clusters."""
    n, runs, generator = 3000, 3000, np.random.default_rng(6)
    count = CountDetector(12, 0.0, 1e6 if hourly else 1.0, None if hourly else float(n), 4.0)
    size = smallest(count, 1.0, 0.95)
    assert size
    clusters = generator.poisson(size / 4, runs) if hourly else generator.binomial(n // 4, size, runs)
    assert float((4 * clusters >= 12).mean()) == pytest.approx(0.95, abs=2.6 * math.sqrt(0.95 * 0.05 / runs))


def test_a_spread_between_runs() -> None:
    spread = SpreadDetector(10.0, 100.0, 4.0, lambda size: 0.1 * size)
    size = smallest(spread, 4.0, 0.95)
    assert size
    draws = np.random.default_rng(4).normal(size, 0.1 * size, 20_000)
    assert float((draws > 10).mean()) == pytest.approx(0.95, abs=0.006)
    assert shortest(spread, size, 0.95, 0.01) == pytest.approx(4.0)
    assert spread.probability(size, 16.0) == pytest.approx(0.9995, abs=0.0003)
    assert spread.probability(10.0, 4.0) == pytest.approx(0.5)
    lower = SpreadDetector(10.0, 0.01, 4.0, lambda size: 1.0)
    assert lower.probability(9.0, 4.0) == pytest.approx(spread.probability(10.0, 4.0) + 0.3413, abs=0.001)


def test_a_ratio_of_two_sides_is_lognormal() -> None:
    spread = SpreadDetector(1.2, 1200.0, 1.0, lambda size: 0.05, logarithmic=True)
    size = smallest(spread, 1.0, 0.95)
    assert size
    draws = size * np.exp(np.random.default_rng(4).normal(0, 0.05, 20_000))
    assert float((draws > 1.2).mean()) == pytest.approx(0.95, abs=0.006)


def slopes(points: int, hours: float, runs: int) -> tuple[float, float, float]:
    """The standard deviation of a growth between runs of noise, mean and deviation of half its interval, by the judge's fold."""
    generator, found, halves = np.random.default_rng(8), [], []
    for _ in range(runs):
        fold = Growth(())
        fold.observe(Samples(np.linspace(0, hours * 3600, points), generator.normal(100, 5, points)))
        interval = fold.interval(SLIS["queue_depth_growth"], 0.95)
        assert interval
        found.append(fold.value(SLIS["queue_depth_growth"], 1.0))
        halves.append((interval[1] - interval[0]) / 2)
    return stdev(found), fmean(halves), stdev(halves)


@pytest.mark.parametrize("points", [30, 256])
def test_a_slope_shrinks_with_time_as_assumed(points: int) -> None:
    short, longer = slopes(points, 1, 150), slopes(4 * points, 4, 150)
    assert short[0] / longer[0] == pytest.approx(4**1.5, rel=0.25)
    assert short[1] / longer[1] == pytest.approx(4**1.5, rel=0.25)


def test_a_leak_is_seen_as_often_as_promised() -> None:
    """With a confidence, the whole interval has to lie beyond the target."""
    sd, half, varied = slopes(100, 2, 200)
    size = smallest(SpreadDetector(1.0, 1e3, 2.0, lambda size: math.hypot(sd, varied), 1.5, half), 2.0, 0.95)
    assert size
    generator, runs, seen = np.random.default_rng(9), 400, 0
    t_s = np.linspace(0, 7200, 100)
    for _ in range(runs):
        fold = Growth(())
        fold.observe(Samples(t_s, 100 + size * t_s / 3600 + generator.normal(0, 5, 100)))
        interval = fold.interval(SLIS["queue_depth_growth"], 0.95)
        assert interval
        seen += interval[0] > 1.0
    # The spread itself is known to within 5 % from so many runs.
    assert seen / runs == pytest.approx(0.95, abs=0.035)


def test_too_few_observations_are_no_violation() -> None:
    """With Poisson numbers of observations around the least, half of the runs have enough."""
    detector = EnoughDetector(share(per_hour=100.0), 200, 100.0, 1.0)
    assert detector.probability(0.5, 2.0) == pytest.approx(0.5, abs=0.02)
    hours = shortest(detector, 0.5, 0.95, 0.01)
    assert hours
    draws = np.random.default_rng(3).poisson(100 * hours, 20_000)
    assert float((draws >= 200).mean()) == pytest.approx(0.95, abs=0.007)
    steady = EnoughDetector(share(per_hour=100.0), 200, 100.0, 0.0)
    assert [steady.probability(0.5, hours) for hours in (1.99, 2.0)] == [0.0, pytest.approx(1.0)]


DETECTORS = [
    share(per_hour=40.0),
    share(QuantileRule(0.95), per_hour=40.0, design_effect=3.7),
    CountDetector(1, 0.0, 1.0, 40.0, 1.0),
    CountDetector(4, 0.01, 1.0, 40.0, 1.6),
    CountDetector(4, 0.1, 100.0, None, 1.0),
    RarityDetector(),
    SpreadDetector(10.0, 100.0, 4.0, lambda size: 0.1 * size),
    SpreadDetector(1.0, -50.0, 4.0, lambda size: 2.0, 1.5, 0.3),
    EnoughDetector(share(per_hour=40.0), 100, 40.0, 1.2),
]


@settings(max_examples=60, deadline=None)
@given(
    which=st.sampled_from(DETECTORS), parts=st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)), hours=st.floats(1, 900)
)
def test_worse_violations_and_longer_runs_are_seen_more_often(
    which: ShareDetector | CountDetector | RarityDetector | SpreadDetector | EnoughDetector,
    parts: tuple[float, float],
    hours: float,
) -> None:
    less, more = (which.limit + min(1.0, part) * 0.2 * (which.worst - which.limit) for part in sorted(parts))
    assert which.probability(less, hours) <= which.probability(more, hours) + 1e-9
    assert which.probability(less, hours) <= which.probability(less, hours * 1.1) + 1e-9


@pytest.mark.parametrize(("which", "hours"), list(product(DETECTORS, (20.0, 300.0))))
def test_size_and_duration_agree(
    which: ShareDetector | CountDetector | RarityDetector | SpreadDetector | EnoughDetector, hours: float
) -> None:
    size = smallest(which, hours, 0.95)
    assert size is not None
    needed = shortest(which, size, 0.95, 0.01)
    assert needed is not None
    assert needed <= hours * (1 + 1e-6)
    # A share, or a count, is seen from one whole observation on.
    assert which.probability(size, needed * 0.93) < 0.95 + 1e-9
