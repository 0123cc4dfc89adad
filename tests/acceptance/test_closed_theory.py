"""Closed workloads against queueing theory, through YAML and the public API."""

import math
from pathlib import Path
from statistics import fmean, stdev

import pytest

from soak.runner.api import simulate_scenario
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.language.load import load
from soak.simulation.repairman import balance, bound

REPLICATIONS = 8
T_99 = 3.499
"""The 99.5 % quantile of Student's t distribution with REPLICATIONS - 1 degrees of freedom."""

QUEUE = """\
version: 1
name: closed
system: queue
duration: 10h
warmup: 1h
workload:
  users: {{count: {users}, think: {think}}}
  task: {{duration: {service}}}
queue: {{workers: {workers}, poll_interval: 0s}}
"""
CALLS = """\
version: 1
name: closed
system: calls
duration: 1h
warmup: 10m
workload: {{users: {{count: {users}, think: {think}}}}}
calls:
  dependencies: [{{name: api, latency: {service}, capacity: {{workers: {workers}, waiting: 1000}}}}]
"""
THINK, SERVICE = "{distribution: exponential, mean: 10s}", "{distribution: exponential, mean: 2s}"
THINK_S, SERVICE_S = 10.0, 2.0


def verdicts(tmp_path: Path, text: str) -> list[Verdict]:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    loaded = load(path)
    return [simulate_scenario(loaded, seed=seed)[0] for seed in range(REPLICATIONS)]


def observed(found: list[Verdict], sli: str) -> list[float]:
    return [value for each in found if (value := each.slis[sli]) is not None]


def assert_inside_interval(values: list[float], theory: float, within: float) -> None:
    """`theory` is in the 99 % interval of the replications' mean, which is narrower than `within` (relative)."""
    assert len(values) == REPLICATIONS
    half = T_99 * stdev(values) / math.sqrt(len(values))
    assert half < within * theory
    assert fmean(values) - half <= theory <= fmean(values) + half


@pytest.mark.parametrize(
    ("system", "users", "workers"), [(QUEUE, 20, 3), (QUEUE, 8, 2), (QUEUE, 60, 3), (CALLS, 20, 3)]
)
def test_the_machine_repairman(tmp_path: Path, system: str, users: int, workers: int) -> None:
    """M/M/c//N: throughput and mean response, and Little's law N = X (R + Z) in the evidence of every run."""
    found = verdicts(tmp_path, system.format(users=users, workers=workers, think=THINK, service=SERVICE))
    theory = balance(users, THINK_S, SERVICE_S, workers)
    throughput, response_s = observed(found, "throughput"), observed(found, "latency_mean")
    assert_inside_interval(throughput, theory.throughput_per_s, within=0.03)
    assert_inside_interval(response_s, theory.in_system / theory.throughput_per_s, within=0.08)
    for each_per_s, each_s in zip(throughput, response_s, strict=True):
        assert each_per_s * (each_s + THINK_S) == pytest.approx(users, rel=0.06)
    assert max(throughput) <= bound(users, THINK_S, SERVICE_S, workers) * 1.03


def test_the_distribution_of_think_times_does_not_matter_where_nobody_waits(tmp_path: Path) -> None:
    """With a worker for every user X = N / (Z + S), whatever the distributions."""
    think = "{distribution: lognormal, median: 8s, p95: 20s}"
    mean_s = 8 * math.exp((math.log(20 / 8) / 1.6448536269514722) ** 2 / 2)
    found = verdicts(
        tmp_path, QUEUE.format(users=5, workers=5, think=think, service="{distribution: constant, value: 2s}")
    )
    assert_inside_interval(observed(found, "throughput"), 5 / (mean_s + 2), within=0.02)
    assert observed(found, "latency_p99") == [2.0] * REPLICATIONS


def test_one_user_with_constant_times(tmp_path: Path) -> None:
    """One user submits exactly every Z + S seconds."""
    text = QUEUE.format(
        users=1,
        workers=1,
        think="{distribution: constant, value: 7s}",
        service="{distribution: constant, value: 5s}",
    )
    found = verdicts(tmp_path, text)[0]
    assert found.slis["latency_max"] == 5.0
    assert found.load is not None
    # From 0 on every 12 s, before the end at 36,000 s.
    assert found.load.planned == found.load.offered == 3_000
    assert found.slis["throughput"] == pytest.approx(1 / 12, rel=1e-3)
