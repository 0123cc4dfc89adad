"""Array operations within groups: events sorted by task, each group the events of one task in time order."""

from copy import copy
from functools import cached_property

import numpy as np

from soak.schemas.stream.block import Bools, Floats, Ints


class Groups:
    """The rows of a block that share a key, brought together; `rows` are their places in the block."""

    def __init__(self, rows: Ints, key: Ints) -> None:
        order = _stable_order(key)
        self.rows: Ints = rows[order]
        self.key: Ints = key[order]
        first = np.empty(len(rows), dtype=np.bool_)
        first[:1] = True
        np.not_equal(self.key[1:], self.key[:-1], out=first[1:])
        self._begin(first)
        self._place = np.arange(len(rows))

    def _begin(self, first: Bools) -> None:
        self._first = first
        self._starts = np.flatnonzero(first)
        self._start = np.repeat(self._starts, np.diff(np.append(self._starts, len(first))))

    def split(self, at: Bools) -> "Groups":
        """These groups, with another one beginning at each of the rows `at`."""
        parted = copy(self)
        parted._begin(self._first | at)
        return parted

    def starts_with(self, other: "Groups") -> Bools:
        """For each row whether its group begins where its group in `other` does."""
        same: Bools = self._start == other._start
        return same

    @property
    def last(self) -> Ints:
        """The place of each group's last row."""
        return np.append(self._starts[1:], len(self.rows)) - 1 if len(self.rows) else self._starts

    def latest(self, chosen: Bools, *, before: bool = False) -> Ints:
        """For each row the place of the latest chosen row of its group, itself included unless `before`; -1 if there is none."""
        place = np.where(chosen, self._place, -1)
        if before:
            place = np.concatenate([[-1], place[:-1]])
        latest = np.maximum.accumulate(place)
        return np.where(latest >= self._start, latest, -1)

    def running(self, amount: Floats | Ints) -> Floats:
        """The sum of `amount` over the rows of the group up to and including each row."""
        if not amount.any():
            return np.zeros(len(amount))
        total = np.cumsum(amount, dtype=np.float64)
        before = total[self._start] - amount[self._start]
        result: Floats = total - before
        return result

    def in_time_order(self, chosen: Bools) -> tuple[Ints, Ints]:
        """The chosen rows in the order of the block: their places here, and in the block."""
        if not len(self.rows):
            return self.rows, self.rows
        here = np.zeros(self._highest + 1, dtype=np.bool_)
        here[self.rows[chosen]] = True
        in_block = np.flatnonzero(here)
        return self._places[in_block], in_block

    @cached_property
    def _highest(self) -> int:
        return int(self.rows.max())

    @cached_property
    def _places(self) -> Ints:
        """By place in the block: the place here."""
        places = np.empty(self._highest + 1, dtype=np.int64)
        places[self.rows] = self._place
        return places


def _stable_order(key: Ints) -> Ints:
    """The stable order that sorts `key`."""
    if not len(key):
        return key
    lowest = int(key.min())
    if int(key.max()) - lowest < 1 << 16:
        # Sixteen bits are sorted by radix: several times as fast.
        return np.argsort((key - lowest).astype(np.uint16), kind="stable")
    return np.argsort(key, kind="stable")


def carried(latest: Ints, values: Floats | Ints, carry: Floats | Ints) -> Floats:
    """`values` at the latest chosen rows, or `carry` where the group has none yet."""
    result: Floats = np.where(latest >= 0, values[latest], carry)
    return result
