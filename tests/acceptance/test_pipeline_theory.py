"""Simulated pipelines against queueing theory, through YAML."""

import math
from statistics import fmean, stdev

import pytest
from pipelines import Run

REPLICATIONS = 8
T_99 = 3.499
"""The 99.5 % quantile of Student's t distribution with REPLICATIONS - 1 degrees of freedom."""

PIPELINE = """
duration: {duration}
workload: {{arrivals: {{rate: {rate}, process: {process}}}}}
pipeline:
  processes:
{processes}
  sinks: [{{name: file, of: last{batch}}}]
"""


def runs(
    *processes: str,
    rate: str,
    process: str = "poisson",
    batch: str = "",
    duration: str = "10m",
    count: int = REPLICATIONS,
) -> list[Run]:
    """Runs of a chain, the first of which reads the source."""
    lines = [
        f"    - {{name: p{place}, reads: {f's{place - 1}' if place else 'source'}, "
        f"writes: {'last' if place == len(processes) - 1 else f's{place}'}, {each}}}"
        for place, each in enumerate(processes)
    ]
    text = PIPELINE.format(duration=duration, rate=rate, process=process, processes="\n".join(lines), batch=batch)
    return [Run(text, seed) for seed in range(count)]


def exponential(mean: str) -> str:
    return f"service: {{distribution: exponential, mean: {mean}}}"


def constant(value: str) -> str:
    return f"service: {{distribution: constant, value: {value}}}"


def assert_inside_interval(values: list[float], theory: float, within: float) -> None:
    """`theory` is in the 99 % interval of the replications' mean, which is narrower than `within` (relative)."""
    half = T_99 * stdev(values) / math.sqrt(len(values))
    assert half < within * theory
    assert fmean(values) - half <= theory <= fmean(values) + half


def test_a_tandem_of_exponential_servers() -> None:
    """What leaves M/M/1 is a Poisson process again (Burke 1956): the mean sojourn is the sum of 1 / (mu_i - lambda)."""
    found = runs(exponential("4ms"), exponential("5ms"), exponential("2ms"), rate="150/s")
    theory = sum(1 / (1000 / mean_ms - 150) for mean_ms in (4, 5, 2))
    assert_inside_interval([run.latency_s("file") for run in found], theory, within=0.05)


def test_a_server_with_constant_service() -> None:
    """M/D/1: the mean wait is rho * s / (2 * (1 - rho)) (Pollaczek and Khinchine)."""
    found = runs(constant("4ms"), rate="150/s")
    theory = 0.004 + 0.6 * 0.004 / (2 * 0.4)
    assert_inside_interval([run.latency_s("file") for run in found], theory, within=0.03)


@pytest.mark.parametrize("rate", [80, 100, 130])
@pytest.mark.parametrize("overflow", ["drop_newest", "drop_oldest"])
def test_a_buffer_that_overflows(rate: int, overflow: str) -> None:
    """M/M/1/K with K = 5 waiting and one in service: (1 - r) r^K / (1 - r^(K+1)) are lost, whichever is dropped."""
    found = runs(f"buffer: 5, overflow: {overflow}, {exponential('10ms')}", rate=f"{rate}/s", duration="5m")
    load, places = rate / 100, 6
    theory = 1 / (places + 1) if load == 1 else (1 - load) * load**places / (1 - load ** (places + 1))
    shares = [run.total("records.dropped") / run.total("records.sent") for run in found]
    assert_inside_interval(shares, theory, within=0.12)
    stored = [run.total("records.stored", "file") + run.total("records.dropped") for run in found]
    assert stored == [run.total("records.sent") for run in found]


def test_regular_records_through_servers_that_are_quick_enough_take_exactly_their_service_times() -> None:
    """D/D/1 in a row."""
    (run,) = runs(constant("50ms"), constant("30ms"), constant("7ms"), rate="10/s", process="constant", count=1)
    assert {event.value for event in run.of("records.stored")} == {0.087}
    assert run.total("records.stored", "file") == 6000


def test_regular_records_through_a_server_that_is_too_slow_wait_longer_and_longer() -> None:
    """D/D/1 with utilisation above 1: record n waits n * (s - a)."""
    (run,) = runs(constant("125ms"), rate="10/s", process="constant", duration="40s", count=1)
    assert run.total("records.stored", "file") == 400
    assert max(event.value for event in run.of("records.stored")) == pytest.approx(399 * 0.025 + 0.125, rel=0.03)
    assert run.latency_s("file") == pytest.approx(399 * 0.025 / 2 + 0.125, rel=1e-6)


def test_a_batch_by_time() -> None:
    """A record waits (T + lambda T^2 / 2) / (1 + lambda T) on average: the first of a batch T, the others half of it."""
    batch = ", batch: {rows: 100000, every: 500ms}"
    found = runs(constant("0.1ms"), rate="155/s", batch=batch, duration="5m")
    theory = (0.5 + 155 * 0.5**2 / 2) / (1 + 155 * 0.5)
    waits = [run.latency_s("file") - 0.0001 for run in found]
    assert_inside_interval(waits, theory, within=0.02)


def test_a_batch_by_rows() -> None:
    """Regular records wait for the ninth after the first at most, half of it on average."""
    batch = ", batch: {rows: 10, every: 1h}"
    (run,) = runs(constant("1ms"), rate="100/s", process="constant", batch=batch, count=1)
    assert run.latency_s("file") == pytest.approx(0.045 + 0.001, abs=1e-5)
