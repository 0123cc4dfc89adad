"""Of which series single violations are asked for: those of which one more makes an objective or a condition worse."""

from soak.schemas.language.conditions import Comparison
from soak.schemas.language.expression import AT_LEAST, AT_MOST, Op
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import ILLEGAL_TRANSITIONS, Aggregate


def wanted(scenario: Scenario) -> frozenset[str]:
    """The series whose violations are noted; those of laws are in any case."""
    objectives = (wanted_by_objective(each.comparison) for each in scenario.objectives)
    aborts = (wanted_by_abort(part.comparison) for each in scenario.aborts for part in each.parts)
    # A law of every system is told by a series.
    return frozenset((ILLEGAL_TRANSITIONS.series, *filter(None, (*objectives, *aborts))))


def wanted_by_objective(comparison: Comparison) -> str:
    """The series whose violations break an objective one by one; empty where they do not."""
    return _of(comparison, AT_LEAST, AT_MOST)


def wanted_by_abort(comparison: Comparison) -> str:
    """The series whose violations make an abort condition hold, one by one; empty where they do not."""
    return _of(comparison, AT_MOST, AT_LEAST)


def _of(comparison: Comparison, at_least: frozenset[Op], at_most: frozenset[Op]) -> str:
    """The series of a comparison with such an operator: a share that must be high, a number that must be low."""
    sli, op = comparison.sli, comparison.op
    # Of a share of the durations of a series, single ones are not noted.
    high = sli.aggregate is Aggregate.RATIO and not sli.source and op in {*at_least, Op.EQ}
    low = sli.aggregate is Aggregate.COUNT and op in {*at_most, Op.EQ}
    return sli.series if high or low else ""
