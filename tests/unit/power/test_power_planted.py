"""True violations of the size that is said to be seen with 95 %, planted in the simulation: are they?"""

from itertools import islice
from statistics import fmean

import pytest
from histories import scenario

from soak.runner.judge.interval import wilson
from soak.runner.power.assessment import assess
from soak.runner.power.detection import RatioRule
from soak.runner.power.pilot import PooledDistribution, Sample, samples_of, share_beyond
from soak.runner.power.tails import binomial_at_least
from soak.runner.replications.replication import Replication, jobs, replicate
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.expression import Op
from soak.schemas.language.model import Scenario

LOAD = """
duration: 5m
drain: 1h
workload:
  arrivals: {{rate: 1/s}}
  task: {{duration: {{distribution: exponential, mean: {mean:.12f}s}}}}
queue: {{workers: {workers}}}
telemetry: {{sample_interval: 5m, max_gap: 2h}}
"""


def replications(made: Scenario, count: int, base: int) -> list[Replication]:
    """Replications in this process."""
    return [replicate(job) for job in islice(jobs(made, base, detailed=True), count)]


def sample(made: Scenario, count: int, base: int) -> Sample:
    """The first objective in a pilot."""
    return samples_of(made.objectives, replications(made, count, base), made.duration_s / 3600)[0]


def test_a_success_rate_of_the_smallest_size_is_seen_as_often_as_promised() -> None:
    text = LOAD.format(mean=2, workers=8) + "slos: [success_rate >= 90%]\n"
    sound = scenario(text)
    found = assess(sample(sound, 6, 1), [], 0.95, sound)
    assert found.smallest
    bad = 1 - found.smallest
    planted = scenario(text + f"faults: [{{name: bad, type: permanent_error, rate: {100 * bad:.6f}%}}]\n")
    outcomes = [each.objectives[0] for each in replications(planted, 120, 99)]
    broken = sum(each.status is Status.FAIL for each in outcomes)
    # How many tasks there are varies from run to run, and with it by how much the saw's teeth exceed 95 %.
    rule = RatioRule(Op.GE, 0.9, good_counts=True)
    expected = fmean(binomial_at_least(rule.least_bad(each.samples), each.samples, bad) for each in outcomes)
    assert 0.95 <= expected < 0.975
    low, high = wilson(broken, len(outcomes), 0.99)
    assert low <= expected <= high


@pytest.mark.parametrize(("workers", "alone", "beside"), [(40, True, 0.0), (3, False, 0.03)])
def test_a_slower_system_of_the_smallest_size_is_seen_as_often_as_promised(
    workers: int, alone: bool, beside: float
) -> None:
    """Latencies as they are, times a factor. With few workers neighbours wait together, and what is promised is less exact."""
    text = LOAD.format(mean=2.4, workers=workers) + "slos: [latency_p95 <= 60s]\n"
    made = scenario(text)
    many = sample(made, 100, 3)
    found = assess(many, [], 0.95, made)
    assert found.smallest and found.smallest_share and found.design_effect
    assert (found.design_effect < 1.5) == alone
    own = PooledDistribution(many.observed).value_with_above(0.05)
    seen = sum(value * found.smallest / own > 60 for value in many.values)
    low, high = wilson(seen, len(many.values), 0.99)
    assert low - beside <= 0.95 <= high + beside
    beyond = [share_beyond(each, 60 * own / found.smallest) for each in many.observed]
    assert found.smallest_share == pytest.approx(fmean(beyond), abs=0.01)
