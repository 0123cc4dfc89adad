"""E-divisive: a series is split where that is significant, and each part again (Matteson and James 2014, section 3)."""

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from msgspec import Struct

from soak.runner.judge.changepoints.energy import Splits, best_splits, without_levels, without_line
from soak.schemas.evidence.changepoints import LEAST_EFFECTIVE, LEAST_WINDOWS
from soak.schemas.stream.block import Floats

_SEED = 11
_ROWS = 5
"""Permutations that are looked at together: few, for most series are told to be nothing by the first few."""

_EARLY = 50
"""Of the first permutations two that reach a series are enough: one that is just significant at 0.25 % has them in 0.7 %."""

_FEWEST_PERMUTATIONS = 4
"""The number of permutations that are expected to reach a series that is just significant."""

_LEAST_PART = 16
"""Values of a part that is split further: of fewer, none would be significant."""

_TURNS = 10

_SCREEN, _STRICT_SCREEN, _SCREEN_BY_LOG = 4.2, 5.0, 2.2
"""`_SCREEN + _SCREEN_BY_LOG * ln(values / 22)` is exceeded by one series of 20 that does not change, and by any that is
significant at 1 %: below it no permutations are drawn. With `_STRICT_SCREEN` by one of 40, and any significant at 0.5 %."""

_STRICT = 0.005


class Split(Struct, frozen=True):
    """A change: `index` values of the series come before it. begin, end: its neighbours. p: of the permutation test."""

    index: int
    begin: int
    end: int
    p: float
    inflation: float


class Division(Struct, frozen=True):
    """What a search gave: `effective`, the number of independent values that the series is worth; `splits` in time order.

    straight: a straight line describes the series at least as well as the levels between its changes.
    """

    effective: float
    splits: tuple[Split, ...] = ()
    straight: bool = False

    @property
    def stated(self) -> bool:
        """Whether anything can be said: the series is worth enough independent values."""
        return self.effective >= LEAST_EFFECTIVE


def divide(values: Floats, level: float) -> Division:
    """Search a series of finite values for changes. level: the probability of any where there is none.

    Withheld where neighbours depend on each other for so long that there are too few independent values.
    """
    if len(values) < LEAST_WINDOWS or values.min() == values.max():
        return Division(float(len(values)))
    whole = best_splits(_ranks(values)[None], _least(len(values)))
    effective = len(values) / float(whole.inflation[0])
    if effective < LEAST_EFFECTIVE:
        return Division(effective)
    splits = sorted(_splits(values, 0, len(values), level, whole), key=lambda each: each.index)
    placed = tuple(_settled(values, splits))
    return Division(effective, placed, bool(placed) and is_straight(values, [each.index for each in placed]))


def _settled(values: Floats, splits: list[Split]) -> Iterator[Split]:
    """Each split between its neighbours, also those that were found later, where it leaves the least absolute deviations from
    two medians (Bai, Least absolute deviation estimation of a shift, Econometric Theory 11, 1995): ranks would draw it to the
    shorter side."""
    begin = 0
    for place, split in enumerate(splits):
        end = splits[place + 1].index if place + 1 < len(splits) else len(values)
        index = begin + _least_deviations(values[begin:end], split.index - begin, _least(len(values)))
        yield Split(index, begin, end, split.p, split.inflation)
        begin = index


def _least_deviations(values: Floats, cut: int, least: int) -> int:
    """The cut that fits best to the medians before and after it, found by turns."""
    for _ in range(_TURNS):
        from_before, from_after = np.abs(values - np.median(values[:cut])), np.abs(values - np.median(values[cut:]))
        cost = np.append(0.0, np.cumsum(from_before - from_after))[least : len(values) - least + 1]
        if not len(cost) or (now := least + int(cost.argmin())) == cut:
            break
        cut = now
    return cut


def is_straight(values: Floats, cuts: list[int]) -> bool:
    """Whether a straight line describes the values at least as well as levels between `cuts`.

    By the criterion of Schwarz (Estimating the dimension of a model, Annals of Statistics 6, 1978): a line has two parameters,
    levels one each, and one for each place.
    """
    ranks, count = _ranks(values)[None], len(values)
    levels = float((without_levels(ranks, np.array([cuts])) ** 2).sum())
    line = float((without_line(ranks) ** 2).sum())
    nothing = 1e-9 * count**3
    more = 2 * len(cuts) + 1 - 2
    return count * math.log((line + nothing) / (levels + nothing)) <= more * math.log(count)


def _splits(values: Floats, begin: int, end: int, level: float, known: Splits | None = None) -> Iterator[Split]:
    """The significant splits of a part, of which the best is `known` or looked for.

    Each half may use half of the level: the error of each depth is that of the first.
    """
    part = values[begin:end]
    least = _least(len(values))
    if len(part) < max(_LEAST_PART, 2 * least) or part.min() == part.max():
        return
    ranks = _ranks(part)
    best = known or best_splits(ranks[None], least)
    inflation = float(best.inflation[0])
    if len(part) / inflation < LEAST_EFFECTIVE / 2:
        return
    p = _probability(ranks, least, float(best.statistic[0]), level)
    if p is None:
        return
    index = begin + int(best.first[0])
    yield Split(index, begin, end, p, inflation)
    yield from _splits(values, begin, index, level / 2)
    yield from _splits(values, index, end, level / 2)


def _least(count: int) -> int:
    """The fewest values between two changes."""
    return max(3, count // 18)


def _ranks(values: Floats) -> Floats:
    """Ranks from 1; equal values have the mean of theirs."""
    _, place, times = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (times.cumsum() - (times - 1) / 2)[place]
    return ranks


def _probability(ranks: Floats, least: int, observed: float, level: float) -> float | None:
    """The share of permutations that reach the observed statistic, itself among them; None for more than `level`."""
    count = len(ranks)
    screen = _SCREEN if level > _STRICT else _STRICT_SCREEN
    if observed < screen + _SCREEN_BY_LOG * math.log(count / LEAST_WINDOWS):
        return None
    permutations = math.ceil(_FEWEST_PERMUTATIONS / level) - 1
    allowed = level * (permutations + 1) - 1
    tied = len(np.unique(ranks)) < count
    reached = 0
    for number in range(-(-permutations // _ROWS)):
        drawn = _statistics(ranks, least, number) if tied else _statistics_without_ties(count, least, number)
        drawn = drawn[: permutations - number * _ROWS]
        reached += int(np.count_nonzero(drawn >= observed * (1 - 1e-9)))
        early = (number + 1) * _ROWS <= _EARLY
        if reached > (1 if early else allowed):
            return None
    return (reached + 1) / (permutations + 1)


@lru_cache(maxsize=4096)
def _statistics_without_ties(count: int, least: int, number: int) -> Floats:
    """Without ties the ranks of any series are the same numbers, and so are their permutations."""
    return _statistics(np.arange(1.0, count + 1), least, number)


def _statistics(ranks: Floats, least: int, number: int) -> Floats:
    """The statistics of some permutations of these ranks; the same for the same `number`."""
    order = np.sort(ranks)
    shuffled = np.random.default_rng([_SEED, number]).permuted(np.tile(order, (_ROWS, 1)), axis=1)
    return best_splits(shuffled, least).statistic
