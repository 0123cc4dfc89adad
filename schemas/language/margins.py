"""How much of what an objective allows was left over: in its own unit, and on one scale for all objectives."""

import math

from soak.schemas.evidence.verdict import ObjectiveResult
from soak.schemas.language.expression import AT_LEAST, AT_MOST, Op, Unit


def relative_margin(op: Op, unit: Unit, target: float | None, margin: float | None) -> float | None:
    """The share of what an objective allows that was left over; negative where more was used. None where it allows nothing,
    or so little that there is no such number.

    At most T, a value v: 1 - v / T. At least a share T: 1 - (1 - v) / (1 - T), the error budget that is left (Beyer et al., Site
    Reliability Engineering, 2016, chapter 3). At least T of anything else: 1 - T / v. `~`: the margin by T.
    """
    if target is None or margin is None or unit is Unit.ANSWER:
        return None
    if op in AT_LEAST:
        allowed = 1 - target if unit is Unit.RATIO else target + margin
        share = margin / allowed if allowed > 0 and target >= 0 else None
    else:
        share = margin / target if target > 0 and op in {*AT_MOST, Op.ABOUT} else None
    return share if share is not None and math.isfinite(share) else None


def observed_words(result: ObjectiveResult) -> str:
    """What was observed, with enough digits to be told from the target."""
    return "nothing" if result.value is None else Unit(result.unit).show_beside(result.value, result.target)


def margin_words(result: ObjectiveResult) -> str:
    """The distance from the limit in the unit of the objective; empty where it has none."""
    return "" if result.margin is None else Unit(result.unit).show_margin(result.margin, result.target)
