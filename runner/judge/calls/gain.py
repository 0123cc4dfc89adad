"""The gain of policies: first calls that succeeded against tasks that are DONE, as paired proportions."""

import math
from dataclasses import dataclass

from soak.runner.judge.interval import wilson, z_of
from soak.schemas.evidence.verdict import Gain, Share

CONFIDENCE = 0.95
_A_POINT = 0.01


@dataclass(slots=True)
class Paired:
    """Tasks that ended, by how their first call came out and how they did."""

    both_well: int = 0
    rescued: int = 0
    """The first call failed, and the task is DONE."""
    spoilt: int = 0
    """The first call succeeded, and the task FAILED."""
    both_failed: int = 0


def gain_of(paired: Paired) -> Gain | None:
    """The table before / after / improvement; None before any task has ended."""
    tasks = paired.both_well + paired.rescued + paired.spoilt + paired.both_failed
    if not tasks:
        return None
    before, after = paired.both_well + paired.spoilt, paired.both_well + paired.rescued
    return Gain(
        tasks=tasks,
        confidence=CONFIDENCE,
        before=_share(before, tasks),
        after=_share(after, tasks),
        improvement=(after - before) / tasks,
        interval=paired_difference(paired),
        rescued=paired.rescued,
        spoilt=paired.spoilt,
        tasks_for_a_point=_tasks_for(_A_POINT, after, tasks),
    )


def _share(good: int, total: int) -> Share:
    return Share(good, good / total, wilson(good, total, CONFIDENCE))


def paired_difference(paired: Paired) -> tuple[float, float]:
    """The interval of after minus before, two shares of the same tasks (Newcombe 1998, Statistics in Medicine 17, method 10)."""
    a, b, c, d = paired.both_well, paired.spoilt, paired.rescued, paired.both_failed
    n = a + b + c + d
    before, after = (a + b) / n, (a + c) / n
    (low_1, high_1), (low_2, high_2) = wilson(a + b, n, CONFIDENCE), wilson(a + c, n, CONFIDENCE)
    phi = _phi(a, b, c, d)

    def distance(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))

    down, up = distance(after - low_2, high_1 - before), distance(high_2 - after, before - low_1)
    return max(-1.0, after - before - down), min(1.0, after - before + up)


def _phi(a: int, b: int, c: int, d: int) -> float:
    """The correlation of the two outcomes, with Newcombe's correction for continuity."""
    n, product = a + b + c + d, (a + b) * (c + d) * (a + c) * (b + d)
    if not product:
        return 0.0
    cross = float(a * d - b * c)
    if cross > 0:
        cross = max(cross - n / 2, 0.0)
    return cross / math.sqrt(product)


def _tasks_for(half_width: float, good: int, tasks: int) -> int:
    """Tasks needed to estimate the share to within `half_width`; 0 or 1 are replaced by the Wilson centre."""
    z = z_of(CONFIDENCE)
    share = (good + z * z / 2) / (tasks + z * z)
    return math.ceil(z * z * share * (1 - share) / half_width**2)
