"""Which keys of records a ledger holds."""

import numpy as np

from soak.schemas.stream.block import Bools, Ints

_MOST_FLAGS = 1 << 28


class Keys:
    """Flags of keys from a first one on, and a set of all that are far from it (texts by their hash)."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._flags: Bools = np.zeros(1 << 17, dtype=np.bool_)
        self._others: set[int] = set()

    @property
    def room(self) -> int:
        """For how many keys there are flags."""
        return len(self._flags)

    def known(self, keys: Ints) -> Bools:
        """Which keys are there."""
        places = self._places(keys)
        small = (places >= 0) & (places < len(self._flags))
        if small.all():
            return self._flags[places]
        found: Bools = small & self._flags[np.where(small, places, 0)]
        for place in np.flatnonzero(~small).tolist() if self._others else ():
            found[place] = int(keys[place]) in self._others
        return found

    def add(self, keys: Ints) -> int:
        """Add keys; returns how many were not there."""
        places = self._places(keys)
        small = (places >= 0) & (places < _MOST_FLAGS)
        chosen = places if small.all() else places[small]
        if not (np.diff(chosen) > 0).all():
            chosen = np.unique(chosen)
        if len(chosen) and (least := int(chosen[-1]) + 1) > len(self._flags):
            self._flags = _longer(self._flags, max(least, 2 * len(self._flags)))
        fresh = int((~self._flags[chosen]).sum())
        self._flags[chosen] = True
        before = len(self._others)
        if len(chosen) < len(keys) and not small.all():
            self._others.update(keys[~small].tolist())
        return fresh + len(self._others) - before

    def without(self, other: "Keys") -> int:
        """How many keys are here and not there; both from the same first one on."""
        length = max(len(self._flags), len(other._flags))
        here, there = _longer(self._flags, length), _longer(other._flags, length)
        return int((here & ~there).sum()) + len(self._others - other._others)

    def _places(self, keys: Ints) -> Ints:
        """Distances from the first key. They may wrap around: different keys have different ones all the same."""
        return keys - np.int64(self._first)


def _longer(flags: Bools, length: int) -> Bools:
    grown: Bools = np.zeros(length, dtype=np.bool_)
    grown[: len(flags)] = flags
    return grown
