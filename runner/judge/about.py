"""Whether an objective holds: of `~`, whether what was observed contradicts its target."""

import math

from runner.judge.judge import Judge
from schemas.expression import Op
from schemas.model import Objective
from schemas.verdict import Status

DEFAULT_CONFIDENCE = 0.95


def about(interval: tuple[float, float] | None, target: float, confidence: float) -> tuple[Status, str]:
    """How an objective with `~` comes out, from the interval of what was observed; and why, where that is not PASS."""
    if interval is None or not all(map(math.isfinite, interval)):
        return Status.INCONCLUSIVE, f"too few observations for a {confidence:.0%} interval"
    if interval[0] <= target <= interval[1]:
        return Status.PASS, ""
    return Status.FAIL, f"the {confidence:.0%} interval leaves the target out"


def is_met(judge: Judge, objective: Objective) -> bool | None:
    """Whether an objective holds, so far; None while too little is known. What is still to come is left aside."""
    comparison = objective.comparison
    labels = judge.labels.selected(comparison.selector)
    value, target = judge.sli_value(comparison.sli, labels), judge.target_of(comparison)
    if math.isnan(value) or math.isnan(target):
        return None
    if comparison.op is not Op.ABOUT:
        return comparison.op.holds(value, target)
    confidence = objective.confidence or DEFAULT_CONFIDENCE
    status, _ = about(judge.folds.fold(comparison.sli, labels).interval(comparison.sli, confidence), target, confidence)
    return None if status is Status.INCONCLUSIVE else status is Status.PASS
