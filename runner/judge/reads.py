"""Which series a verdict reads, and which indicators: others need not be followed where nobody asks for them."""

from collections.abc import Iterator

from soak.runner.judge.need import Need
from soak.schemas.language.conditions import Objective, Reference
from soak.schemas.language.expression import Op
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import ILLEGAL_TRANSITIONS, Aggregate, Sli

LAG_QUANTILE = "submission_lag_p99"
"""The indicator that tells whether the load generator fell behind."""


def slis_of(scenario: Scenario, need: Need) -> Iterator[Sli]:
    """The indicators that are followed over the whole run, beside those of objectives."""
    if need.slis:
        yield from scenario.slis.values()
    else:
        yield scenario.slis[LAG_QUANTILE]
    yield ILLEGAL_TRANSITIONS


def has_interval(objective: Objective, need: Need) -> bool:
    """Whether an objective needs an interval: its status depends on it, it is of a mean, a growth or relative, or all do."""
    comparison = objective.comparison
    decisive = objective.confidence is not None or comparison.op is Op.ABOUT
    kept = comparison.sli.aggregate in {Aggregate.MEAN, Aggregate.GROWTH} or isinstance(comparison.target, Reference)
    return need.intervals or need.findings or decisive or kept


def series_of(scenario: Scenario, need: Need) -> frozenset[str]:
    """The series that are read: by indicators, objectives and conditions, and when it is decided."""
    if need.findings:
        need = Need()
    conditions = (*scenario.aborts, *(alert.condition for alert in scenario.alerts))
    compared = [part.comparison.sli for each in conditions for part in each.parts]
    compared += [objective.comparison.sli for objective in scenario.objectives]
    slis = [*slis_of(scenario, need), *compared]
    return frozenset({"latency", *(sli.series for sli in slis), *(sli.source for sli in slis if sli.source)})
