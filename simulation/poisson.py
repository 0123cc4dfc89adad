"""How likely numbers of random arrivals are, without NumPy: a scenario is checked at once."""

import math

_LARGE = 1_000
"""From this mean on, a Poisson distribution is approximated by a normal one."""


def normal_below(count: int, mean: float) -> float:
    """How likely a Poisson variable of a large mean is below `count`, by the normal distribution."""
    from statistics import NormalDist

    return NormalDist(mean, math.sqrt(mean)).cdf(count - 0.5)


def poisson(count: int, mean: float) -> float:
    """How likely a Poisson variable is `count`."""
    return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1)) if mean else float(count == 0)


def poisson_below(count: int, mean: float) -> float:
    """How likely a Poisson variable is below `count`."""
    if count > _LARGE:
        return normal_below(count, mean) if mean else 1.0
    return min(1.0, math.fsum(poisson(each, mean) for each in range(count)))
