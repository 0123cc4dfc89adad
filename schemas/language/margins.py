"""How much of what an objective allows was left over: one scale for all objectives."""

from soak.schemas.language.expression import AT_LEAST, AT_MOST, Op, Unit


def relative_margin(op: Op, unit: Unit, target: float | None, margin: float | None) -> float | None:
    """The share of what an objective allows that was left over; negative where more was used. None where it allows nothing.

    At most a target: of the target. At least a share: of the rest up to 100 %, which is the error budget that is left (Beyer et
    al., Site Reliability Engineering, 2016, chapter 3). At least anything else, and `~`: of the target.
    """
    if target is None or margin is None or unit is Unit.ANSWER:
        return None
    if op in AT_LEAST and unit is Unit.RATIO:
        return margin / (1 - target) if target < 1 else None
    return margin / target if target > 0 and op in {*AT_MOST, *AT_LEAST, Op.ABOUT} else None
