"""A series of any length in bounded memory: the means of 2, 4, 8 … consecutive samples."""

import numpy as np

from soak.schemas.stream.block import Floats

MOST_MEANS = 128
"""At this number each two become one: a long series has 64 to 127."""


class Means:
    """Means of 2**level consecutive samples: of their times, of their values, and of the squares of those.

    Values and squares are relative to the first value, so that a small movement of a large value keeps its digits. Each mean is
    the mean of two means of half as many samples, whatever the blocks in which samples come: the same to the last bit.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.origin = 0.0
        self._level = 0
        self._rows = np.empty((3, 0))
        self._waiting: list[Floats] = [np.empty((3, 0))]
        """Of each level the one mean that has no partner yet."""

    def __len__(self) -> int:
        return self._rows.shape[1]

    @property
    def covered(self) -> int:
        """How many samples the means hold: the last few may wait for their partners."""
        return len(self) << self._level

    @property
    def t(self) -> Floats:
        """Mean time of each, in seconds."""
        times: Floats = self._rows[0]
        return times

    @property
    def value(self) -> Floats:
        """Mean of each, relative to `origin`."""
        values: Floats = self._rows[1]
        return values

    def inner_variance(self) -> float:
        """The mean variance of samples around the mean that they belong to."""
        inner = self._rows[2] - self._rows[1] ** 2
        return max(0.0, float(inner.mean())) if len(self) and self._level else 0.0

    def add(self, t_s: Floats, value: Floats) -> None:
        """Add samples, in time order."""
        if not len(t_s):
            return
        if not self.seen:
            self.origin = float(value[0])
        self.seen += len(t_s)
        relative = value - self.origin
        rows = np.stack([t_s, relative, relative * relative])
        for level in range(self._level):
            rows = self._halved(level, rows)
        while rows.shape[1]:
            free = MOST_MEANS - len(self)
            self._rows = np.concatenate([self._rows, rows[:, :free]], axis=1)
            rows = rows[:, free:]
            if len(self) == MOST_MEANS:
                self._rows = _pairs_meant(self._rows)
                self._waiting.append(np.empty((3, 0)))
                rows = self._halved(self._level, rows)
                self._level += 1

    def _halved(self, level: int, rows: Floats) -> Floats:
        """Means of a level as means of the next one; an odd one waits."""
        rows = np.concatenate([self._waiting[level], rows], axis=1)
        even = rows.shape[1] // 2 * 2
        self._waiting[level] = rows[:, even:]
        return _pairs_meant(rows[:, :even])


def _pairs_meant(rows: Floats) -> Floats:
    means: Floats = (rows[:, 0::2] + rows[:, 1::2]) / 2
    return means
