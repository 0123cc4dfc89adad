"""Of which series single violations are asked for: those of which one more makes an objective or a condition worse."""

from collections.abc import Iterator

from soak.schemas.language.expression import Op
from soak.schemas.language.model import Comparison, Scenario
from soak.schemas.language.slis import ILLEGAL_TRANSITIONS, Aggregate

_AT_LEAST, _AT_MOST = frozenset({Op.GE, Op.GT}), frozenset({Op.LE, Op.LT})


def wanted(scenario: Scenario) -> frozenset[str]:
    """The series whose violations are noted; those of laws are in any case."""
    objectives = (_of(each.comparison, _AT_LEAST, _AT_MOST) for each in scenario.objectives)
    aborts = (_of(each.comparison, _AT_MOST, _AT_LEAST) for each in scenario.aborts)
    # A law of every system is told by a series.
    return frozenset((ILLEGAL_TRANSITIONS.series, *(name for names in (*objectives, *aborts) for name in names)))


def _of(comparison: Comparison, at_least: frozenset[Op], at_most: frozenset[Op]) -> Iterator[str]:
    """The series of a comparison with such an operator: a share that must be high, a number that must be low."""
    sli, op = comparison.sli, comparison.op
    if (sli.aggregate is Aggregate.RATIO and op in {*at_least, Op.EQ}) or (
        sli.aggregate is Aggregate.COUNT and op in {*at_most, Op.EQ}
    ):
        yield sli.series
