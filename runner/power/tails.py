"""Tails of the binomial and the Poisson distribution, exact to about eleven figures; to six where the variance is above 100,000.

Both are incomplete beta and gamma functions (Abramowitz and Stegun 1964, 26.5.24 and 26.4.21), evaluated by their series and
continued fractions with Lentz's method (Press et al., Numerical Recipes, 3rd edition, 6.2 and 6.4). Beyond that variance, where
these take long: the normal distribution with a continuity correction and Edgeworth's term for the skewness (Feller 1971, XVI.4).
"""

import math

from soak.runner.judge.interval import normal_tail

_TINY, _PRECISION, _MOST_STEPS = 1e-300, 4e-15, 1_000_000
_LARGE = 100_000.0
"""A variance from which on the normal distribution is near enough."""


def binomial_at_least(k: int, n: int, p: float) -> float:
    """How likely `k` or more of `n` independent trials succeed, each with probability `p`."""
    if k <= 0:
        return 1.0
    if k > n or p <= 0:
        return 0.0
    if p >= 1:
        return 1.0
    variance = n * p * (1 - p)
    if variance > _LARGE:
        return _nearly_normal(k, n * p, variance, (1 - 2 * p) / math.sqrt(variance))
    return _incomplete_beta(float(k), n - k + 1.0, p)


def poisson_at_least(k: int, mean: float) -> float:
    """How likely a Poisson number of this mean is `k` or more."""
    if k <= 0:
        return 1.0
    if mean > _LARGE:
        return _nearly_normal(k, mean, mean, 1 / math.sqrt(mean))
    return 0.0 if mean <= 0 else _incomplete_gamma(float(k), mean)


def _nearly_normal(k: int, mean: float, variance: float, skewness: float) -> float:
    z = (k - 0.5 - mean) / math.sqrt(variance)
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return min(1.0, max(0.0, normal_tail(z) + skewness / 6 * (z * z - 1) * density))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised: I_x(a, b)."""
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return min(1.0, math.exp(front) / a * _beta_fraction(a, b, x))
    return max(0.0, 1.0 - math.exp(front) / b * _beta_fraction(b, a, 1.0 - x))


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by the modified method of Lentz."""
    c, d = 1.0, _reciprocal(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = _reciprocal(1.0 + term * d)
            c = 1.0 + term / _away_from_zero(c)
            change = c * d
            value *= change
        if abs(change - 1.0) < _PRECISION:
            break
    return value


def _incomplete_gamma(a: float, x: float) -> float:
    """Regularised, from below: P(a, x)."""
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        return min(1.0, front * _gamma_series(a, x))
    return max(0.0, 1.0 - front * _gamma_fraction(a, x))


def _gamma_series(a: float, x: float) -> float:
    term = total = 1.0 / a
    for step in range(1, _MOST_STEPS):
        term *= x / (a + step)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _gamma_fraction(a: float, x: float) -> float:
    b = x + 1.0 - a
    c, d = 1.0 / _TINY, _reciprocal(b)
    value = d
    for step in range(1, _MOST_STEPS):
        factor = -step * (step - a)
        b += 2.0
        d = _reciprocal(factor * d + b)
        c = _away_from_zero(b + factor / c)
        change = c * d
        value *= change
        if abs(change - 1.0) < _PRECISION:
            break
    return value


def _reciprocal(value: float) -> float:
    return 1.0 / _away_from_zero(value)


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
