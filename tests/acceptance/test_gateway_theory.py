"""The model of a gateway against queueing theory, through YAML and the public API."""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev

import pytest

from soak.runner.api import simulate_scenario
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.language.load import load
from soak.simulation.gateway.theory import ClosedNetwork, Station, response_s
from soak.simulation.repairman import balance

REPLICATIONS = 6
T_99 = 4.032
"""The 99.5 % quantile of Student's t distribution with REPLICATIONS - 1 degrees of freedom."""

HEAD = "version: 1\nname: theory\nsystem: gateway\nduration: {duration}\nwarmup: 5m\nhttp: {{timeout: 5m}}\n"
SLOS = "slos: [latency_mean <= 1h, throttled_rate <= 100%]\n"
TWO = "[{name: noisy, share: 80%}, {name: quiet, share: 20%}]"
BY_TENANT = 'slos: ["latency_mean{tenant=noisy} <= 1h", "latency_mean{tenant=quiet} <= 1h"]\n'

Find = Callable[[Verdict], float]


def exponential(mean: str) -> str:
    return f"{{distribution: exponential, mean: {mean}}}"


def constant(value: str) -> str:
    return f"{{distribution: constant, value: {value}}}"


def verdicts(tmp_path: Path, text: str, duration: str = "2h") -> list[Verdict]:
    path = tmp_path / "scenario.yaml"
    path.write_text(HEAD.format(duration=duration) + text)
    loaded = load(path)
    return [simulate_scenario(loaded, seed=seed)[0] for seed in range(REPLICATIONS)]


def of(sli: str) -> Find:
    def value(found: Verdict) -> float:
        observed = found.slis[sli]
        assert observed is not None
        return observed

    return value


def mean_of(tenant: str) -> Find:
    def value(found: Verdict) -> float:
        [objective] = [each for each in found.objectives if each.labels == {"tenant": tenant}]
        assert objective.value is not None
        return objective.value

    return value


def assert_inside_interval(found: list[Verdict], value: Find, theory: float, within: float) -> None:
    """`theory` is in the 99 % interval of the replications' mean, which is narrower than `within` (relative)."""
    values = [value(each) for each in found]
    half = T_99 * stdev(values) / math.sqrt(len(values))
    assert half < within * theory
    assert fmean(values) - half <= theory <= fmean(values) + half


def mva(users: int, think_s: float, needs_s: list[float]) -> tuple[float, float]:
    """Throughput and response time by mean value analysis of single servers (Reiser & Lavenberg 1980)."""
    waiting, throughput, response = [0.0] * len(needs_s), 0.0, 0.0
    for n in range(1, users + 1):
        times = [need_s * (1 + queue) for need_s, queue in zip(needs_s, waiting, strict=True)]
        response = math.fsum(times)
        throughput = n / (think_s + response)
        waiting = [throughput * each for each in times]
    return throughput, response


@pytest.mark.parametrize("discipline", ["fcfs", "ps"])
@pytest.mark.parametrize(("users", "workers"), [(20, 3), (60, 3)])
def test_the_machine_repairman(tmp_path: Path, users: int, workers: int, discipline: str) -> None:
    """M/M/c//N: throughput and mean response; with exponential times the same for both disciplines."""
    text = f"workload: {{users: {{count: {users}, think: {exponential('10s')}}}}}\n"
    text += f"gateway: {{workers: {workers}, discipline: {discipline}, service: {exponential('2s')}}}\n{SLOS}"
    found = verdicts(tmp_path, text)
    theory = balance(users, 10.0, 2.0, workers)
    assert_inside_interval(found, of("throughput"), theory.throughput_per_s, within=0.03)
    assert_inside_interval(found, of("latency_mean"), theory.in_system / theory.throughput_per_s, within=0.08)
    exact = ClosedNetwork(users, 10.0, [Station(2.0, workers)]).of(users)
    assert exact.throughput_per_s == pytest.approx(theory.throughput_per_s, rel=1e-9)


def test_a_closed_network_of_workers_and_store(tmp_path: Path) -> None:
    """Two stations of one server each; the worker is free while a request is at the store."""
    text = f"workload: {{users: {{count: 12, think: {exponential('5s')}}}}}\n"
    store = f"{{connections: 1, latency: {exponential('300ms')}}}"
    text += f"gateway: {{workers: 1, service: {exponential('400ms')}, store: {store}}}\n{SLOS}"
    throughput, response = mva(12, 5.0, [0.4, 0.3])
    found = verdicts(tmp_path, text)
    assert_inside_interval(found, of("throughput"), throughput, within=0.03)
    assert_inside_interval(found, of("latency_mean"), response, within=0.08)
    exact = ClosedNetwork(12, 5.0, [Station(0.4, 1), Station(0.3, 1)]).of(12)
    assert (exact.throughput_per_s, exact.response_s) == pytest.approx((throughput, response), rel=1e-9)


def test_the_closed_network_for_many_users() -> None:
    """Where one server is always busy, throughput is its rate, and all others are in its queue."""
    found = ClosedNetwork(3_000, 6.0, [Station(0.01, 8), Station(0.005, 2), Station(0.004, 1)]).of(3_000)
    assert found.throughput_per_s == pytest.approx(250.0, rel=1e-9)
    assert found.response_s == pytest.approx(3_000 / 250 - 6, rel=1e-9)
    assert ClosedNetwork(0, 6.0, [Station(0.01, 8)]).of(0).throughput_per_s == 0
    assert ClosedNetwork(5_000, 6.0, [Station(0.01, 1)]).of(5_000).throughput_per_s == 100
    assert ClosedNetwork(1, 6.0, [Station(0.5, 1), Station(0.25, 3)]).of(1).response_s == pytest.approx(0.75)


@pytest.mark.parametrize("discipline", ["fcfs", "ps"])
def test_several_workers_with_arrivals(tmp_path: Path, discipline: str) -> None:
    """M/M/4 at 75 %: mean time in the system by Erlang C, for PS as for FCFS."""
    text = "workload: {arrivals: {rate: 6/s}}\n"
    text += f"gateway: {{workers: 4, discipline: {discipline}, service: {exponential('500ms')}}}\n{SLOS}"
    # C(4, 3) = 0.5094 (any table of Erlang C), and each who waits does so for S / (c - a) = 0.5 s on average.
    theory = 0.5 + 0.50943 * 0.5
    assert response_s(6.0, Station(0.5, 4)) == pytest.approx(theory, rel=1e-4)
    assert_inside_interval(verdicts(tmp_path, text), of("latency_mean"), theory, within=0.05)


@pytest.mark.parametrize(
    "service",
    [exponential("100ms"), constant("100ms"), "{distribution: uniform, low: 0s, high: 200ms}"],
)
def test_shared_equally_the_mean_does_not_depend_on_the_distribution(tmp_path: Path, service: str) -> None:
    """M/G/1-PS at 70 %: S / (1 - rho)."""
    text = "workload: {arrivals: {rate: 7/s}}\n"
    text += f"gateway: {{workers: 1, discipline: ps, service: {service}}}\n{SLOS}"
    assert_inside_interval(verdicts(tmp_path, text), of("latency_mean"), 0.1 / 0.3, within=0.06)


def test_a_constant_service_time_in_order_of_arrival(tmp_path: Path) -> None:
    """M/D/1 at 70 %: it does depend on it where requests wait in order (Pollaczek & Khinchine)."""
    text = f"workload: {{arrivals: {{rate: 7/s}}}}\ngateway: {{workers: 1, service: {constant('100ms')}}}\n{SLOS}"
    theory = 0.1 + 0.7 * 0.1 / (2 * 0.3)
    assert_inside_interval(verdicts(tmp_path, text), of("latency_mean"), theory, within=0.05)


def test_a_noisy_neighbour(tmp_path: Path) -> None:
    """In a shared pool both wait rho S / (1 - rho), whoever causes it; with a worker of their own each by its own load."""
    load_ = f"workload: {{arrivals: {{rate: 8/s}}, tenants: {TWO}}}\n"
    gateway = f"service: {exponential('100ms')}"
    shared = verdicts(tmp_path, f"{load_}gateway: {{workers: 1, {gateway}}}\n{BY_TENANT}")
    for tenant in ("noisy", "quiet"):
        assert_inside_interval(shared, mean_of(tenant), 0.1 + 0.8 * 0.1 / 0.2, within=0.12)
    own = verdicts(tmp_path, f"{load_}gateway: {{workers: 2, pools: per_tenant, {gateway}}}\n{BY_TENANT}")
    assert_inside_interval(own, mean_of("noisy"), 0.1 / (1 - 0.64), within=0.08)
    assert_inside_interval(own, mean_of("quiet"), 0.1 / (1 - 0.16), within=0.04)


def test_the_share_that_a_token_bucket_throttles(tmp_path: Path) -> None:
    """With room for one, tokens every T let lambda / (1 + lambda T) through, a counter with dead time; a large bucket 1 / T."""
    text = "workload: {{arrivals: {{rate: 10/s}}}}\n"
    text += f"gateway: {{{{workers: 100, limits: {{{{rate: 5/s, burst: {{burst}}}}}}}}}}\n{SLOS}"
    one = verdicts(tmp_path, text.format(burst=1), "1h")
    assert_inside_interval(one, of("throttled_rate"), 1 - 1 / (1 + 10 / 5), within=0.02)
    many = verdicts(tmp_path, text.format(burst=100), "1h")
    assert_inside_interval(many, of("throttled_rate"), 1 - 5 / 10, within=0.04)


def test_one_lock_for_each_tenant(tmp_path: Path) -> None:
    """M/D/1 for each: the requests of one wait for its own only."""
    text = f"workload: {{arrivals: {{rate: 15/s}}, tenants: {TWO}}}\n"
    chain = f"{{hold: {constant('50ms')}, gives_up_after: 5m}}"
    text += f"gateway: {{workers: 1000, service: {constant('10ms')}, chain: {chain}}}\n{BY_TENANT}"
    found = verdicts(tmp_path, text, "40m")
    for tenant, rho in (("noisy", 0.6), ("quiet", 0.15)):
        assert_inside_interval(found, mean_of(tenant), 0.06 + rho * 0.05 / (2 * (1 - rho)), within=0.04)


def test_a_lock_that_is_given_up(tmp_path: Path) -> None:
    """M/D/1 with impatience is never overloaded: what ends well does so at the rate of the lock, the rest with an error."""
    text = "workload: {arrivals: {rate: 40/s}}\n"
    chain = f"{{hold: {constant('50ms')}, gives_up_after: 1s}}"
    text += f"gateway: {{workers: 1000, service: {constant('10ms')}, chain: {chain}}}\n{SLOS}"
    found = verdicts(tmp_path, text, "15m")
    assert_inside_interval(found, of("success_rate"), 0.5, within=0.02)
    assert all(0.9 < of("latency_max")(each) <= 1.061 for each in found)
