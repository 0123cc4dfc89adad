"""Faults that a simulation of a queue has no part for: they are of real systems."""

from collections.abc import Iterator, Mapping

from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.faults import QueueFault
from soak.simulation.room import Doubt

_LACKS: Mapping[str, str] = {
    QueueFault.CONNECTIONS_KILL: "the model has no connections",
    QueueFault.CLOCK_JUMP: "the model has one clock, which does not jump",
}
"""What the model does not have that a fault strikes."""


def fault_doubts(scenario: Scenario) -> Iterator[Doubt]:
    """Faults that change nothing in a simulation."""
    for place, fault in enumerate(scenario.faults):
        if lacks := _LACKS.get(fault.type):
            what = f"{fault.type} changes nothing in a simulation: {lacks}"
            yield Doubt(("faults", place, "type"), what, "run it with --target and a target file")
