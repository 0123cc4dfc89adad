"""Mean and interval of independent unbiased estimates of one small probability."""

import math
from collections.abc import Sequence

from msgspec import Struct

from soak.runner.judge.interval import z_of


class Mean(Struct, frozen=True):
    """The mean of estimates, its relative standard error (inf: of none, or of zeros) and its interval."""

    value: float
    relative_error: float
    interval: tuple[float, float]


def mean_of(values: Sequence[float], confidence: float) -> Mean:
    """The mean of independent estimates with a log-normal interval: the mean times and over exp(t * relative error).

    Estimates of small probabilities are skew to the right, and their mean and its error depend on each other: the mean
    is more often far too small than far too large. On the logarithm, both sides are missed about equally often (delta method).
    With t's quantile for the number of estimates less one.
    """
    count = len(values)
    mean = math.fsum(values) / count if count else 0.0
    if count < 2 or mean <= 0:
        return Mean(mean, math.inf, (0.0, 1.0))
    # Squares of the smallest estimates would be 0.
    exponent = math.frexp(mean)[1]
    scaled = math.ldexp(mean, -exponent)
    squares = math.fsum((math.ldexp(each, -exponent) - scaled) ** 2 for each in values)
    error = math.sqrt(squares / (count - 1) / count) / scaled
    factor = math.exp(min(700.0, t_quantile(confidence, count - 1) * error))
    return Mean(mean, error, (mean / factor, min(1.0, mean * factor)))


def mean_of_ascents(values: Sequence[float], confidence: float) -> Mean:
    """The mean of estimates that are products of shares, with Cox's interval for the mean of a log-normal variable.

    Such products are log-normal in the limit (Berard, Del Moral and Doucet 2014): its mean is exp(m + s^2 / 2) of mean and
    variance of the logarithms, and the error of that exponent follows (Olsson 2005). With an estimate of 0 as `mean_of`.
    """
    count, plain = len(values), mean_of(values, confidence)
    if count < 2 or min(values) <= 0:
        return plain
    logs = [math.log(each) for each in values]
    mean = math.fsum(logs) / count
    variance = math.fsum((each - mean) ** 2 for each in logs) / (count - 1)
    half = t_quantile(confidence, count - 1) * math.sqrt(variance / count + variance**2 / (2 * (count - 1)))
    low, high = (math.exp(mean + variance / 2 + sign * half) for sign in (-1, 1))
    return Mean(plain.value, plain.relative_error, (min(low, plain.value), min(1.0, max(high, plain.value))))


def t_quantile(confidence: float, freedom: int) -> float:
    """The two-sided quantile of Student's t: exact for 1 and 2 degrees of freedom, else Hill's series (1970, algorithm 396)."""
    tail = 1 - confidence
    if freedom == 1:
        return 1 / math.tan(tail * math.pi / 2)
    if freedom == 2:
        return math.sqrt(2 / (tail * (2 - tail)) - 2)
    a = 1 / (freedom - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * freedom
    y = (d * tail) ** (2 / freedom)
    if y > 0.05 + a:
        x = -z_of(confidence)
        y = x * x
        if freedom < 5:
            c += 0.3 * (freedom - 4.5) * (x + 0.6)
        c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = math.expm1(a * y * y)
    else:
        y = (
            (1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3) + 0.5 / (freedom + 4)) * y
            - 1
        ) * (freedom + 1) / (freedom + 2) + 1 / y
    return math.sqrt(freedom * y)
