"""A mergeable histogram with logarithmic buckets: quantiles with a stated relative error, in bounded memory.

At a target a quantile is exact: the histogram counts on which side of it every value lies.
"""

import math
from dataclasses import dataclass

import numpy as np

from soak.schemas.stream.block import Floats, Ints

GAMMA = 1.01
RELATIVE_ERROR = (GAMMA - 1) / (GAMMA + 1)
"""Largest relative error of a quantile: a value and its bucket's middle differ by at most this (0.5 %)."""

_SMALLEST, _LARGEST = 1e-6, 1e15
_LOG_GAMMA = math.log(GAMMA)
_OFFSET = math.floor(math.log(_SMALLEST) / _LOG_GAMMA)
BUCKETS = math.ceil(math.log(_LARGEST) / _LOG_GAMMA) - _OFFSET + 2


def bucket_of(values: Floats) -> Ints:
    """The bucket of each value: 0 for what is below the resolution, then GAMMA-fold steps (Masson et al., DDSketch, 2019)."""
    index = np.ceil(np.log(np.clip(values, _SMALLEST, _LARGEST)) / _LOG_GAMMA).astype(np.int64) - _OFFSET + 1
    return np.where(values < _SMALLEST, 0, index)


def value_of(bucket: int) -> float:
    """The middle of a bucket: within RELATIVE_ERROR of every value in it."""
    return 0.0 if bucket == 0 else float(2 * GAMMA ** (bucket - 1 + _OFFSET) / (GAMMA + 1))


def upper_edge(bucket: int) -> float:
    """The largest value in a bucket."""
    return 0.0 if bucket == 0 else float(GAMMA ** (bucket - 1 + _OFFSET))


def rank(q: float, count: int) -> int:
    """The rank, from 1, of the `q` quantile of `count` values (nearest rank)."""
    return max(1, math.ceil(q * count - 1e-9))


@dataclass(slots=True)
class Pin:
    """A value with exact counts below it and at it, and its nearest neighbours."""

    value: float
    below: int = 0
    at: int = 0
    next_below: float = -math.inf
    next_above: float = math.inf

    def add(self, values: Floats) -> None:
        """Count `values`."""
        below, above = values[values < self.value], values[values > self.value]
        self.merge(
            Pin(
                self.value,
                len(below),
                len(values) - len(below) - len(above),
                float(below.max(initial=-math.inf)),
                float(above.min(initial=math.inf)),
            )
        )

    def merge(self, other: "Pin") -> None:
        """Add what `other`, a pin of the same value, has counted."""
        self.below += other.below
        self.at += other.at
        self.next_below = max(self.next_below, other.next_below)
        self.next_above = min(self.next_above, other.next_above)

    def place(self, estimate: float, rank: int) -> float:
        """An estimate of the value of `rank`, moved to the side of the pin on which that value lies."""
        if rank <= self.below:
            return min(estimate, self.next_below)
        return self.value if rank <= self.below + self.at else max(estimate, self.next_above)


class Histogram:
    """Counts by bucket, with the exact smallest and largest value, and exact counts around pins."""

    def __init__(self) -> None:
        self._pins: dict[float, Pin] = {}
        self._kept: list[Floats] | None = None
        self.counts = np.zeros(BUCKETS, dtype=np.int64)
        self.count = 0
        self.smallest = math.inf
        self.largest = -math.inf

    def pin(self, value: float) -> None:
        """Make `value` exact; call it before counting anything."""
        assert not self.count
        self._pins.setdefault(value, Pin(value))

    def keep(self) -> None:
        """Make everything exact, at eight bytes a value; call it before counting anything."""
        assert not self.count
        self._kept = [] if self._kept is None else self._kept

    def add(self, values: Floats) -> None:
        """Count `values` (not negative)."""
        if not len(values):
            return
        self.counts += np.bincount(bucket_of(values), minlength=BUCKETS)
        self.count += len(values)
        self.smallest = min(self.smallest, float(values.min()))
        self.largest = max(self.largest, float(values.max()))
        for pin in self._pins.values():
            pin.add(values)
        if self._kept is not None:
            self._kept.append(values)

    def merge(self, other: "Histogram") -> None:
        """Add what `other`, with the same pins, has counted."""
        for value, pin in self._pins.items():
            pin.merge(other._pins[value])
        self.counts += other.counts
        self.count += other.count
        self.smallest = min(self.smallest, other.smallest)
        self.largest = max(self.largest, other.largest)

    def nonzero(self) -> dict[int, int]:
        """Counts by bucket."""
        buckets = np.flatnonzero(self.counts)
        return dict(zip(buckets.tolist(), self.counts[buckets].tolist(), strict=True))

    def value_at_rank(self, wanted: int) -> float:
        """The value of rank `wanted` (from 1); inf beyond the last, NaN when there are none."""
        if not self.count:
            return math.nan
        if wanted > self.count:
            return math.inf
        if self._kept is not None:
            self._kept = [np.sort(np.concatenate(self._kept))]
            return float(self._kept[0][wanted - 1])
        bucket = int(np.searchsorted(np.cumsum(self.counts), wanted, side="left"))
        value = min(max(value_of(bucket), self.smallest), self.largest)
        for pin in self._pins.values():
            value = pin.place(value, wanted)
        return value

    def quantile(self, q: float, extra: int = 0) -> float:
        """The `q` quantile; `extra` counts further values that are larger than any (work that never ended)."""
        return self.value_at_rank(rank(q, self.count + extra)) if self.count else math.nan
