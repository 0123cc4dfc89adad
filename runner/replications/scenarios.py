"""Scenarios by number: a worker is sent each once, and keeps the last ones."""

import pickle
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from msgspec import Struct

from soak.schemas.language.model import Scenario

KEPT = 16
"""Scenarios that a worker keeps: searches go back and forth between some of them."""
V = TypeVar("V")


@dataclass(slots=True)
class Shelf(Generic[V]):
    """The last `size` values used, by their number. Two shelves of one size that are asked for the same hold the same."""

    size: int = KEPT
    _values: "OrderedDict[int, V]" = field(default_factory=OrderedDict)

    def __contains__(self, number: int) -> bool:
        return number in self._values

    def put(self, number: int, value: V) -> None:
        """Keep it; the one that was not used for longest makes room."""
        self._values[number] = value
        self._values.move_to_end(number)
        if len(self._values) > self.size:
            self._values.popitem(last=False)

    def get(self, number: int) -> V:
        """The value. Raises KeyError."""
        self._values.move_to_end(number)
        return self._values[number]


class Packed(Struct, frozen=True):
    """A scenario as it is sent; it is held, so that no other one gets its identity."""

    number: int
    scenario: Scenario
    content: bytes


class Packing:
    """Packs each scenario once, as long as it is among the last `size` that were used."""

    def __init__(self, size: int = 4 * KEPT) -> None:
        self._shelf: Shelf[Packed] = Shelf(size)
        self.packed = 0

    def of(self, scenario: Scenario) -> Packed:
        """The scenario, packed; `number` is that of no other one."""
        if id(scenario) not in self._shelf:
            self.packed += 1
            content = pickle.dumps(scenario, pickle.HIGHEST_PROTOCOL)
            self._shelf.put(id(scenario), Packed(self.packed, scenario, content))
        return self._shelf.get(id(scenario))


def unpacked(content: bytes) -> Scenario:
    """What was packed. The system of a scenario has to be in use, whose events it names."""
    scenario: Scenario = pickle.loads(content)
    return scenario
