"""Which fault something is due to that no event says the cause of: the one at whose time it happened."""

from dataclasses import dataclass

from soak.schemas.language.faults import TELEMETRY_LOSS
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.simulation.plan import Plan

_BEFORE_S, _AFTER_S = 30.0, 120.0
"""A record sent so long before a fault may still be on its way; what a fault upset goes on for so long after its end."""


@dataclass(frozen=True, slots=True)
class _Effect:
    start_s: float
    end_s: float
    cause: int


class Blame:
    """The faults of a plan by their times."""

    def __init__(self, plan: Plan) -> None:
        self._effects = sorted(
            (
                _Effect(window.start_s, window.end_s, plan.cause_of(fault))
                for fault in plan.scenario.faults
                if fault.type != TELEMETRY_LOSS
                for window in fault.windows
            ),
            key=lambda each: each.start_s,
        )

    def at(self, t_s: float) -> int:
        """The cause of what happened at a time: the fault that began last before it, if it can still be felt."""
        before = [each for each in self._effects if each.start_s <= t_s <= each.end_s + _AFTER_S]
        return before[-1].cause if before else NO_CAUSE

    def of_record(self, sent_s: float) -> int:
        """The cause of what became of a record that was sent at a time: a fault that struck while it was on its way."""
        met = [each for each in self._effects if each.start_s - _BEFORE_S <= sent_s <= each.end_s]
        return met[0].cause if met else self.at(sent_s)
