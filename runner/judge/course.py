"""How a series went on: its observations in time order, in bounded memory.

Consecutive observations make a stretch; all stretches but the last hold equally many, a power of two, so that the same
observations give the same stretches wherever blocks end. Sums are whole ticks and counts are integers: nothing depends on the
order of additions.
"""

import math
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from soak.runner.judge.histogram import BUCKETS, bucket_of, rank, upper_edge
from soak.runner.judge.samples import Samples
from soak.schemas.language.slis import Aggregate, Sli
from soak.schemas.stream.block import TICKS_PER_S, Bools, Floats, Ints

MOST_STRETCHES = 2048
"""The maximum number of stretches; at least half as many, where there are as many observations."""

MOST_PIECES = 64
"""The maximum number of pieces in which observations are counted by stretch and bucket."""

_AT_ONCE = 1 << 14
"""Observations that are processed together: few at a time cost as much."""

_WIDTH = BUCKETS // 2 + 1
"""Two buckets of the histogram are one here: values within 1 % of each other."""

_Numbers: TypeAlias = npt.NDArray[np.int32]
_Cells: TypeAlias = tuple[_Numbers, _Numbers]


class Windows(Struct, frozen=True):
    """An indicator in windows of time that do not overlap: `value` (NaN without observations) and `samples` of each."""

    start_s: Floats
    end_s: Floats
    value: Floats
    samples: Ints

    def __len__(self) -> int:
        return len(self.start_s)


class Course:
    """Stretches of a series.

    `ranked`: values are counted by bucket as well, for quantiles. `lowest`: the smallest value of each stretch is kept, not the
    largest.
    """

    def __init__(self, *, ranked: bool, lowest: bool = False) -> None:
        self._extreme = np.minimum if lowest else np.maximum
        self._farthest = math.inf if lowest else -math.inf
        self._every = 1
        self._first_s, self._last_s = np.empty(0), np.empty(0)
        self._largest = np.empty(0)
        self._weight, self._ticks = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self._seen = 0
        self.ranked = ranked
        self._cells: list[_Cells] = []
        """Stretch and bucket of observations, as a code, and how many have it, in pieces; codes may come in several of them."""
        self._waiting: list[Samples] = []
        self._by_bucket: tuple[_Numbers, _Numbers, Floats, Ints] | None = None
        """Of which codes the order of buckets is known; see `_in_order_of_buckets`."""

    def __len__(self) -> int:
        return len(self.first_s)

    @property
    def every(self) -> int:
        """Observations in a stretch, weights left aside."""
        self._take_in()
        return self._every

    @property
    def first_s(self) -> Floats:
        """The time of the first observation of each stretch."""
        self._take_in()
        return self._first_s

    @property
    def last_s(self) -> Floats:
        """The time of the last observation of each stretch."""
        self._take_in()
        return self._last_s

    @property
    def largest(self) -> Floats:
        """The largest value of each stretch, or the smallest; see `lowest`."""
        self._take_in()
        return self._largest

    @property
    def weight(self) -> Floats:
        """What the observations of each stretch count: their number, where they have no weights."""
        self._take_in()
        return self._weight.astype(np.float64)

    @property
    def total(self) -> Floats:
        """The sum of the values of each stretch."""
        self._take_in()
        return self._ticks / TICKS_PER_S

    def observe(self, samples: Samples) -> None:
        """Process more of the series, many observations at once."""
        if len(samples):
            self._waiting.append(samples)
            if len(self._waiting) >= MOST_PIECES or sum(map(len, self._waiting)) >= _AT_ONCE:
                self._take_in()

    def _take_in(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        t, value, weights = (_joint([getattr(each, name) for each in waiting]) for name in ("t", "value", "weights"))
        weights = weights.astype(np.int64)
        while -(-(self._seen + len(t)) // self._every) > MOST_STRETCHES:
            self._halve()
        number = (self._seen + np.arange(len(t))) // self._every
        starts = np.flatnonzero(np.append(True, number[1:] != number[:-1]))
        joined = 1 if self._seen % self._every else 0
        """The first of the new stretches goes on with the last one."""
        ticks = np.rint(value * TICKS_PER_S).astype(np.int64)
        ends = np.append(starts[1:], len(t)) - 1
        self._first_s = np.append(self._first_s, t[starts[joined:]])
        self._last_s = np.append(self._last_s[: len(self._last_s) - joined], t[ends])
        self._ticks = _joined(self._ticks, np.add.reduceat(ticks, starts), joined, np.add)
        self._weight = _joined(self._weight, np.add.reduceat(weights, starts), joined, np.add)
        self._largest = _joined(self._largest, self._extreme.reduceat(value, starts), joined, self._extreme)
        if self.ranked:
            distinct, counts = np.unique(number * _WIDTH + bucket_of(value) // 2, return_counts=True)
            self._cells.append((distinct.astype(np.int32), counts.astype(np.int32)))
            if len(self._cells) > MOST_PIECES:
                self._join_pieces()
        self._seen += len(t)

    def _halve(self) -> None:
        """Two stretches become one."""
        self._every *= 2
        starts = np.arange(0, len(self._first_s), 2)
        if not len(starts):
            return
        self._first_s = self._first_s[starts]
        self._last_s = self._last_s[np.minimum(starts + 1, len(self._last_s) - 1)]
        self._ticks, self._weight = np.add.reduceat(self._ticks, starts), np.add.reduceat(self._weight, starts)
        self._largest = self._extreme.reduceat(self._largest, starts)
        self._cells = [(codes // _WIDTH // 2 * _WIDTH + codes % _WIDTH, counts) for codes, counts in self._cells]
        self._join_pieces()

    def _join_pieces(self) -> None:
        """Two neighbours become one: to sort all of them at once takes several times their memory."""
        self._cells = [_summed(self._cells[first : first + 2]) for first in range(0, len(self._cells), 2)]

    def _coded(self) -> _Cells:
        """Stretch and bucket of all observations, as a code, and how many have it; codes may come twice."""
        if len(self._cells) != 1:
            self._cells = [_joined_cells(self._cells)]
        return self._cells[0]

    def above(self, q: float) -> Floats:
        """How many observations of each stretch lie above the `q` quantile of all, to within a bucket."""
        self._take_in()
        stretch, counts, ends = self._in_order_of_buckets()
        below = np.append(0, np.cumsum(counts))[ends]
        wanted = rank(q, int(below[-1]))
        # A whole bucket is above or not: the side that is nearer to the share wanted.
        edge = int(np.searchsorted(below, wanted))
        if edge and abs(below[edge - 1] - wanted) < abs(below[edge] - wanted):
            edge -= 1
        high = slice(int(ends[edge]), None)
        above: Floats = np.bincount(stretch[high], weights=counts[high], minlength=len(self)).astype(np.float64)
        return above

    def _in_order_of_buckets(self) -> tuple[_Numbers, Floats, Ints]:
        """Stretches and counts in the order of their buckets, and where each bucket ends."""
        codes, counts = self._coded()
        if self._by_bucket is None or self._by_bucket[0] is not codes:
            stretch = codes // _WIDTH
            bucket = (codes - stretch * _WIDTH).astype(np.int16)
            order = np.argsort(bucket, kind="stable")
            ends = np.searchsorted(bucket[order], np.arange(_WIDTH), side="right")
            self._by_bucket = codes, stretch[order], counts[order].astype(np.float64), ends
        return self._by_bucket[1:]

    def at_most(self, value: float) -> tuple[Ints, Ints]:
        """How many observations of each stretch lie in buckets below that of a value, and how many in its bucket or below."""
        codes, counts = self._coded()
        bucket, own = codes % _WIDTH, int(bucket_of(np.array([value]))[0]) // 2
        stretch = codes // _WIDTH
        below = np.bincount(stretch[bucket < own], weights=counts[bucket < own], minlength=len(self))
        up_to = np.bincount(stretch[bucket <= own], weights=counts[bucket <= own], minlength=len(self))
        return below.astype(np.int64), up_to.astype(np.int64)

    def variance(self) -> float:
        """The variance of the values, to within a bucket; 0 without observations."""
        self._take_in()
        codes, counts = self._coded()
        if not len(codes):
            return 0.0
        by_bucket = np.bincount(codes % _WIDTH, weights=counts)
        present = np.flatnonzero(by_bucket)
        values, shares = np.array([upper_edge(2 * int(bucket)) for bucket in present]), by_bucket[present]
        mean = float(values @ shares) / float(shares.sum())
        return float((values - mean) ** 2 @ shares) / float(shares.sum())

    def windows(self, sli: Sli, edges_s: Floats) -> Windows:
        """The indicator between neighbours of `edges_s`, which ascend; a stretch belongs to the window that holds its middle.

        Times are as exact as stretches are short: a two-thousandth of the observations at worst.
        """
        number = np.searchsorted(edges_s, (self.first_s + self.last_s) / 2, side="right") - 1
        count = len(edges_s) - 1
        inside = (number >= 0) & (number < count)
        number = number[inside]
        weight: Floats = np.bincount(number, weights=self.weight[inside], minlength=count).astype(np.float64)
        total: Floats = np.bincount(number, weights=self.total[inside], minlength=count).astype(np.float64)
        value = self._values(sli, edges_s, number, inside, weight, total)
        return Windows(edges_s[:-1], edges_s[1:], value, weight.astype(np.int64))

    def _values(self, sli: Sli, edges_s: Floats, number: Ints, inside: Bools, weight: Floats, total: Floats) -> Floats:
        if sli.aggregate is Aggregate.COUNT:
            return total
        if sli.aggregate is Aggregate.RATE:
            return weight / np.diff(edges_s)
        if sli.aggregate in {Aggregate.RATIO, Aggregate.MEAN}:
            with np.errstate(invalid="ignore", divide="ignore"):
                return total / weight
        if sli.aggregate is Aggregate.QUANTILE and self.ranked:
            return self._quantiles(sli.q, number, inside, len(weight))
        largest = np.full(len(weight), self._farthest)
        self._extreme.at(largest, number, self.largest[inside])
        return np.where(weight > 0, largest, math.nan)

    def _quantiles(self, q: float, number: Ints, inside: Bools, count: int) -> Floats:
        self._take_in()
        codes, counts = self._coded()
        window_of = np.full(len(self), -1, dtype=np.int32)
        window_of[inside] = number
        codes = window_of[codes // _WIDTH] * _WIDTH + codes % _WIDTH
        order = np.argsort(codes, kind="stable")
        codes, counts = codes[order], counts[order]
        values = np.full(count, math.nan)
        for each in np.unique(number).tolist():
            begin, end = np.searchsorted(codes, np.array([each, each + 1], dtype=np.int32) * _WIDTH)
            below = np.cumsum(counts[begin:end])
            place = int(np.searchsorted(below, rank(q, int(below[-1]))))
            values[each] = upper_edge(2 * int(codes[begin + place] - each * _WIDTH))
        return values


def _joined_cells(cells: list[_Cells]) -> _Cells:
    none = np.empty(0, dtype=np.int32)
    return np.concatenate([none, *(codes for codes, _ in cells)]), np.concatenate(
        [none, *(counts for _, counts in cells)]
    )


def _summed(cells: list[_Cells]) -> _Cells:
    """Each code once, in order."""
    codes, counts = _joined_cells(cells)
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    first = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])) if len(codes) else np.empty(0, np.int64)
    return codes[first], np.add.reduceat(counts[order], first).astype(np.int32)


def _joint(parts: list[Floats]) -> Floats:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


_Number = TypeVar("_Number", np.float64, np.int64)


def _joined(
    before: npt.NDArray[_Number], new: npt.NDArray[_Number], joined: int, add: np.ufunc
) -> npt.NDArray[_Number]:
    """`new` after `before`; the first of it is added to the last one before where it goes on with that."""
    if joined:
        new[0] = add(before[-1], new[0])
    return np.concatenate([before[: len(before) - joined], new])
