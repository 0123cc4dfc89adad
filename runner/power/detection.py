"""How likely an objective is found broken: its true size of violation and the hours of observation in, a probability out.

Each detector knows one kind of objective. `limit` is the size at which a violation begins, `worst` how far one can go; on the way
from one to the other the probability rises. `probability` is the least from these hours on: with one observation more a share can
become harder to see broken (the saw teeth of Chernick and Liu 2002, The American Statistician 56, 149), and longer runs shall
never see less.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from msgspec import Struct

from soak.runner.judge.histogram import rank
from soak.runner.judge.interval import normal_tail, quantile_ranks, wilson
from soak.runner.power.tails import binomial_at_least, poisson_at_least
from soak.schemas.language.expression import Op


class Detector(Protocol):
    """One objective."""

    @property
    def limit(self) -> float:
        """The size at which a violation begins."""

    @property
    def worst(self) -> float:
        """The size beyond which there is none, or nobody needs to look."""

    def probability(self, size: float, hours: float) -> float:
        """How likely the objective is FAIL after so many hours of observation, or more, of a violation of this size."""


# Shares: ratios and quantiles.


class RatioRule(Struct, frozen=True):
    """When a ratio is broken: by how many bad ones of `n`. `good_counts`: whether the ratio counts the good ones."""

    op: Op
    target: float
    good_counts: bool

    @property
    def allowed(self) -> float:
        """The largest share of bad ones that holds."""
        return 1 - self.target if self.good_counts else self.target

    def least_bad(self, n: int) -> int:
        """The fewest bad ones of `n` that break it; the arithmetic is the judge's own, to the last bit."""
        bad = max(0, math.floor(self.allowed * n) - 2)
        while bad <= n and self.op.holds((n - bad if self.good_counts else bad) / n, self.target):
            bad += 1
        return bad


class AboutRule(Struct, frozen=True):
    """When what was observed excludes a target for being too bad: Wilson's interval at `confidence` leaves it out."""

    target: float
    good_counts: bool
    confidence: float

    @property
    def allowed(self) -> float:
        """The share of bad ones that is expected."""
        return 1 - self.target if self.good_counts else self.target

    def least_bad(self, n: int) -> int:
        """The fewest bad ones of `n` that contradict it."""
        low, high = max(0, math.floor(self.allowed * n)), n + 1
        while low < high:
            bad = (low + high) // 2
            ends = wilson(n - bad if self.good_counts else bad, n, self.confidence)
            if ends[1] < self.target if self.good_counts else ends[0] > self.target:
                high = bad
            else:
                low = bad + 1
        return low


class QuantileRule(Struct, frozen=True):
    """When the `q` quantile lies above its target: by how many of `n` that do. With a confidence its whole interval must."""

    q: float
    confidence: float | None = None

    @property
    def allowed(self) -> float:
        """The largest share above the target that holds."""
        return 1 - self.q

    def least_bad(self, n: int) -> int:
        """The fewest of `n` above the target that break it."""
        lowest = quantile_ranks(self.q, n, self.confidence)[0] if self.confidence else rank(self.q, n)
        return n - max(lowest, 0) + 1


ShareRule = RatioRule | QuantileRule | AboutRule


@lru_cache(maxsize=4096)
def _least_bad(rule: ShareRule, n: int) -> int:
    # Searches over sizes ask for the same numbers of observations again and again.
    return rule.least_bad(n)


@lru_cache(maxsize=4096)
def _next_tooth(rule: ShareRule, n: int, least: int) -> int:
    """The fewest observations, more than `n`, that take more than `least` bad ones."""
    # Floats: a tooth may begin one or two beside where arithmetic puts it.
    regular = isinstance(rule, RatioRule) or (isinstance(rule, QuantileRule) and not rule.confidence)
    following = max(n + 1, math.floor(least / rule.allowed) - 2 if regular else 0)
    while rule.least_bad(following) <= least:
        following += 1
    return following


class ShareDetector(Struct, frozen=True):
    """So many observations an hour, each bad with a probability that `bad` makes of the size.

    `design_effect`: how many observations say as much as one independent one (Kish 1965, 8.2).
    """

    rule: ShareRule
    bad: Callable[[float], float]
    limit: float
    worst: float
    per_hour: float
    design_effect: float

    def probability(self, size: float, hours: float) -> float:
        """How likely enough are bad: here, or where the next tooth of the saw begins, whichever is less."""
        n = math.floor(self.per_hour * hours / self.design_effect + 1e-9)
        if n < 1:
            return 0.0
        p = self.bad(size)
        least = _least_bad(self.rule, n)
        here = binomial_at_least(least, n, p)
        if self.rule.allowed <= 0:
            return here
        return min(here, binomial_at_least(least + 1, _next_tooth(self.rule, n, least), p))


# Counts.


class CountDetector(Struct, frozen=True):
    """What may happen at each of so many opportunities an hour, and is broken from `least` on; sizes are per opportunity.

    Without known opportunities sizes are per hour, and the number is Poisson's. Events come in clusters of `design_effect`.
    """

    least: int
    limit: float
    worst: float
    opportunities_per_hour: float | None
    design_effect: float

    def probability(self, size: float, hours: float) -> float:
        """How likely it happens so often."""
        least = math.ceil(self.least / self.design_effect)
        if self.opportunities_per_hour is None:
            return poisson_at_least(least, size * hours / self.design_effect)
        n = math.floor(self.opportunities_per_hour * hours / self.design_effect + 1e-9)
        return binomial_at_least(least, n, min(size, 1.0))


class RarityDetector(Struct, frozen=True):
    """One event breaks it; sizes are events an hour that come at random (Poisson)."""

    limit: float = 0.0
    worst: float = 1e9

    def probability(self, size: float, hours: float) -> float:
        """How likely one comes."""
        return -math.expm1(-size * hours)


# What varies normally.


class SpreadDetector(Struct, frozen=True):
    """What varies normally between runs; after `pilot_hours` with the standard deviation that `sd_of` makes of the size.

    `shrinks`: the power of time with which it falls. `beyond`: how far beyond the limit, after `pilot_hours`, breaks it.
    """

    limit: float
    worst: float
    pilot_hours: float
    sd_of: Callable[[float], float]
    shrinks: float = 0.5
    beyond: float = 0.0
    logarithmic: bool = False

    def probability(self, size: float, hours: float) -> float:
        """How likely what is observed lies beyond the limit, and as far beyond as it must."""
        shrunk = (self.pilot_hours / hours) ** self.shrinks if hours > 0 else math.inf
        away = abs(math.log(size / self.limit)) if self.logarithmic else abs(size - self.limit)
        on_bad_side = (size > self.limit) == (self.worst > self.limit)
        distance = (away if on_bad_side else -away) - self.beyond * shrunk
        return normal_tail(-distance / (self.sd_of(size) * shrunk)) if math.isfinite(shrunk) else 0.0


class EnoughDetector(Struct, frozen=True):
    """A detector of an objective that needs `least` observations: with fewer it is INCONCLUSIVE, and that is no FAIL.

    `dispersion`: the variance of how many there are, over their mean.
    """

    detector: Detector
    least: int
    per_hour: float
    dispersion: float

    @property
    def limit(self) -> float:
        """The size at which a violation begins."""
        return self.detector.limit

    @property
    def worst(self) -> float:
        """The size beyond which there is none."""
        return self.detector.worst

    def probability(self, size: float, hours: float) -> float:
        """How likely there are enough observations and they break the objective."""
        return self._enough(self.per_hour * hours) * self.detector.probability(size, hours)

    def _enough(self, mean: float) -> float:
        if self.dispersion * mean <= 0:
            return float(mean >= self.least)
        return normal_tail((self.least - 0.5 - mean) / math.sqrt(self.dispersion * mean))
