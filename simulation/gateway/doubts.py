"""Faults of a gateway that nothing can meet, and latencies of tenants whose requests may all fail.

Without NumPy: `soak validate` asks, too.
"""

from collections.abc import Iterator

from soak.schemas.language.conditions import Objective
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import SUCCESS_RATE
from soak.schemas.systems.gateway.faults import GatewayFault
from soak.schemas.systems.gateway.settings import gateway_of
from soak.simulation.room import Doubt

_NEEDS = {
    GatewayFault.STORE_OUTAGE: ("store", "{connections: 20, latency: {distribution: constant, value: 2ms}}"),
    GatewayFault.STORE_SLOW: ("store", "{connections: 20, latency: {distribution: constant, value: 2ms}}"),
    GatewayFault.LOCK_OUTAGE: ("chain", "{hold: {distribution: constant, value: 1ms}}"),
}


def gateway_doubts(scenario: Scenario) -> Iterator[Doubt]:
    """Faults of a part that the model does not have, which a real run may have all the same; latencies without success."""
    yield from _failures_are_fast(scenario)
    gateway = gateway_of(scenario)
    for place, fault in enumerate(scenario.faults):
        for kind, (part, example) in _NEEDS.items():
            if fault.type == kind and getattr(gateway, part) is None:
                what = f"no simulated request meets it: gateway.{part} says nothing"
                yield Doubt(("faults", place, "type"), what, f"write {part}: {example}")


def _failures_are_fast(scenario: Scenario) -> Iterator[Doubt]:
    """Objectives on the latency of tenants whose success nothing asks for: one answered with 429 at once has a short latency."""
    asked = [_tenant(each) for each in scenario.objectives if each.comparison.sli.name == SUCCESS_RATE.name]
    if any(_is_all(each) for each in scenario.objectives):
        return
    told: set[str] = set()
    for objective in scenario.objectives:
        sli, tenant = objective.comparison.sli, _tenant(objective)
        if "latency" not in {sli.series, sli.source} or not tenant or tenant in {*asked, *told}:
            continue
        told.add(tenant)
        what = f"{objective.comparison.text} may hold although all requests of {tenant} fail: failures count, and may be fast"
        yield Doubt(("slos", objective.entry), what, f"add success_rate{{tenant={tenant}}} >= 99%")


def _tenant(objective: Objective) -> str:
    return dict(objective.comparison.selector).get("tenant", "")


def _is_all(objective: Objective) -> bool:
    """Whether no request of any tenant may fail."""
    comparison = objective.comparison
    return comparison.sli.name == SUCCESS_RATE.name and not comparison.selector and comparison.target == 1.0
