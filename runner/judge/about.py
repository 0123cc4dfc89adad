"""Whether an objective holds: of `~`, whether what was observed contradicts its target."""

import math

from soak.runner.judge.compared import target_of, value_of
from soak.runner.judge.interval import wilson
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.expression import Op
from soak.schemas.language.model import Objective
from soak.schemas.language.slis import Aggregate

DEFAULT_CONFIDENCE = 0.95


def about(
    interval: tuple[float, float] | None, target: float, confidence: float, samples: int, *, share: bool
) -> tuple[Status, str]:
    """How an objective with `~` comes out, from the interval of what was observed; and why, where that is not PASS."""
    if interval is None or not all(map(math.isfinite, interval)):
        return Status.INCONCLUSIVE, f"too few observations for a {confidence:.0%} interval"
    if share and not _could_contradict(target, confidence, samples):
        return Status.INCONCLUSIVE, f"whatever {samples} observations show, they contradict nothing at {confidence:.0%}"
    if interval[0] <= target <= interval[1]:
        return Status.PASS, ""
    return Status.FAIL, f"the {confidence:.0%} interval leaves the target out"


def _could_contradict(target: float, confidence: float, samples: int) -> bool:
    """Whether any outcome of so many observations leaves the target out: none at all of them, or all."""
    return wilson(0, samples, confidence)[1] < target or wilson(samples, samples, confidence)[0] > target


def is_met(judge: Judge, objective: Objective) -> bool | None:
    """Whether an objective holds, so far; None while too little is known. What is still to come is left aside."""
    comparison = objective.comparison
    labels = judge.labels.selected(comparison.selector)
    value, target = value_of(judge, comparison), target_of(judge, comparison)
    if math.isnan(value) or math.isnan(target):
        return None
    if comparison.op is not Op.ABOUT:
        return comparison.op.holds(value, target)
    confidence = objective.confidence or DEFAULT_CONFIDENCE
    fold, share = judge.folds.fold(comparison.sli, labels), comparison.sli.aggregate is Aggregate.RATIO
    status, _ = about(fold.interval(comparison.sli, confidence), target, confidence, fold.samples, share=share)
    return None if status is Status.INCONCLUSIVE else status is Status.PASS
