"""What `soak plan` says of a gateway: right values by hand, and what the simulation then shows."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from soak.runner.api import simulate_scenario
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.simulation.doubts import doubts
from soak.simulation.gateway.forecast import GatewayForecast, forecast_gateway
from soak.simulation.plan import Plan
from soak.simulation.room import room_of

A_AND_E = [{"name": "A", "share": "80%"}, {"name": "E", "share": "20%"}]
THINK = {"distribution": "exponential", "mean": "6s"}


def times(mean: str) -> dict[str, str]:
    return {"distribution": "exponential", "mean": mean}


def scenario(tmp_path: Path, workload: dict[str, Any], gateway: dict[str, Any], **more: Any) -> Scenario:
    data = {"version": 1, "name": "x", "system": "gateway", "duration": "20m", "workload": workload, "gateway": gateway}
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(data | more))
    return load(path).scenario


def forecast(of: Scenario) -> GatewayForecast:
    return forecast_gateway(Plan(of))


def fairness(tmp_path: Path, pools: str, **more: Any) -> Scenario:
    phases = [
        {"name": "baseline", "for": "10m", "users": {"A": 10, "E": 10}},
        {"name": "burst", "for": "10m", "users": {"A": 500, "E": 10}},
    ]
    gateway = {"workers": 4, "pools": pools, "service": times("45ms")}
    return scenario(tmp_path, {"users": {"think": THINK}, "tenants": A_AND_E}, gateway, phases=phases, **more)


def test_arrivals(tmp_path: Path) -> None:
    """Utilisation is rate times need over servers; times in the system by Erlang C, here of single servers: S / (1 - rho)."""
    kinds = [{"name": "writes", "share": "50%"}, {"name": "reads", "share": "50%"}]
    gateway = {
        "workers": 1,
        "service": times("50ms"),
        "store": {"connections": 1, "latency": times("20ms")},
        "chain": {"kinds": ["writes"], "hold": times("100ms")},
        "outbox": {"kinds": ["writes"], "drain_rate": "8/s"},
    }
    workload = {"arrivals": {"rate": "10/s"}, "tenants": A_AND_E, "kinds": kinds}
    found = forecast(scenario(tmp_path, workload, gateway))
    [stretch] = found.stretches
    busy, quiet = stretch.tenants
    assert (busy.sent_per_s, quiet.sent_per_s, stretch.sent_per_s) == pytest.approx((8, 2, 10))
    assert (busy.workers, busy.store, busy.chain, quiet.chain) == pytest.approx((0.5, 0.2, 0.4, 0.1))
    assert stretch.outbox == pytest.approx(5 / 8)
    assert busy.requests == pytest.approx(8 * 1200)
    # 50 ms over one half, 20 ms over four fifths, 50 ms (half of the requests) over 0.6.
    assert busy.response_s == pytest.approx(0.05 / 0.5 + 0.02 / 0.8 + 0.05 / 0.6)
    assert found.expected == 12_000 and found.drawn and abs(found.drawn - 12_000) < 500
    assert found.warnings == ()


def test_what_is_overloaded_is_named(tmp_path: Path) -> None:
    gateway = {
        "workers": 2,
        "pools": "per_tenant",
        "service": times("200ms"),
        "store": {"connections": 2, "latency": times("150ms")},
        "chain": {"hold": times("400ms")},
        "outbox": {"drain_rate": "8/s"},
    }
    found = forecast(scenario(tmp_path, {"arrivals": {"rate": "10/s"}, "tenants": A_AND_E}, gateway))
    assert found.warnings == (
        "the workers of A are 160% busy: at most 5/s can end",
        "the connections of A to the store are 120% busy: at most 6.667/s can end",
        "the lock of the chain of A is 320% busy: at most 2.5/s can end",
        "the outbox gets 1.25 rows for each that is worked off: it grows",
    )
    assert found.stretches[0].tenants[0].response_s is None


def test_what_limits_let_through(tmp_path: Path) -> None:
    gateway = {"limits": {"rate": "6/s", "burst": 10, "tenants": {"E": {"rate": "2/s"}}}}
    found = forecast(scenario(tmp_path, {"arrivals": {"rate": "10/s"}, "tenants": A_AND_E}, gateway))
    assert found.warnings == ("A sends about 8/s, and 6/s are let through: about 25% is throttled",)
    users = {"users": {"count": 60, "think": THINK}}
    [stretch] = forecast(scenario(tmp_path, users, {"limits": {"rate": "2/s"}})).stretches
    # 60 users who think for 6 s; the fifth that is let through takes no time to speak of.
    assert stretch.sent_per_s == pytest.approx(10, rel=0.01)
    assert stretch.tenants[0].requests == pytest.approx(12_000, rel=0.01)


@pytest.mark.parametrize("pools", ["shared", "per_tenant"])
def test_users_by_phase_as_simulated(tmp_path: Path, pools: str) -> None:
    """The closed network of each phase: what is expected of it is what comes about, to within some percent."""
    of = fairness(tmp_path, pools, slos=["latency_mean{tenant=E, phase=burst} <= 1h"])
    found = forecast(of)
    assert [stretch.users for stretch in found.stretches] == [20, 510]
    verdict = simulate_scenario(load(tmp_path / "x.yaml"))[0]
    assert found.expected == pytest.approx(verdict.slis["requests"], rel=0.02)
    assert found.stretches[1].tenants[1].response_s == pytest.approx(verdict.objectives[0].value, rel=0.25)
    saturated = [each for each in found.warnings if "saturated by design" in each]
    assert len(saturated) == (pools == "per_tenant")
    if saturated:
        assert saturated[0].startswith("phase burst: saturated by design: the workers of A are 100% busy")


def test_users_who_come_step_by_step(tmp_path: Path) -> None:
    """Half of the users on average while they come, and nobody waits: N / (Z + S)."""
    workload = {"users": {"count": 100, "think": THINK, "ramp": "10m"}}
    gateway = {"workers": 100, "service": {"distribution": "constant", "value": "500ms"}}
    found = forecast(scenario(tmp_path, workload, gateway))
    assert found.stretches[0].users == pytest.approx(75)
    assert found.expected == pytest.approx(75 / 6.5 * 1200, rel=0.01)
    assert found.rate_per_s[-1] == pytest.approx(100 / 6.5)
    assert found.users_over_time[:2] == pytest.approx([100 / 72, 100 / 24])


QUIET = "latency_p99{tenant=E, phase=burst} <= 1.2x phase=baseline"


def test_too_few_requests_of_the_quiet_tenant(tmp_path: Path) -> None:
    """10 users for 10 minutes make some 990 requests, and a p99 takes 1,000; a p95 takes 200."""
    few = forecast(fairness(tmp_path, "per_tenant", slos=[QUIET])).warnings
    [found] = [each for each in few if each.startswith("latency")]
    assert found == (
        f"{QUIET}: about 993 requests of {{tenant=E, phase=baseline}} are expected, and about 1,000 are needed for a "
        "change of 20 % to show: lengthen the phase, or write more users"
    )
    enough = forecast(fairness(tmp_path, "per_tenant", slos=[QUIET.replace("p99", "p95")])).warnings
    assert not [each for each in enough if each.startswith("latency")]


def test_in_words(tmp_path: Path) -> None:
    of = fairness(tmp_path, "shared")
    room = room_of("gateway")
    assert room.figures(of, room.forecast(Plan(of)))[2:] == [
        "  baseline    20 users, 3.309/s, workers 3.7% busy",
        "    A         10 users, 1.654/s, 993 requests, about 45ms each",
        "    E         10 users, 1.654/s, 993 requests, about 45ms each",
        "  burst       510 users, 82.87/s, workers 93.2% busy",
        "    A         500 users, 81.24/s, 48,744 requests, about 154ms each",
        "    E         10 users, 1.625/s, 975 requests, about 154ms each",
    ]


def test_who_waits_longer_than_the_timeout(tmp_path: Path) -> None:
    workload = {"users": {"count": 500, "think": THINK}}
    found = forecast(scenario(tmp_path, workload, {"workers": 1, "service": times("100ms")}))
    assert "a request takes about 44s, but http.timeout is 10s: most time out" in found.warnings


def test_faults_that_no_request_meets(tmp_path: Path) -> None:
    faults = [
        {"name": "a", "type": "store_outage", "at": "1m", "for": "5s"},
        {"name": "b", "type": "lock_outage", "at": "2m", "for": "5s"},
        {"name": "c", "type": "gateway_kill", "at": "3m", "for": "5s"},
    ]
    of = scenario(tmp_path, {"arrivals": {"rate": "10/s"}}, {}, faults=faults)
    found = {each.where: each.what for each in doubts(of)}
    assert found == {
        ("faults", 0, "type"): "no simulated request meets it: gateway.store says nothing",
        ("faults", 1, "type"): "no simulated request meets it: gateway.chain says nothing",
    }
    gateway = {"store": {"connections": 1, "latency": times("2ms")}, "chain": {"hold": times("1ms")}}
    assert not doubts(scenario(tmp_path, {"arrivals": {"rate": "10/s"}}, gateway, faults=faults))


@pytest.mark.parametrize(
    ("slos", "found"),
    [
        (["latency_p95{tenant=*} <= 1s", "slowdown{tenant=B, phase=late} <= 2"], ["A", "B"]),
        (["success_rate >= 90%", "fast{tenant=A} >= 90%"], ["A"]),
        (["success_rate{tenant=A} >= 90%", "latency_p95{tenant=*} <= 1s"], ["B"]),
        (["success_rate{tenant=*} >= 90%", "latency_p95{tenant=*} <= 1s"], []),
        (["success_rate == 100%", "latency_p95{tenant=*} <= 1s"], []),
        (["latency_p95 <= 1s"], []),
    ],
)
def test_a_latency_of_tenants_without_their_success(tmp_path: Path, slos: list[str], found: list[str]) -> None:
    workload = {"arrivals": {"rate": "10/s"}, "tenants": [{"name": "A", "share": "50%"}, {"name": "B", "share": "50%"}]}
    phases = [{"name": "early", "for": "5m"}, {"name": "late", "for": "5m"}]
    more = {
        "duration": "10m",
        "phases": phases,
        "slis": {"fast": {"share": {"of": "latency", "below": "1s"}}},
        "slos": slos,
    }
    of = scenario(tmp_path, workload, {}, **more)
    assert [each.remedy for each in doubts(of)] == [f"add success_rate{{tenant={name}}} >= 99%" for name in found]
