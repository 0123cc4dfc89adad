"""Student's t distribution: tails and quantiles (Student 1908), for means of few observations."""

import math

_TINY = 1e-300
_CLOSE = 1e-15
_MOST_STEPS = 10_000
_LARGEST = 1e15


def t_tail(t: float, freedom: int) -> float:
    """Probability that a Student's t variable with `freedom` >= 1 degrees of freedom exceeds `t`.

    Half of `I_x(freedom / 2, 1 / 2)` at `x = freedom / (freedom + t**2)` for t >= 0 (Abramowitz and Stegun 26.7.1).
    """
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    if abs(t) < 1:
        upper = 1 - _incomplete_beta(0.5, freedom / 2, t * t / (freedom + t * t))
    else:
        upper = _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))
    return upper / 2 if t >= 0 else 1 - upper / 2


def t_of(confidence: float, freedom: int) -> float:
    """The two-sided quantile for a confidence level below 1."""
    tail = (1 - min(confidence, 1 - 1e-12)) / 2
    low, high = 0.0, 1.0
    while t_tail(high, freedom) > tail and high < _LARGEST:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        low, high = (middle, high) if t_tail(middle, freedom) > tail else (low, middle)
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function `I_x(a, b)`: a continued fraction (DLMF 8.17.22) where it converges fast."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(scale) / a / _continued_fraction(a, b, x)


def _continued_fraction(a: float, b: float, x: float) -> float:
    """`1 + d1 / (1 + d2 / (1 + …))` by Lentz's method as Thompson and Barnett (1986) modified it."""
    value, above, below = 1.0, 1.0, 0.0
    for step in range(1, _MOST_STEPS):
        half, odd = divmod(step, 2)
        if odd:
            term = -(a + half) * (a + b + half) * x / ((a + step - 1) * (a + step))
        else:
            term = half * (b - half) * x / ((a + step - 1) * (a + step))
        below = 1 / _not_zero(1 + term * below)
        above = _not_zero(1 + term / above)
        value *= above * below
        if abs(above * below - 1) < _CLOSE:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
