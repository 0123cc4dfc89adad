"""Distributions of durations, as a scenario names them."""

import math
from typing import TypeAlias

from msgspec import Struct


class Constant(Struct, frozen=True):
    """Always `value_s`."""

    value_s: float

    @property
    def mean_s(self) -> float:
        """Mean in seconds."""
        return self.value_s


class Exponential(Struct, frozen=True):
    """Exponential with mean `mean_s`."""

    mean_s: float


class Uniform(Struct, frozen=True):
    """Uniform from `low_s` to `high_s`."""

    low_s: float
    high_s: float

    @property
    def mean_s(self) -> float:
        """Mean in seconds."""
        return (self.low_s + self.high_s) / 2


Z95 = 1.6448536269514722
"""The 95 % quantile of the standard normal distribution."""


class LogNormal(Struct, frozen=True):
    """Lognormal given by its median and its 95th percentile."""

    median_s: float
    p95_s: float

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm: ln(p95 / median) / z95."""
        return math.log(self.p95_s / self.median_s) / Z95

    @property
    def mean_s(self) -> float:
        """Mean in seconds: median * exp(sigma^2 / 2)."""
        return self.median_s * math.exp(self.sigma**2 / 2)


class Empirical(Struct, frozen=True):
    """Values drawn with replacement from the measured ones of `file`."""

    file: str
    values_s: tuple[float, ...]

    @property
    def mean_s(self) -> float:
        """Mean in seconds."""
        return math.fsum(self.values_s) / len(self.values_s)


Distribution: TypeAlias = Constant | Exponential | Uniform | LogNormal | Empirical


class Mixture(Struct, frozen=True):
    """One of several distributions, each with its share; of tasks of several kinds."""

    parts: tuple[tuple[float, Distribution], ...]

    @property
    def mean_s(self) -> float:
        """Mean in seconds."""
        return math.fsum(share * part.mean_s for share, part in self.parts)


ServiceTime: TypeAlias = Distribution | Mixture
"""How long an attempt at a task takes, of whatever kind it is."""
