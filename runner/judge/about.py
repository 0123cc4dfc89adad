"""Whether an objective holds; for `~`, whether the observations contradict its target."""

import math

from soak.runner.judge.compared import target_of, value_of
from soak.runner.judge.confidence import DEFAULT_CONFIDENCE, Evidence
from soak.runner.judge.interval import wilson
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.conditions import Objective
from soak.schemas.language.expression import Op
from soak.schemas.language.slis import Aggregate
from soak.schemas.units import show_ratio


def about(
    interval: tuple[float, float] | None, target: float, confidence: float, samples: float, *, share: bool
) -> tuple[Status, str]:
    """Result of an objective with `~`, from the interval of that many observations; and the reason if it is not PASS."""
    if interval is None or not all(map(math.isfinite, interval)):
        return Status.INCONCLUSIVE, f"too few observations for a {show_ratio(confidence)} interval"
    if share and not _could_contradict(target, confidence, samples):
        return (
            Status.INCONCLUSIVE,
            f"{math.floor(samples):,} independent observations cannot contradict any target at "
            f"{show_ratio(confidence)} confidence",
        )
    if interval[0] <= target <= interval[1]:
        return Status.PASS, ""
    return Status.FAIL, f"the target lies outside the {show_ratio(confidence)} interval"


def _could_contradict(target: float, confidence: float, samples: float) -> bool:
    """Whether any outcome of this number of observations (0 % or 100 %) excludes the target."""
    return wilson(0, samples, confidence)[1] < target or wilson(samples, samples, confidence)[0] > target


def is_met(judge: Judge, objective: Objective) -> bool | None:
    """Whether an objective holds, so far; None with too few observations. Future observations are ignored."""
    comparison = objective.comparison
    labels = judge.labels.selected(comparison.selector)
    value, target = value_of(judge, comparison), target_of(judge, comparison)
    if math.isnan(value) or math.isnan(target):
        return None
    if comparison.op is not Op.ABOUT:
        return comparison.op.holds(value, target)
    confidence = objective.confidence or DEFAULT_CONFIDENCE
    fold, share = judge.folds.fold(comparison.sli, labels), comparison.sli.aggregate is Aggregate.RATIO
    statement = Evidence(comparison.sli, fold, judge.course_of(comparison), judge.schedule).statement(confidence)
    count = statement.effective or fold.samples
    status, _ = about(statement.interval, target, confidence, count, share=share)
    return None if status is Status.INCONCLUSIVE else status is Status.PASS
