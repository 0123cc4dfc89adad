"""The gain of policies: first calls that succeeded against tasks that are DONE, as paired proportions."""

import math
from dataclasses import dataclass

from soak.runner.judge.dependence import INDEPENDENT, Dependence
from soak.runner.judge.interval import wilson, z_of
from soak.schemas.evidence.gain import Gain, Share

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


def gain_of(paired: Paired, dependence: Dependence = INDEPENDENT) -> Gain | None:
    """The table before / after / improvement; None before any task has ended. Without intervals where dependence is too long."""
    tasks = paired.both_well + paired.rescued + paired.spoilt + paired.both_failed
    if not tasks:
        return None
    before, after = paired.both_well + paired.spoilt, paired.both_well + paired.rescued
    effective = tasks / dependence.widening(CONFIDENCE) if dependence.sound else 0.0
    return Gain(
        tasks=tasks,
        confidence=CONFIDENCE,
        before=_share(before, tasks, effective),
        after=_share(after, tasks, effective),
        improvement=(after - before) / tasks,
        interval=paired_difference(paired, effective) if effective else None,
        rescued=paired.rescued,
        spoilt=paired.spoilt,
        tasks_for_a_point=_tasks_for(_A_POINT, after, tasks),
    )


def _share(good: int, total: int, effective: float) -> Share:
    return Share(good, good / total, wilson(good / total * effective, effective, CONFIDENCE) if effective else None)


def paired_difference(paired: Paired, effective: float | None = None) -> tuple[float, float]:
    """The interval of after minus before, two shares of the same tasks (Newcombe 1998, Statistics in Medicine 17, method 10).

    effective: how many independent tasks say as much (None: all are independent).
    """
    a, b, c, d = paired.both_well, paired.spoilt, paired.rescued, paired.both_failed
    n = a + b + c + d
    before, after, m = (a + b) / n, (a + c) / n, effective or n
    (low_1, high_1), (low_2, high_2) = wilson(before * m, m, CONFIDENCE), wilson(after * m, m, CONFIDENCE)
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
