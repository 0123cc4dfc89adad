"""Events in memory: blocks of columns, in time order."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

TICKS_PER_S = 1_000_000
"""Resolution of the event stream: a microsecond."""


def quantise(seconds: Floats) -> Floats:
    """Seconds rounded to the resolution of the stream, so that what was written reads back as it was."""
    return np.rint(seconds * TICKS_PER_S) / TICKS_PER_S


def tick(seconds: float) -> float:
    """One time, rounded to the resolution of the stream."""
    return round(seconds * TICKS_PER_S) / TICKS_PER_S if seconds < 1e9 else seconds


class Block(Struct, frozen=True):
    """Events as columns of equal length, in time order, complete up to `until_s`.

    t: seconds of scenario time. kind: `Kind`. task: task number, -1 for none. attempt: from 1, 0 for none.
    worker: from 0, -1 for none. cause, label: index into the vocabulary (label -1 for none).
    value: see the kind, NaN for none. Times and values are multiples of a microsecond.
    """

    t: Floats
    kind: Ints
    task: Ints
    attempt: Ints
    worker: Ints
    cause: Ints
    label: Ints
    value: Floats
    until_s: float

    def __len__(self) -> int:
        return len(self.t)

    def take(self, index: Any, until_s: float | None = None) -> "Block":
        """The events that a slice, mask or index array selects."""
        columns = {name: getattr(self, name)[index] for name in COLUMNS}
        return Block(**columns, until_s=self.until_s if until_s is None else until_s)

    def up_to(self, end_s: float) -> "Block":
        """The events not later than `end_s`."""
        return self.take(slice(0, int(np.searchsorted(self.t, end_s, side="right"))), min(end_s, self.until_s))

    def split(self, at_s: float) -> tuple["Block", "Block"]:
        """The events before `at_s`, and those at or after it."""
        cut = int(np.searchsorted(self.t, at_s, side="left"))
        return self.take(slice(0, cut), at_s), self.take(slice(cut, None))


COLUMNS = tuple(name for name in Block.__struct_fields__ if name != "until_s")

_FILL = {"task": -1, "attempt": 0, "worker": -1, "cause": 0, "label": -1, "value": np.nan}


def make_block(t: Sequence[float] | Floats, kind: Sequence[int] | Ints, *, until_s: float, **columns: Any) -> Block:
    """A block from its columns; those not given are empty."""
    times = quantise(np.asarray(t, dtype=np.float64))
    filled: dict[str, Any] = {name: np.full(len(times), fill) for name, fill in _FILL.items() if name not in columns}
    given: dict[str, Any] = {name: np.asarray(column) for name, column in columns.items()}
    whole = {name: column.astype(np.int64) for name, column in given.items() if name != "value"}
    value: dict[str, Any] = {"value": quantise(given["value"].astype(np.float64))} if "value" in given else {}
    return Block(t=times, kind=np.asarray(kind, dtype=np.int64), until_s=until_s, **filled, **whole, **value)


def merge(blocks: Sequence[Block]) -> Block:
    """One block in time order; events at the same time keep the order of `blocks`."""
    joined = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in COLUMNS}
    order = np.argsort(joined["t"], kind="stable")
    return Block(
        **{name: column[order] for name, column in joined.items()}, until_s=max(block.until_s for block in blocks)
    )
