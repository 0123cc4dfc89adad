"""Which fault something is due to that no event says the cause of: the one at whose time it happened."""

from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from soak.runner.targets.pipeline.places import Place
from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.stream.block import Floats, Ints
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.pipeline.faults import OF_LOAD, PipelineFaultType
from soak.simulation.plan import Plan

_AFTER_S = 120.0
"""What a fault upset goes on for so long after its end."""
_BEFORE_S = 30.0
"""Where no record came after it, one that was sent so long before a fault may still have been on its way."""
_SLACK_REAL_S = 0.5
"""A process may still pass something on so long after a fault was to end it."""

_OF_SOURCE = frozenset({*OF_LOAD, PipelineFaultType.SOURCE_DISCONNECT})


@dataclass(slots=True)
class _Effect:
    """A fault in one window. works_s: by place, when something came to it for the first time after the end."""

    fault: Fault
    start_s: float
    end_s: float
    cause: int
    planned_s: float
    works_s: dict[str, float] = field(default_factory=dict)


class Gone(Struct, frozen=True):
    """Records that never came to any of some places. passed_over_s: when one that was sent after each did, infinite for never.

    parts: the processes and sinks by which it can have been lost; of_source: whether it may have been by the source.
    """

    places: tuple[Place, ...]
    sent_s: Floats
    passed_over_s: Floats
    parts: frozenset[str]
    of_source: bool


class Blame:
    """The faults of a plan by their times. speed: scenario seconds per real second."""

    def __init__(self, plan: Plan, speed: float = 1.0) -> None:
        self._slack_s = _SLACK_REAL_S * speed
        self._effects = sorted(
            (
                _Effect(fault, window.start_s, window.end_s, plan.cause_of(fault), window.start_s)
                for fault in plan.scenario.faults
                if fault.type != TELEMETRY_LOSS
                for window in fault.windows
            ),
            key=lambda each: each.start_s,
        )

    def began(self, fault: Fault, planned_s: float, start_s: float) -> None:
        """A fault struck at a time: it may have had to wait."""
        for each in self._effects:
            if each.fault is fault and each.planned_s == planned_s:
                each.end_s += start_s - each.start_s
                each.start_s = start_s

    def came(self, place: Place, at_s: Floats) -> None:
        """Something came to a place."""
        last_s = float(at_s.max(initial=0.0))
        for each in self._effects:
            if each.planned_s > last_s:
                break
            again_s = each.end_s + self._slack_s
            if place.name not in each.works_s and again_s <= last_s:
                each.works_s[place.name] = float(at_s[at_s >= again_s].min())

    def at(self, t_s: float) -> int:
        """The cause of what happened at a time: the fault that began last before it, if it can still be felt."""
        before = [each for each in self._effects if each.start_s <= t_s <= each.end_s + _AFTER_S]
        return before[-1].cause if before else NO_CAUSE

    def of(self, gone: Gone) -> Ints:
        """The causes of the loss of records: for each the fault of the part that lacks it which began last before the record was
        passed over, if the record had been sent by the time at which that part worked again; otherwise none."""
        causes = np.full(len(gone.sent_s), NO_CAUSE)
        until_s = np.where(np.isfinite(gone.passed_over_s), gone.passed_over_s, gone.sent_s + _BEFORE_S)
        for each in sorted(self._effects, key=lambda effect: effect.start_s):
            struck = gone.of_source if each.fault.type in _OF_SOURCE else each.fault.dependency in gone.parts
            if struck:
                works_s = min(each.works_s.get(place.name, np.inf) for place in gone.places)
                met = (until_s >= each.start_s) & (gone.sent_s <= works_s)
                causes[met] = each.cause
        return causes
