"""Records in the order of a stream, as columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.stream.block import Bools, Floats, Ints
from soak.schemas.systems.pipeline.settings import Passes

STRONG, LOW = 1, 2
"""Bits of the column `marks`."""

FIRST = -1
"""In the column `again`: a record that is in its stream for the first time."""


class Flow(Struct, frozen=True):
    """Records. number: task numbers. sent_s: when the source sent them. at_s: since when their reader can have them, ascending.

    label: indices of the vocabulary. marks: STRONG, LOW. again: the cause by which a record is in its stream once more, or FIRST.
    """

    number: Ints
    sent_s: Floats
    at_s: Floats
    label: Ints
    marks: Ints
    again: Ints

    def __len__(self) -> int:
        return len(self.number)

    def take(self, index: Any) -> "Flow":
        """The records that a slice, mask or index array selects."""
        return Flow(*(getattr(self, name)[index] for name in _COLUMNS))

    def at(self, at_s: Floats) -> "Flow":
        """The same records, to be had from other times on."""
        return replace(self, at_s=at_s)

    @property
    def strong(self) -> Bools:
        """Which are strong."""
        which: Bools = self.marks & STRONG != 0
        return which

    @property
    def low_consistency(self) -> Bools:
        """Which are of low consistency."""
        which: Bools = self.marks & LOW != 0
        return which

    @property
    def confirmed(self) -> Bools:
        """Which are strong and not of low consistency."""
        which: Bools = self.marks == STRONG
        return which

    @property
    def first(self) -> Bools:
        """Which are in their stream for the first time."""
        which: Bools = self.again == FIRST
        return which

    def passing(self, passes: Passes) -> Bools:
        """Which a process passes on."""
        if passes is Passes.ALL:
            return np.ones(len(self), dtype=np.bool_)
        return self.strong if passes is Passes.STRONG else self.confirmed


_COLUMNS = Flow.__struct_fields__
_NO_INTS = np.empty(0, dtype=np.int64)
NONE = Flow(_NO_INTS, np.empty(0), np.empty(0), _NO_INTS, _NO_INTS, _NO_INTS)
"""No records."""


def join(flows: Sequence[Flow]) -> Flow:
    """All records, one flow after the other."""
    some = [flow for flow in flows if len(flow)]
    if len(some) < 2:
        return some[0] if some else NONE
    return Flow(*(np.concatenate([getattr(flow, name) for flow in some]) for name in _COLUMNS))
