"""Who sends what: the tasks of a plan divided among processes, and divided again when one of them is lost."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Bools, Floats, Ints
from soak.schemas.stream.events import KEY_SHIFT


class Share(Struct, frozen=True):
    """The arrivals whose number leaves `remainder` when divided by `modulus`, if they are due at `from_s` or later."""

    modulus: int
    remainder: int
    from_s: float = 0.0

    def split(self, parts: int, from_s: float) -> "list[Share]":
        """The same from a time on, divided into equal parts."""
        wider = self.modulus * parts
        return [Share(wider, self.remainder + self.modulus * part, max(from_s, self.from_s)) for part in range(parts)]


def mine(shares: Sequence[Share], numbers: Ints, due_s: Floats) -> Bools:
    """Which of these tasks are in one of the shares."""
    arrivals, found = numbers >> KEY_SHIFT, np.zeros(len(numbers), dtype=np.bool_)
    for share in shares:
        found |= (arrivals % share.modulus == share.remainder) & (due_s >= share.from_s)
    return found


def users_of(index: int, workers: int, count: int) -> range:
    """The users, of `count`, that process `index` of `workers` acts for."""
    return range(index, count, workers)
