"""The model against queueing theory, through YAML and the public API."""

import math
from pathlib import Path
from statistics import fmean, stdev

import pytest

from soak.runner.api import simulate_scenario
from soak.schemas.language.load import load

REPLICATIONS = 12
T_99 = 3.106
"""The 99.5 % quantile of Student's t distribution with REPLICATIONS - 1 degrees of freedom."""

QUEUE = """\
version: 1
name: theory
system: queue
duration: {hours}h
drain: 20h
warmup: {warmup}h
workload:
  arrivals: {{rate: {rate}/h}}
  task:
    duration: {service}
queue:
  workers: {workers}
  poll_interval: 0s
"""
MEAN_S = 10.0
SIGMA = math.log(20 / 8) / 1.6448536269514722


def observed(tmp_path: Path, sli: str, text: str) -> list[float]:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    loaded = load(path)
    values = [simulate_scenario(loaded, seed=seed)[0].slis[sli] for seed in range(REPLICATIONS)]
    assert None not in values
    return [value for value in values if value is not None]


def assert_inside_interval(values: list[float], theory: float) -> None:
    """`theory` lies inside the 99 % interval of the replications' mean, and the interval is narrow enough to say something."""
    half = T_99 * stdev(values) / math.sqrt(len(values))
    assert half < 0.1 * theory
    assert fmean(values) - half <= theory <= fmean(values) + half


def erlang_c(servers: int, load: float) -> float:
    """The chance to wait in an M/M/c queue (Erlang 1917)."""
    below = sum(load**n / math.factorial(n) for n in range(servers))
    waiting = load**servers / math.factorial(servers) * servers / (servers - load)
    return waiting / (below + waiting)


def pollaczek_khinchine(rate_per_s: float, mean_s: float, second_moment: float) -> float:
    """Mean wait in an M/G/1 queue: rate * E[S^2] / (2 (1 - load))."""
    return rate_per_s * second_moment / (2 * (1 - rate_per_s * mean_s))


LOGNORMAL_MEAN = 8 * math.exp(SIGMA**2 / 2)
LOGNORMAL_SECOND = 8**2 * math.exp(2 * SIGMA**2)

EXPONENTIAL = "{distribution: exponential, mean: 10s}"
CONSTANT = "{distribution: constant, value: 10s}"
LOGNORMAL = "{distribution: lognormal, median: 8s, p95: 20s}"


@pytest.mark.parametrize(
    ("service", "workers", "rate_per_h", "theory"),
    [
        pytest.param(EXPONENTIAL, 1, 216, 0.6 / (1 / MEAN_S - 216 / 3600), id="M/M/1"),
        pytest.param(EXPONENTIAL, 4, 1080, erlang_c(4, 3.0) * MEAN_S / (4 - 3.0), id="M/M/4"),
        pytest.param(CONSTANT, 1, 216, pollaczek_khinchine(216 / 3600, MEAN_S, MEAN_S**2), id="M/D/1"),
        pytest.param(LOGNORMAL, 1, 216, pollaczek_khinchine(216 / 3600, LOGNORMAL_MEAN, LOGNORMAL_SECOND), id="M/G/1"),
    ],
)
def test_mean_wait(tmp_path: Path, service: str, workers: int, rate_per_h: int, theory: float) -> None:
    hours = 20_000 // rate_per_h
    text = QUEUE.format(hours=hours, warmup=1, rate=rate_per_h, service=service, workers=workers)
    assert_inside_interval(observed(tmp_path, "wait_mean", text), theory)


MU_LESS_LAMBDA = 1 / MEAN_S - 216 / 3600


@pytest.mark.parametrize(
    ("sli", "theory"),
    [
        ("latency_p90", math.log(10) / MU_LESS_LAMBDA),
        ("latency_p75", math.log(4) / MU_LESS_LAMBDA),
        ("latency_share_below(30s)", 1 - math.exp(-30 * MU_LESS_LAMBDA)),
        ("wait_share_below(10s)", 1 - 0.6 * math.exp(-10 * MU_LESS_LAMBDA)),
    ],
)
def test_percentiles_and_shares_of_an_m_m_1(tmp_path: Path, sli: str, theory: float) -> None:
    """Times in the system are exponential with mu - lambda; waits are 0 with 1 - rho, and else the same (Kleinrock 1975, 3.2)."""
    text = QUEUE.format(hours=92, warmup=1, rate=216, service=EXPONENTIAL, workers=1)
    target = "50%" if "share" in sli else "1h"
    text += f"slos: ['{sli} {'>=' if 'share' in sli else '<='} {target}']\n"
    assert_inside_interval(observed(tmp_path, sli, text), theory)


@pytest.mark.parametrize("max_attempts", [1, 2, 3, 5])
def test_share_done_after_n_attempts(tmp_path: Path, max_attempts: int) -> None:
    share = 0.3
    text = QUEUE.format(hours=20, warmup=0, rate=100, service=CONSTANT, workers=20)
    text += f"  retry: {{max_attempts: {max_attempts}, backoff: [1s]}}\n"
    text += f"faults:\n  - {{name: error, type: transient_error, rate: {share}}}\n"
    assert_inside_interval(observed(tmp_path, "success_rate", text), 1 - share**max_attempts)


def test_mean_number_of_attempts(tmp_path: Path) -> None:
    share, max_attempts = 0.4, 4
    path = tmp_path / "scenario.yaml"
    text = QUEUE.format(hours=20, warmup=0, rate=100, service=CONSTANT, workers=20)
    text += f"  retry: {{max_attempts: {max_attempts}, backoff: [1s]}}\n"
    text += f"faults:\n  - {{name: error, type: transient_error, rate: {share}}}\n"
    path.write_text(text)
    attempts = []
    for seed in range(REPLICATIONS):
        verdict, _ = simulate_scenario(path, settings=[f"seed={seed}"])
        attempts.append(1 + sum(verdict.retries_by_attempt.values()) / verdict.tasks["accepted"])
    assert_inside_interval(attempts, (1 - share**max_attempts) / (1 - share))


def test_littles_law_from_samples(tmp_path: Path) -> None:
    """L by sampling the queue and the workers equals arrival rate times time in the system."""
    from soak.runner.judge.samples import Facts
    from soak.schemas.stream.block import Block
    from soak.schemas.stream.events import Kind

    class Levels:
        total, count = 0.0, 0

        def append(self, block: Block, facts: Facts) -> None:
            self.total += float(block.value[block.kind == Kind.SAMPLE_QUEUE_DEPTH].sum())
            self.total += float(block.value[block.kind == Kind.SAMPLE_BUSY_WORKERS].sum())
            self.count += int((block.kind == Kind.SAMPLE_BUSY_WORKERS).sum())

    path = tmp_path / "scenario.yaml"
    text = QUEUE.format(hours=50, warmup=0, rate=1080, service=EXPONENTIAL, workers=4)
    path.write_text(text + "telemetry: {sample_interval: 7s}\n")
    levels = Levels()
    verdict, _ = simulate_scenario(path, sinks=[levels])
    assert verdict.slis["throughput"] and verdict.slis["latency_mean"]
    assert levels.total / levels.count == pytest.approx(
        verdict.slis["throughput"] * verdict.slis["latency_mean"], rel=0.03
    )
    assert {law.law: law.status.value for law in verdict.laws}["littles_law"] == "PASS"


def test_higher_load_never_lowers_utilisation(tmp_path: Path) -> None:
    waits = []
    for rate in (100, 200, 300, 340):
        path = tmp_path / f"{rate}.yaml"
        path.write_text(QUEUE.format(hours=30, warmup=1, rate=rate, service=EXPONENTIAL, workers=1))
        waits.append(simulate_scenario(path)[0].slis["wait_mean"])
    assert waits == sorted(waits)
