"""The record ledger of a real run, `ledger.jsonl`: which records were seen where and when, to count its figures again.

A line is what one ledger of the system held more when a stretch ended. Keys that count up, and times that are the same, are
written as runs: [value, how many, value, how many, …]. Flags are bits, eight a byte, the first record in the highest bit, as
hexadecimal digits.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from soak.schemas.stream.block import TICKS_PER_S, Bools, Floats, Ints

FILE = "ledger.jsonl"
SOURCE = "source"
"""What lines of the source's own ledger are of."""


class LedgerLine(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What came to a ledger in a stretch.

    until: end of the stretch, in seconds of scenario time. of: `source`, a sink, a stream, or a process (with `dropped` alone).
    keys: runs, or texts. at, sent: runs of microseconds of scenario time. label: runs of labels of the event stream. position:
    up to where the ledger was read. dropped: records that the process says it dropped.
    """

    until: float
    of: str
    keys: list[int | str] = []
    at: list[int] = []
    sent: list[int] = []
    label: list[int] = []
    strong: str = ""
    confirm: str = ""
    low_consistency: str = ""
    position: int | str | None = None
    dropped: int = 0


def counting_runs(values: Ints) -> list[int]:
    """[first, how many, …] of values that count up by one within each run."""
    return _runs(values, np.flatnonzero(np.diff(values) != 1) + 1)


def level_runs(values: Ints) -> list[int]:
    """[value, how many, …] of values that are the same within each run."""
    return _runs(values, np.flatnonzero(np.diff(values)) + 1)


def _runs(values: Ints, cuts: Ints) -> list[int]:
    if not len(values):
        return []
    begins = np.concatenate([[0], cuts])
    counts = np.diff(np.concatenate([begins, [len(values)]]))
    flat: list[int] = np.column_stack([values[begins], counts]).ravel().tolist()
    return flat


def counted_up(runs: Sequence[int]) -> Ints:
    """The values of `counting_runs`."""
    first, counts = np.array(runs[::2], dtype=np.int64), np.array(runs[1::2], dtype=np.int64)
    offsets = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    values: Ints = np.repeat(first, counts) + offsets
    return values


def levels(runs: Sequence[int]) -> Ints:
    """The values of `level_runs`."""
    values: Ints = np.repeat(np.array(runs[::2], dtype=np.int64), np.array(runs[1::2], dtype=np.int64))
    return values


def ticks(seconds: Floats) -> Ints:
    """Seconds as whole microseconds."""
    whole: Ints = np.rint(seconds * TICKS_PER_S).astype(np.int64)
    return whole


def seconds(whole: Ints) -> Floats:
    """Whole microseconds as seconds."""
    return whole / TICKS_PER_S


def packed(flags: Bools) -> str:
    """Flags as hexadecimal digits."""
    return np.packbits(flags).tobytes().hex()


def unpacked(text: str, count: int) -> Bools:
    """The first `count` flags of `packed`. Raises ValueError where there are fewer."""
    bits: Any = np.unpackbits(np.frombuffer(bytes.fromhex(text), dtype=np.uint8), count=count)
    if len(text) * 4 < count:
        raise ValueError("flags are missing")
    flags: Bools = bits.astype(np.bool_)
    return flags
