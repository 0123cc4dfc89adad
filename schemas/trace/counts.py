"""How many rows come when: counts in bins of time whose width doubles whenever they become too many."""

from dataclasses import dataclass, field

import numpy as np

from soak.schemas.stream.block import Ints

MOST_BINS = 8_192
_FIRST_WIDTH_US = 1_000


@dataclass(slots=True)
class Counts:
    """Bin k, from 0, has the rows from (first + k) * width_us on; no more than MOST_BINS of them."""

    width_us: int = _FIRST_WIDTH_US
    first: int = 0
    count: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64), repr=False)

    def add(self, time_us: Ints) -> None:
        """Count more rows; at least one."""
        least, most = int(time_us.min()), int(time_us.max())
        if len(self.count):
            least, most = min(least, self.first * self.width_us), max(most, self._end_us - 1)
        while most // self.width_us - least // self.width_us >= MOST_BINS:
            self._halve()
        first = least // self.width_us
        count = np.bincount(time_us // self.width_us - first, minlength=most // self.width_us - first + 1)
        if len(self.count):
            shift = self.first - first
            count[shift : shift + len(self.count)] += self.count
        self.first, self.count = first, count

    @property
    def _end_us(self) -> int:
        return (self.first + len(self.count)) * self.width_us

    def _halve(self) -> None:
        """Make bins twice as wide."""
        padded = np.concatenate([np.zeros(self.first % 2, dtype=np.int64), self.count])
        padded = np.concatenate([padded, np.zeros(len(padded) % 2, dtype=np.int64)])
        self.count = padded.reshape(-1, 2).sum(axis=1)
        self.first, self.width_us = self.first // 2, self.width_us * 2

    def after(self, time_us: int) -> float:
        """About how many rows come from a time on: those of its bin by its share of the bin."""
        place, rest = divmod(time_us, self.width_us)
        place -= self.first
        if place < 0:
            return float(self.count.sum())
        if place >= len(self.count):
            return 0.0
        return float(self.count[place + 1 :].sum() + self.count[place] * (1 - rest / self.width_us))
