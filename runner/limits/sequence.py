"""An interval of a probability that holds whenever one stops to look: a confidence sequence."""

import math
from collections.abc import Callable

_HALVINGS = 80


def anytime_interval(passes: int, total: int, confidence: float) -> tuple[float, float]:
    """Around the probability of PASS, from independent replications, whatever rule says when to stop making them.

    The likelihood of the outcomes under a mixture of all probabilities (the beta distribution with parameters 1/2, 1/2) over
    that under the true one is a martingale that begins at 1, and ever reaches 1 / (1 - confidence) with a probability of at
    most 1 - confidence (Ville 1939). Those probabilities under which it has not, make the interval (Robbins, Statistical methods
    related to the law of the iterated logarithm, Annals of Mathematical Statistics 41, 1970; Howard, Ramdas, McAuliffe and
    Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences, Annals of Statistics 49, 2021). 0 to 1 for none.
    """
    if not total:
        return 0.0, 1.0
    failures = total - passes
    mixture = math.lgamma(passes + 0.5) + math.lgamma(failures + 0.5) - math.lgamma(total + 1) - math.log(math.pi)
    most = -math.log(1 - confidence)

    def excluded(probability: float) -> bool:
        return mixture - _log_likelihood(passes, failures, probability) >= most

    share = passes / total
    low = _edge(0.0, share, excluded) if passes else 0.0
    return low, _edge(1.0, share, excluded) if failures else 1.0


def _edge(outside: float, inside: float, excluded: Callable[[float], bool]) -> float:
    """Where the interval ends between a value that is excluded and one that is not, on the side of the excluded one."""
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if excluded(middle) else (outside, middle)
    return outside


def _log_likelihood(passes: int, failures: int, probability: float) -> float:
    passed = passes * math.log(probability) if passes and probability else -math.inf if passes else 0.0
    failed = failures * math.log1p(-probability) if failures and probability < 1 else -math.inf if failures else 0.0
    return passed + failed
