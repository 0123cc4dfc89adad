"""Faults of a gateway that nothing can meet. Without NumPy: `soak validate` asks, too."""

from collections.abc import Iterator

from soak.schemas.language.model import Scenario
from soak.schemas.systems.gateway.faults import GatewayFault
from soak.schemas.systems.gateway.settings import gateway_of
from soak.simulation.room import Doubt

_NEEDS = {
    GatewayFault.STORE_OUTAGE: ("store", "{connections: 20, latency: {distribution: constant, value: 2ms}}"),
    GatewayFault.STORE_SLOW: ("store", "{connections: 20, latency: {distribution: constant, value: 2ms}}"),
    GatewayFault.LOCK_OUTAGE: ("chain", "{hold: {distribution: constant, value: 1ms}}"),
}


def gateway_doubts(scenario: Scenario) -> Iterator[Doubt]:
    """Faults of a part that the model does not have: a real run may have it all the same."""
    gateway = gateway_of(scenario)
    for place, fault in enumerate(scenario.faults):
        for kind, (part, example) in _NEEDS.items():
            if fault.type == kind and getattr(gateway, part) is None:
                what = f"no simulated request meets it: gateway.{part} says nothing"
                yield Doubt(("faults", place, "type"), what, f"write {part}: {example}")
