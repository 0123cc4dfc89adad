"""Whether an objective holds; for `~`, whether the observations contradict its target."""

import math

from soak.runner.judge.interval import wilson
from soak.schemas.evidence.verdict import Status
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
