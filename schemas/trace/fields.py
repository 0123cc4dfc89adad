"""Fields of many rows at once: bytes between two places of a buffer, as arrays.

A field is given by its start and its length in a buffer of bytes; a buffer has WIDEST zero bytes behind its content.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from numpy.lib.stride_tricks import sliding_window_view

from soak.schemas.stream.block import Bools, Floats, Ints

Bytes: TypeAlias = npt.NDArray[np.uint8]
Hashes: TypeAlias = npt.NDArray[np.uint64]

WIDEST = 64
"""Longer fields are not read as times or numbers."""

_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], dtype=np.uint64)
_NUMERIC = np.zeros(256, dtype=np.bool_)
_NUMERIC[list(b"\0+-.0123456789eE")] = True


class Fields(Struct, frozen=True):
    """One column: a field for each row of a buffer."""

    buffer: Bytes
    start: Ints
    length: Ints

    def __len__(self) -> int:
        return len(self.start)

    def take(self, index: Ints | Bools) -> "Fields":
        """The fields that an index array or mask selects."""
        return Fields(self.buffer, self.start[index], self.length[index])

    def text(self, row: int) -> str:
        """One field as text; bytes that are not UTF-8 are replaced."""
        start = int(self.start[row])
        return bytes(self.buffer[start : start + int(self.length[row])]).decode(errors="replace")

    def columns(self, width: int) -> Bytes:
        """The first `width` bytes of each field, shape (width, rows): a row of the result is a place in the field."""
        return np.ascontiguousarray(self._first(width).T)

    def padded(self, width: int) -> Bytes:
        """Each field in `width` bytes, longer ones cut and shorter ones filled up with zeros; shape (rows, width)."""
        padded = self._first(width)
        padded *= np.arange(width) < self.length[:, np.newaxis]
        return padded

    def _first(self, width: int) -> Bytes:
        """`width` bytes from the start of each field on, copied row by row."""
        buffer = self.buffer
        if width > WIDEST:
            buffer = np.concatenate([buffer, np.zeros(width - WIDEST, dtype=np.uint8)])
        first: Bytes = sliding_window_view(buffer, width)[self.start]
        return first

    def trimmed(self) -> "Fields":
        """Without spaces around."""
        fields = self
        while len(fields) and (leading := (fields.buffer[fields.start] == 32) & (fields.length > 0)).any():
            fields = Fields(fields.buffer, fields.start + leading, fields.length - leading)
        while len(fields):
            last = fields.buffer[fields.start + np.maximum(fields.length - 1, 0)]
            if not (trailing := (last == 32) & (fields.length > 0)).any():
                break
            fields = Fields(fields.buffer, fields.start, fields.length - trailing)
        return fields


def column_of(texts: list[str]) -> Fields:
    """A column of texts."""
    content = "".join(texts).encode()
    length = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    if len(content) != int(length.sum()):
        length = np.fromiter((len(text.encode()) for text in texts), dtype=np.int64, count=len(texts))
    return Fields(np.frombuffer(content + bytes(WIDEST), dtype=np.uint8), np.cumsum(length) - length, length)


def numbers(fields: Fields) -> tuple[Floats, Bools]:
    """The fields as decimal numbers, each rounded once to the nearest float; and which are none (their value is NaN)."""
    value = np.full(len(fields), np.nan)
    if not len(fields):
        return value, np.zeros(0, dtype=np.bool_)
    width = min(WIDEST, max(1, int(fields.length.max())))
    padded = fields.padded(width)
    plain = _NUMERIC[padded].all(axis=1) & (fields.length > 0) & (fields.length <= WIDEST)
    texts = padded.view(f"S{width}").ravel()
    try:
        value[plain] = texts[plain].astype(np.float64)
    except ValueError:
        value[plain] = [_number(text) for text in texts[plain].tolist()]
    return value, ~np.isfinite(value)


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def hashes(fields: Fields, width: int) -> Hashes:
    """A 64-bit hash of each field of at most `width` bytes (a multiple of 8), equal for equal fields."""
    words = fields.padded(width).view(np.uint64)
    value: Hashes = fields.length.astype(np.uint64) * _ODD[3]
    for place in range(words.shape[1]):
        # Words of zeros add nothing, so that the hash does not depend on the width.
        part = words[:, place] * (_ODD[place % 3] + np.uint64(2 * place))
        part ^= part >> np.uint64(29)
        value += part * _ODD[(place + 1) % 3]
    return value


class Names:
    """The distinct names of a column, numbered in the order in which they are first met."""

    def __init__(self, most: int, names: Sequence[str] = ()) -> None:
        self.names: list[str] = []
        self._most = most
        self._number: dict[int, int] = {}
        self._known: Hashes = np.zeros(0, dtype=np.uint64)
        self._numbers: Ints = np.zeros(0, dtype=np.int64)
        self.number(column_of(list(names)))

    def number(self, fields: Fields) -> Ints:
        """The number of each field; -1 for an empty one, for one of more than WIDEST bytes, and once there are too many names."""
        if not len(fields):
            return np.zeros(0, dtype=np.int64)
        width = 8 * min(WIDEST // 8, max(1, -(-int(fields.length.max()) // 8)))
        value = hashes(fields, width)
        usable = (fields.length > 0) & (fields.length <= WIDEST)
        found = self._look_up(value)
        if (unknown := usable & (found < 0)).any() and len(self.names) < self._most:
            self._add(fields, value, unknown)
            found = self._look_up(value)
        return np.where(usable, found, -1)

    def _look_up(self, value: Hashes) -> Ints:
        if not len(self._known):
            return np.full(len(value), -1)
        place = np.minimum(np.searchsorted(self._known, value), len(self._known) - 1)
        return np.where(self._known[place] == value, self._numbers[place], -1)

    def _add(self, fields: Fields, value: Hashes, unknown: Bools) -> None:
        rows = np.flatnonzero(unknown)
        _, first = np.unique(value[rows], return_index=True)
        for row in np.sort(rows[first])[: self._most - len(self.names)].tolist():
            self._number[int(value[row])] = len(self.names)
            self.names.append(fields.text(row))
        self._known = np.array(sorted(self._number), dtype=np.uint64)
        self._numbers = np.array([self._number[each] for each in self._known.tolist()], dtype=np.int64)
