"""What an objective compares: a value under its labels, and its target."""

import math

from soak.runner.judge.judge import Judge
from soak.schemas.language.conditions import Comparison, Reference
from soak.schemas.language.expression import AT_MOST, Op, Selector
from soak.schemas.language.slis import Aggregate, Sli
from soak.schemas.stream.block import tick

_NOISE = 1e-12
"""Relative differences up to this are rounding errors."""


def value_of(judge: Judge, comparison: Comparison) -> float:
    """The value that an objective compares, so far; NaN without observations."""
    return _selected(judge, comparison.sli, comparison.selector)


def target_of(judge: Judge, comparison: Comparison) -> float:
    """The target in base units; a relative one follows its reference (NaN while that is unknown)."""
    if not isinstance(comparison.target, Reference):
        return comparison.target
    sli = comparison.sli
    target = comparison.target.factor * _selected(judge, sli, comparison.target.selector)
    # Rounding of the product must not decide: times are multiples of a microsecond, other figures are equal within rounding.
    if sli.aggregate in {Aggregate.QUANTILE, Aggregate.MAX}:
        return tick(target) if math.isfinite(target) else target
    value = value_of(judge, comparison)
    return value if math.isclose(value, target, rel_tol=_NOISE) else target


def shown(judge: Judge, comparison: Comparison) -> tuple[float, float]:
    """Value and target as they are said: of a quotient, the quotient and its factor. NaN while unknown."""
    value, target = value_of(judge, comparison), target_of(judge, comparison)
    if not isinstance(comparison.target, Reference) or not comparison.target.quotient:
        return value, target
    other = _selected(judge, comparison.sli, comparison.target.selector)
    return value / other if other > 0 else math.nan, comparison.target.factor


def _selected(judge: Judge, sli: Sli, selector: Selector) -> float:
    value = judge.sli_value(sli, judge.labels.selected(selector))
    if sli.aggregate is not Aggregate.RATE:
        return value
    # A rate is relative to the length of its phase.
    begin_s, end_s = judge.scenario.warmup_s, judge.worked_until_s
    own_s = sum(
        max(0.0, min(each.window.end_s, end_s) - max(each.window.start_s, begin_s))
        for each in judge.scenario.phases
        if ("phase", each.name) in selector
    )
    return value * (end_s - begin_s) / own_s if own_s else value


def margin(op: Op, value: float, target: float) -> float:
    """The distance of a value to its target, positive on the good side."""
    if op in {Op.EQ, Op.NE}:
        away = abs(value - target)
        return 0.0 - away if op is Op.EQ else away
    return target - value if op in AT_MOST else value - target
