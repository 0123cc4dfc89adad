"""Intervals of dependent observations hold the truth as often as they say; at length: benchmarks/coverage.py."""

import math

import numpy as np
import pytest
from histories import scenario

from soak.runner.judge import dependence
from soak.runner.judge.confidence import Evidence
from soak.runner.judge.course import Course
from soak.runner.judge.folds import Fold, Sketch, Tally
from soak.runner.judge.ratio import ratio_interval
from soak.runner.judge.samples import Samples
from soak.runner.judge.schedule import NOTHING_SCHEDULED, Schedule, schedule_of
from soak.schemas.language.slis import LATENCY, SUCCESS_RATE, Sli
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Floats

MEAN, P50, P95, P99, _ = LATENCY
RUNS = 120


def evidence(sli: Sli, values: Floats, schedule: Schedule = NOTHING_SCHEDULED) -> Evidence:
    """The evidence of values that came a second apart."""
    fold: Fold = Tally() if sli in {SUCCESS_RATE, MEAN} else Sketch()
    course = Course(ranked=sli is not SUCCESS_RATE)
    samples = Samples(np.arange(len(values), dtype=np.float64), values)
    fold.observe(samples)
    course.observe(samples)
    return Evidence(sli, fold, course, schedule)


def sojourns(rng: np.random.Generator, count: int, rho: float) -> Floats:
    """Times in an M/M/1 queue with services of 1 s on average, by Lindley's recursion."""
    gaps, services = rng.exponential(1 / rho, count + 5_000), rng.exponential(1.0, count + 5_000)
    walk = np.concatenate([[0.0], np.cumsum(services[:-1] - gaps[1:])])
    waits = walk - np.minimum.accumulate(np.minimum(walk, 0.0))
    times: Floats = np.round((waits + services)[5_000:], 6)
    return times


@pytest.mark.parametrize(("sli", "rho"), [(P50, 0.7), (P95, 0.7), (MEAN, 0.7), (P95, 0.5), (P99, 0.5)])
def test_a_queue_under_load(sli: Sli, rho: float) -> None:
    """A nominal 95 % interval: between 88 and 99.5 % of 120 runs, where independence would give 30 to 60 %."""
    rng, mean = np.random.default_rng(5), 1 / (1 - rho)
    truth = mean if sli is MEAN else -math.log(1 - sli.q) * mean
    found = [evidence(sli, sojourns(rng, 20_000, rho)).statement(0.95).interval for _ in range(RUNS)]
    stated = [each for each in found if each]
    assert len(stated) >= 0.9 * RUNS
    held = sum(low <= truth <= high for low, high in stated)
    assert 0.88 <= held / len(stated) <= 0.995


def test_where_dependence_is_too_long_nothing_is_said() -> None:
    """At 90 % load a day of five tasks a minute has some 20 independent observations: too few for the 95th percentile."""
    rng = np.random.default_rng(6)
    statements = [evidence(P95, sojourns(rng, 7_200, 0.9)).statement(0.95) for _ in range(40)]
    said = [each for each in statements if each.interval]
    assert len(said) <= 2
    assert all(each.longer > 1.5 for each in statements if each.interval is None)


@pytest.mark.parametrize("share", [0.5, 0.05])
def test_independent_observations_lose_nothing(share: float) -> None:
    rng, held, effective = np.random.default_rng(7), 0, []
    for _ in range(RUNS):
        statement = evidence(SUCCESS_RATE, (rng.random(4_000) >= share).astype(float)).statement(0.95)
        if statement.interval and statement.effective:
            held += statement.interval[0] <= 1 - share <= statement.interval[1]
            effective.append(statement.effective)
    assert len(effective) >= 0.97 * RUNS
    assert 0.88 <= held / len(effective) <= 0.995
    assert np.median(effective) > 3_500


def test_failures_in_clusters_of_ten_are_worth_a_tenth_or_less() -> None:
    rng = np.random.default_rng(8)
    good = np.repeat(rng.random(2_000) >= 0.05, 10).astype(float)
    statement = evidence(SUCCESS_RATE, good).statement(0.95)
    assert statement.effective == pytest.approx(2_000, rel=0.35)


def test_few_clusters_give_a_wide_interval_or_none() -> None:
    good = np.ones(2_000)
    good[700:705] = good[1_400:1_405] = 0.0
    apart = np.ones(2_000)
    apart[::200] = 0.0
    together, spread = (evidence(SUCCESS_RATE, each).statement(0.95).interval for each in (good, apart))
    assert spread == pytest.approx((0.9908, 0.9973), abs=5e-4)
    assert together is None or together[1] - together[0] > 2 * (spread[1] - spread[0])


# What is scheduled.


def test_cycles_are_no_noise() -> None:
    """Failures at the same place of every cycle of 100 s: the share hardly varies from cycle to cycle."""
    rng = np.random.default_rng(9)
    bad = (np.arange(6_000) % 100 < 20) & (rng.random(6_000) < 0.5)
    values = np.where(bad, 0.0, 1.0)
    cycle = dependence.of_share(_course(values), Schedule(cycle_s=100.0))
    assert cycle.sound
    assert cycle.inflation == pytest.approx(1.0, abs=0.35)


@pytest.mark.parametrize("cycles", [0.7, 1.0, 1.6, 2.4])
@pytest.mark.parametrize("sli", [SUCCESS_RATE, P50, P95, MEAN])
def test_a_run_that_ends_in_its_first_cycles_can_be_judged(sli: Sli, cycles: float) -> None:
    """Nothing is known of how whole cycles vary where there is one: its parts are looked at then."""
    rng, every = np.random.default_rng(3), 1_000
    times = np.arange(round(cycles * every)) % every
    values = (rng.random(len(times)) < 0.9).astype(float) if sli is SUCCESS_RATE else rng.exponential(1 + (times < 100))
    statement = evidence(sli, values, Schedule(0.0, float(every), ())).statement(0.95)
    assert statement.interval is None or statement.interval[0] < statement.interval[1]
    assert statement.effective is not None


def test_a_single_event_is_compared_with_itself() -> None:
    values = np.ones(3_000)
    values[1_000:1_060] = 0.0
    event = Schedule(events=(Window(1_000.0, 1_060.0),))
    assert dependence.of_share(_course(values), event).inflation < 2
    assert dependence.of_share(_course(values)).inflation > 20


def test_the_schedule_of_a_scenario() -> None:
    made = scenario("""
        duration: 10h
        workload:
          arrivals: {rate: 1/s, burst: {every: 30m, for: 5m, rate: 2/s}}
          task: {duration: {distribution: constant, value: 1s}}
        faults:
          - {name: often, type: transient_error, rate: 100%, at: 5m, every: 20m, for: 1m}
          - {name: twice, type: db_outage, at: 1h, every: 6h, for: 2m}
          - {name: near, type: db_outage, at: 1h3m, for: 2m}
    """)
    short = scenario("""
        duration: 2h
        workload:
          arrivals: {rate: 1/s, burst: {every: 1h, for: 5m, rate: 2/s}}
          task: {duration: {distribution: constant, value: 1s}}
    """)
    assert schedule_of(short) == Schedule(0.0, 0.0, (Window(0.0, 600.0), Window(3600.0, 4200.0)))
    assert schedule_of(made) == Schedule(0.0, 1800.0, (Window(3600.0, 4020.0), Window(25_200.0, 25_440.0)))


def _course(values: Floats) -> Course:
    course = Course(ranked=False)
    course.observe(Samples(np.arange(len(values), dtype=np.float64), values))
    return course


# One figure in terms of another.


def test_the_interval_of_a_ratio_is_wider_than_either() -> None:
    low, high = ratio_interval(2.0, (1.0, 4.0), 5.0, (5.0, 5.0))
    assert (low, high) == (1.0, 4.0)
    low, high = ratio_interval(2.0, (1.0, 4.0), 5.0, (2.5, 10.0))
    assert (low, high) == pytest.approx((2 * 2 ** -math.sqrt(2), 2 * 2 ** math.sqrt(2)))
    assert ratio_interval(2.0, (1.0, math.inf), 5.0, (4.0, 6.0))[1] == math.inf
    assert ratio_interval(0.0, (0.0, 1.0), 5.0, (4.0, 6.0)) == (-math.inf, math.inf)
