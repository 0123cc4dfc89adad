"""What a pilot says: design effects, the distribution of all observations, which replications count."""

import msgspec
import numpy as np
import pytest
from histories import scenario

from soak.runner.engine import execute, identify
from soak.runner.judge.histogram import RELATIVE_ERROR, Histogram
from soak.runner.power.pilot import (
    PooledDistribution,
    Sample,
    design_effect,
    index_of_dispersion,
    samples_of,
    share_beyond,
)
from soak.runner.replications.replication import Job, ObjectiveOutcome, Replication, replicate
from soak.runner.targets.simulation import Simulation
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import Outcome, Status
from soak.simulation.plan import Plan


def shares(cluster: int, runs: int = 2000, n: int = 1000, p: float = 0.1) -> list[float]:
    """Shares of runs in which so many neighbours share their fate."""
    return (np.random.default_rng(1).binomial(n // cluster, p, runs) / (n // cluster)).tolist()


@pytest.mark.parametrize("cluster", [1, 2, 20])
def test_the_design_effect_of_clusters_is_their_size(cluster: int) -> None:
    assert design_effect(shares(cluster), [1000] * 2000) == pytest.approx(cluster, rel=0.1)


def test_a_design_effect_is_one_at_least() -> None:
    assert design_effect([0.1, 0.1, 0.1], [50, 50, 50]) == 1.0
    assert design_effect([0.0, 0.0, 0.0], [50, 50, 50]) is None
    assert design_effect([1.0, 1.0], [50, 50]) is None
    assert design_effect([0.5], [50]) is None


def test_the_design_effect_of_runs_of_different_length() -> None:
    generator = np.random.default_rng(2)
    counts = generator.integers(20, 2000, 3000)
    found = design_effect((generator.binomial(counts, 0.2) / counts).tolist(), counts.tolist())
    assert found == pytest.approx(1.0, abs=0.15)


def test_the_dispersion_of_counts() -> None:
    generator = np.random.default_rng(3)
    assert index_of_dispersion(generator.poisson(5, 3000).tolist()) == pytest.approx(1.0, abs=0.08)
    assert index_of_dispersion((4 * generator.poisson(5, 3000)).tolist()) == pytest.approx(4.0, rel=0.08)
    assert index_of_dispersion([0.0, 0.0]) is None


def outcome(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> ObjectiveOutcome:
    """A replication that observed these."""
    histogram = Histogram()
    histogram.add(values)
    return ObjectiveOutcome(Status.PASS, 1.0, 1.0, 0.0, len(values), None, histogram.nonzero())


def test_the_distribution_is_that_of_the_observations() -> None:
    values = np.random.default_rng(4).lognormal(3, 1, 20_000)
    pooled = PooledDistribution([outcome(values[:5000]), outcome(values[5000:])])
    for q in (0.05, 0.5, 0.95, 0.99):
        true = float(np.quantile(values, q))
        assert pooled.value_with_above(1 - q) == pytest.approx(true, rel=2 * RELATIVE_ERROR)
        assert pooled.share_above(true) == pytest.approx(1 - q, abs=0.005)
        assert pooled.share_above(pooled.value_with_above(1 - q)) == pytest.approx(1 - q)
    assert pooled.share_above(1e-3) == 1.0
    assert pooled.share_above(1e9) == 0.0
    assert share_beyond(outcome(values), 20.0) == pytest.approx(float((values > 20.0).mean()), abs=0.01)


def test_a_distribution_with_zeros() -> None:
    pooled = PooledDistribution([outcome(np.array([0.0, 0.0, 0.0, 8.0]))])
    assert pooled.value_with_above(0.5) == 0.0
    assert pooled.share_above(1.0) == 0.25
    assert pooled.value_with_above(0.1) == pytest.approx(8.0, rel=0.01)


OBJECTIVES = "slos: [success_rate >= 97%, latency_p95 <= 20s, queue_depth_growth <= 5/h]"


def replication(index: int, *, verdict: Outcome = Outcome.PASS, samples: int = 100) -> Replication:
    """A replication of the three objectives."""
    seen = ObjectiveOutcome(Status.PASS, 0.98, 0.97, 0.01, samples)
    name = "collapse" if verdict is Outcome.ABORTED else None
    return Replication(index, index, verdict, 3600.0, name, [seen, seen, seen], [])


def test_replications_that_were_aborted_do_not_count() -> None:
    objectives = scenario(OBJECTIVES).objectives
    some = [replication(index, verdict=Outcome.ABORTED if index < 3 else Outcome.FAIL) for index in range(10)]
    assert [len(each.outcomes) for each in samples_of(objectives, some, 1.0)] == [7, 7, 7]
    most = [replication(index, verdict=Outcome.ABORTED if index < 6 else Outcome.PASS) for index in range(10)]
    with pytest.raises(UsageError, match=r"6 of 10 replications were ended by an abort condition, most by collapse"):
        samples_of(objectives, most, 1.0)


def test_replications_that_observe_nothing() -> None:
    blind = [
        Replication(
            index,
            index,
            Outcome.INCONCLUSIVE,
            1.0,
            None,
            [ObjectiveOutcome(Status.INCONCLUSIVE, None, 0.97, None, 0)],
            [],
        )
        for index in range(6)
    ]
    with pytest.raises(UsageError, match="no replication observed anything that an objective is about"):
        samples_of(scenario("slos: [success_rate >= 97%]").objectives, blind, 1.0)


def test_what_a_replication_tells_of_its_objectives() -> None:
    """Its histogram holds every observation; the value is the quantile of it."""
    job = Job(0, 7, scenario(f"duration: 20m\ndrain: 20m\n{OBJECTIVES}"), detailed=True)
    made = replicate(job)
    ratio, quantile, _ = made.objectives
    assert sum(quantile.buckets.values()) == quantile.samples == ratio.samples > 500
    assert quantile.value is not None
    above = share_beyond(quantile, quantile.value * (1 + RELATIVE_ERROR))
    assert above <= 0.05 <= share_beyond(quantile, quantile.value * (1 - 3 * RELATIVE_ERROR))
    assert ratio.buckets == {} and ratio.half_width is None
    brief = replicate(Job(0, 7, job.scenario)).objectives[1]
    assert brief == msgspec.structs.replace(quantile, buckets={})


@pytest.mark.parametrize("workers", [9, 12])
def test_a_replication_keeps_half_of_the_interval_of_a_growth_of_which_something_can_be_said(workers: int) -> None:
    """With nine workers for nine tasks the queue wanders for all the 20 minutes."""
    job = Job(0, 7, scenario(f"duration: 20m\ndrain: 1m\nqueue: {{workers: {workers}}}\n{OBJECTIVES}"))
    target = Simulation()
    identity = identify(job.scenario, "", job.seed, target, abort=True)
    verdict = execute(Plan(job.scenario, job.seed), target, identity)[0]
    low, high = verdict.objectives[2].interval or (None, None)
    assert low is not None and high is not None
    [growth] = [each for each in verdict.growths if each.sli == "queue_depth_growth"]
    kept = replicate(job).objectives[2].half_width
    assert kept == (None if workers == 9 else pytest.approx((high - low) / 2))
    assert (growth.detail == "") == (workers == 12)


def test_half_widths_that_are_mostly_there_have_a_mean_and_a_spread() -> None:
    objective = scenario("slos: [queue_depth_growth <= 5/h]").objectives[0]

    def pilot(*widths: float | None) -> Sample:
        outcomes = [ObjectiveOutcome(Status.PASS, 1.0, 5.0, 4.0, 100, width) for width in widths]
        return Sample(objective, tuple(outcomes), 1.0)

    assert pilot(*[2.0] * 5, *[4.0] * 5).half_widths == pytest.approx((3.0, 1.0540926))
    assert pilot(*[2.0] * 9, None).half_widths == (2.0, 0.0)
    assert pilot(*[2.0] * 8, None, None).half_widths is None
