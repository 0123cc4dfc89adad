"""What pairs of replications say by the signs of their differences alone, whatever the distribution of these.

Differences of pairs with the same seed are often 0 in most pairs and large in a few: Student's interval of their mean then
covers it much too rarely. An interval of their median from order statistics, and the sign test that belongs to it, hold for
every distribution (Conover, Practical Nonparametric Statistics, 3rd ed. 1999, sections 3.2 and 3.4).
"""

import math
from collections.abc import Sequence

import numpy as np

from soak.runner.compare.noise import mcnemar
from soak.schemas.stream.block import Floats


def sign_p(one: int, other: int) -> float:
    """How likely chance alone splits differences as unevenly into two signs, those of 0 left aside: exact, two-sided.

    Of pairs of yes and no it is McNemar's test.
    """
    return mcnemar(one, other)


def rank(count: int, level: float) -> int:
    """The rank k, from 1, for which the k-th smallest and the k-th largest of `count` enclose the median but with a probability
    of at most `level`; 0: not even the smallest and the largest do."""
    beyond, found = 0.0, 0
    while 2 * (found + 1) <= count:
        ways = math.lgamma(count + 1) - math.lgamma(found + 1) - math.lgamma(count - found + 1)
        beyond += 2 * math.exp(ways - count * math.log(2))
        if beyond > level:
            break
        found += 1
    return found


def family(differing: Sequence[int], alpha: float) -> int:
    """By how many to divide `alpha`, so that any false statement at all is as rare as that; `differing`: pairs that differ, by
    indicator.

    Tarone (A modified Bonferroni method for discrete data, Biometrics 46, 1990): those of which too few pairs differ to come out
    significant do not count.
    """
    divisor = 1
    while sum(counts(each, alpha / divisor) for each in differing) > divisor:
        divisor += 1
    return divisor


def counts(differing: int, level: float) -> bool:
    """Whether as many pairs that differ can come out significant."""
    return bool(differing) and sign_p(differing, 0) <= level


def pairs_needed(indicators: int, alpha: float) -> int:
    """How many pairs it takes for as many indicators to come out significant, if all their pairs differ the same way."""
    return math.ceil(1 + math.log2(max(1, indicators) / alpha) - 1e-9)


def median_interval(differences: Floats, level: float) -> tuple[float, float] | None:
    """Around the median of differences, false with a probability of at most `level`; None for too few."""
    place = rank(len(differences), level)
    if not place:
        return None
    ordered = np.sort(differences)
    return float(ordered[place - 1]), float(ordered[-place])


def most_differing(count: int, confidence: float) -> float:
    """The largest share of pairs that may differ where none of `count` does (Clopper and Pearson 1934, one-sided)."""
    return float(1 - (1 - confidence) ** (1 / count))
