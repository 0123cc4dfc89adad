"""What is looked for: an abort condition that holds, or an objective that is broken; and how near to it a run came.

Nearness is measured in levels: a fraction of the way from the ideal value (0; 100 % where a share is bounded from below) to the
limit. A condition with its limit moved there holds in every run in which the condition itself does.
"""

import operator
from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from soak.runner.replications.replication import Replication
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.conditions import Combination, Comparison, Condition, Objective
from soak.schemas.language.expression import Op, Unit
from soak.schemas.language.model import Scenario

_UPWARDS, _DOWNWARDS = frozenset({Op.GT, Op.GE}), frozenset({Op.LT, Op.LE})
_HALFWAY = 0.5


class AbortHolds(Struct, frozen=True):
    """An abort condition holds. Others are left out: none of them is to end a run first."""

    condition: Condition | Combination

    @property
    def name(self) -> str:
        """As the scenario calls it."""
        return self.condition.name

    @property
    def text(self) -> str:
        """As the scenario writes it."""
        return self.condition.text

    @property
    def graded(self) -> bool:
        """Whether it has levels."""
        return _moved(self.condition, _HALFWAY) != self.condition

    def scenario(self, scenario: Scenario, levels: Sequence[float]) -> Scenario:
        """The scenario whose runs tell how near they came: ended by the condition, with one more for each level."""
        steps = [
            replace(_moved(self.condition, each), name=str(place), stops=False) for place, each in enumerate(levels)
        ]
        return replace(scenario, aborts=(*steps, replace(self.condition, name=str(len(levels)), stops=True)))

    def score(self, replication: Replication, levels: Sequence[float]) -> int:
        """How many levels a run of that scenario reached; one more when it happened."""
        return max((int(each) + 1 for each in replication.held), default=0)

    def in_brute_force(self, replication: Replication) -> bool:
        """Whether it happened in a run of the scenario as it is; one that another condition ended counts as not."""
        return self.name in replication.held


class ObjectiveBroken(Struct, frozen=True):
    """An objective is broken (FAIL) at the end of a run that no abort condition ends."""

    objective: Objective
    place: int

    @property
    def name(self) -> str:
        """As the scenario writes it."""
        return self.objective.comparison.text

    @property
    def text(self) -> str:
        """What happens."""
        return f"{self.name} is broken"

    @property
    def graded(self) -> bool:
        """Whether it has levels."""
        return _broken(self.objective) is not None

    def scenario(self, scenario: Scenario, levels: Sequence[float]) -> Scenario:
        """The scenario whose runs tell how near they came."""
        return replace(scenario, aborts=())

    def score(self, replication: Replication, levels: Sequence[float]) -> int:
        """How many levels a run of that scenario reached; one more when it happened."""
        outcome = replication.objectives[self.place]
        if outcome.status is Status.FAIL:
            return len(levels) + 1
        broken = _broken(self.objective)
        if broken is None or outcome.value is None:
            return 0
        beyond = _BEYOND[broken.op]
        return sum(beyond(outcome.value, _target(broken, each)) for each in levels)

    def in_brute_force(self, replication: Replication) -> bool:
        """Whether it happened in a run of the scenario as it is."""
        return replication.objectives[self.place].status is Status.FAIL


Event: TypeAlias = AbortHolds | ObjectiveBroken

_OPPOSITE = {Op.LE: Op.GT, Op.LT: Op.GE, Op.GE: Op.LT, Op.GT: Op.LE}
_BEYOND = {Op.GT: operator.gt, Op.GE: operator.ge, Op.LT: operator.lt, Op.LE: operator.le}


def _broken(objective: Objective) -> Comparison | None:
    """The comparison that holds where an objective's own does not; None where it has no levels."""
    comparison = objective.comparison
    if objective.share is not None or objective.window_s is not None or comparison.op not in _OPPOSITE:
        return None
    opposite = replace(comparison, op=_OPPOSITE[comparison.op])
    return opposite if _compared(opposite, _HALFWAY) != opposite else None


def _moved(condition: Condition | Combination, fraction: float) -> Condition | Combination:
    if isinstance(condition, Combination):
        return replace(condition, members=tuple(_moved(each, fraction) for each in condition.members))
    return replace(condition, comparison=_compared(condition.comparison, fraction))


def _compared(comparison: Comparison, fraction: float) -> Comparison:
    """A comparison with its limit moved to a fraction of the way; the same where that is not possible."""
    if not isinstance(comparison.target, float):
        return comparison
    return replace(comparison, target=_target(comparison, fraction))


def _target(comparison: Comparison, fraction: float) -> float:
    limit = comparison.target
    assert isinstance(limit, float)
    if comparison.op in _UPWARDS:
        return limit * fraction
    if comparison.op in _DOWNWARDS:
        return 1 - (1 - limit) * fraction if comparison.sli.unit is Unit.RATIO else limit / fraction
    return limit
