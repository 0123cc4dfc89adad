"""Blocks of events to JSON lines, a whole block at a time: compiled where possible (lines.c), else by NumPy, with the same bytes.

All events share one layout of fixed width: literal text from a template for each combination of words, and digits
for each number. Unused columns are NUL bytes, which are deleted at the end. No event is
formatted individually, which makes this about ten times as fast as a JSON encoder.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from soak.runner.evidence.compiled_lines import LIMIT, CompiledFormatter, formatter_for
from soak.schemas.errors import SoakError
from soak.schemas.stream.block import TICKS_PER_S, Block, Bools, Floats, Ints
from soak.schemas.stream.by_kind import flags_by_kind
from soak.schemas.stream.events import COPY, KEY_SHIFT, SPECS, Kind, Value
from soak.schemas.stream.vocabulary import Vocabulary

Bytes: TypeAlias = npt.NDArray[np.uint8]
Groups: TypeAlias = npt.NDArray[np.uint32] | npt.NDArray[np.uint16] | npt.NDArray[np.uint8]
_Piece: TypeAlias = tuple[int, Groups]

_STRETCH = 2048
_GROUP = 4
_STEP = 10**_GROUP


def _table(texts: list[str]) -> npt.NDArray[np.uint32]:
    """Four characters each, as one number that is stored in one go."""
    return np.frombuffer("".join(texts).encode(), dtype=np.uint32)


class _Tables(NamedTuple):
    """Every group of four digits: with leading zeros, then without them; in `final` but for the last digit."""

    leading: npt.NDArray[np.uint32]
    final: npt.NDArray[np.uint32]


@cache
def _tables() -> _Tables:
    """Made when they are first needed: compiled code does without, and they take as long as a block."""
    padded = _table([f"{number:04d}" for number in range(_STEP)])
    stripped = _table([f"{number:d}".rjust(4, "\0") if number else "\0\0\0\0" for number in range(_STEP)])
    last = _table([f"{number:d}".rjust(4, "\0") for number in range(_STEP)])
    return _Tables(np.concatenate([padded, stripped]), np.concatenate([padded, last]))


_DECIMALS = 6
_HUNDREDTHS = np.frombuffer("".join(f"{number:02d}" for number in range(100)).encode(), dtype=np.uint16)


def _uses(column: str) -> Bools:
    return flags_by_kind(lambda kind, spec: spec.uses(column))


_USES = {column: _uses(column) for column in ("task", "key", "attempt", "worker", "records")}
_NUMERIC = flags_by_kind(lambda kind, spec: spec.value in {Value.SECONDS, Value.NUMBER})
_NAMED = flags_by_kind(lambda kind, spec: spec.value is Value.NAME)


class LineFormatter:
    """Formats blocks of one stream. Words of the vocabulary may still be added while it is in use."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._compiled: CompiledFormatter | None = None

    def format(self, block: Block) -> bytes:
        """The block as JSON lines. Raises SoakError for numbers too large for the stream."""
        return b"".join(map(bytes, self.pieces(block)))

    def pieces(self, block: Block) -> Iterable[bytes | memoryview]:
        """The block as JSON lines, some at a time; each piece is overwritten by the next. Raises SoakError as `format` does."""
        if not len(block):
            return ()
        self._compiled = formatter_for(self._vocabulary, self._compiled)
        pieces = self._compiled.pieces(block) if self._compiled else None
        return (self.by_numpy(block),) if pieces is None else pieces

    def by_numpy(self, block: Block) -> bytes:
        """`format` by NumPy, for a block that is not empty: what it means."""
        _check_room(block)
        kind = block.kind
        numbered = block.task >= 0
        columns: dict[str, _Whole | _Decimal] = {
            "t": _Decimal(block.t, None),
            "task": _Whole(block.task >> KEY_SHIFT, _USES["task"][kind] & numbered),
            "key": _Whole(block.task >> KEY_SHIFT, _USES["key"][kind] & numbered),
            "attempt": _Whole(block.attempt, _USES["attempt"][kind] & numbered),
            "worker": _Whole(block.worker, _USES["worker"][kind] & (block.worker >= 0)),
            "value": _Decimal(block.value, _NUMERIC[kind]),
        }
        if (stretches := _USES["records"][kind]).any():
            columns["records"] = _Whole(block.attempt, stretches)
        words, which = self._words(block)
        layout = _Layout(words, columns)
        pieces = [piece for name, column in columns.items() for piece in column.pieces(layout.starts[name])]
        return b"".join(_assemble(layout.templates, which, pieces))

    def _words(self, block: Block) -> tuple[list["_Words"], Ints]:
        """The combinations of words in the block, and which of them each event has."""
        named = _NAMED[block.kind]
        name = np.where(named, np.nan_to_num(block.value), -1).astype(np.int64) if named.any() else None
        code = block.kind
        places = [block.task >= 0, block.worker >= 0, block.task & COPY == COPY, block.cause, block.label + 1]
        for place in [*places, *([] if name is None else [name + 1])]:
            code = code * (int(place.max()) + 1) + place
        seen = np.bincount(code)
        codes = np.flatnonzero(seen)
        number = np.empty(len(seen), dtype=np.int64)
        number[codes] = np.arange(len(codes))
        which = number[code]
        first = np.empty(len(codes), dtype=np.int64)
        first[which[::-1]] = np.arange(len(block) - 1, -1, -1)
        return [
            self._words_of(block, index, -1 if name is None else int(name[index])) for index in first.tolist()
        ], which

    def _words_of(self, block: Block, index: int, name: int) -> "_Words":
        spec = SPECS[Kind(int(block.kind[index]))]
        said = self._vocabulary.causes[int(block.cause[index])]
        cause = said if spec.uses("cause") else None
        label = (
            self._vocabulary.labels[place] if (place := int(block.label[index])) >= 0 and spec.uses("label") else None
        )
        numbered = int(block.task[index]) >= 0
        more = {
            "state": spec.state,
            "tenant": label.tenant if label else "",
            "kind": label.kind if label else "",
            spec.value_name if name >= 0 else "name": self._vocabulary.names[name] if name >= 0 else "",
            "fault": cause.fault if cause else "",
            "error": cause.error if cause else "",
            "by": said.error if spec.uses("by") else "",
        }
        return _Words(
            type=spec.type,
            task=spec.uses("task") and numbered,
            copy=spec.uses("task") and bool(block.task[index] & COPY) and numbered,
            key=spec.uses("key") and numbered,
            attempt=spec.uses("attempt") and numbered,
            worker=spec.uses("worker") and int(block.worker[index]) >= 0,
            records=spec.uses("records"),
            value=spec.value_name if spec.value in {Value.SECONDS, Value.NUMBER} else "",
            rest=msgspec.json.encode({key: word for key, word in more.items() if word})[1:-1],
        )


class _Words(Struct, frozen=True):
    """The literal parts of a line."""

    type: str
    task: bool
    copy: bool
    key: bool
    attempt: bool
    worker: bool
    records: bool
    value: str
    rest: bytes

    def parts(self, *, records: bool) -> Iterator[bytes | str]:
        """The line from left to right: literal text, and the names of the columns between; `records`: whether any line has it."""
        yield b'{"t":'
        yield "t"
        yield b',"type":"%s"' % self.type.encode()
        yield b',"task":"' if self.task else b""
        yield "task"
        yield (b'.2"' if self.copy else b'"') if self.task else b""
        yield b',"key":"' if self.key else b""
        yield "key"
        yield b'"' if self.key else b""
        yield b',"attempt":' if self.attempt else b""
        yield "attempt"
        yield b',"worker":' if self.worker else b""
        yield "worker"
        if records:
            yield b',"records":' if self.records else b""
            yield "records"
        yield b',"%s":' % self.value.encode() if self.value else b""
        yield "value"
        yield (b"," + self.rest if self.rest else b"") + b"}\n"


class _Whole:
    """Whole numbers without leading zeros, nothing where not `used`."""

    def __init__(self, values: Ints, used: Bools) -> None:
        self._values = np.where(used, values, 0).astype(np.uint32)
        self._used = used
        self._groups = _groups_of(int(self._values.max()))
        self.width = _GROUP * self._groups

    def pieces(self, start: int) -> Iterator["_Piece"]:
        """The digits, a few at a time, each with its place in the line."""
        for group, place in _split(self._values, self._groups):
            yield start + place, np.where(self._used, group, np.uint32(0))


class _Decimal:
    """Numbers with six decimals, nothing where not `used` (None: all are)."""

    def __init__(self, values: Floats, used: Bools | None) -> None:
        ticks = np.rint((values if used is None else np.where(used, values, 0.0)) * TICKS_PER_S).astype(np.int64)
        whole = ticks // TICKS_PER_S
        self._fraction = (ticks - whole * TICKS_PER_S).astype(np.uint32)
        self._used = used
        self._whole = whole
        self._groups = _groups_of(int(whole.max()))
        self.width = _GROUP * self._groups + 1 + _DECIMALS

    def pieces(self, start: int) -> Iterator["_Piece"]:
        """The digits, a few at a time, each with its place in the line."""
        for group, place in _split(self._whole, self._groups):
            yield start + place, self._shown(group)
        point = start + _GROUP * self._groups
        first = self._fraction // 100
        yield point, self._shown(np.full(len(first), ord("."), dtype=np.uint8))
        yield point + 1, self._shown(_tables().leading[first])
        yield point + 1 + _GROUP, self._shown(_HUNDREDTHS[self._fraction - first * 100])

    def _shown(self, group: Groups) -> Groups:
        return group if self._used is None else group * self._used


def _groups_of(largest: int) -> int:
    return -(-len(str(largest)) // _GROUP)


def _split(values: Ints | npt.NDArray[np.uint32], groups: int) -> Iterator[tuple[npt.NDArray[np.uint32], int]]:
    """The groups of digits, lowest first, each with its place in the column."""
    rest = values
    for index in range(groups - 1, -1, -1):
        higher = rest // _STEP
        digits = rest - higher * _STEP
        table = _tables().final if index == groups - 1 else _tables().leading
        yield table[digits + _STEP * (higher == 0)], index * _GROUP
        rest = higher


def _assemble(templates: Bytes, which: Ints, pieces: list["_Piece"]) -> Iterator[bytearray]:
    """The lines, a stretch at a time: few enough to stay in the processor's cache until the NUL bytes are out."""
    width = templates.shape[1]
    for first in range(0, len(which), _STRETCH):
        chosen = which[first : first + _STRETCH]
        text = bytearray(len(chosen) * width)
        lines = np.frombuffer(text, dtype=np.uint8).reshape(len(chosen), width)
        np.take(templates, chosen, axis=0, out=lines, mode="clip")
        for start, digits in pieces:
            place = lines[:, start : start + digits.dtype.itemsize]
            place.view(digits.dtype)[:, 0] = digits[first : first + _STRETCH]
        yield text.translate(None, b"\0")


class _Layout:
    """Where the columns stand, and a template line for each combination of words."""

    def __init__(self, words: list[_Words], columns: Mapping[str, "_Whole | _Decimal"]) -> None:
        rows = [list(each.parts(records="records" in columns)) for each in words]
        self.starts: dict[str, int] = {}
        places: list[int] = []
        width = 0
        for parts in zip(*rows, strict=True):
            places.append(width)
            if isinstance(parts[0], str):
                self.starts[parts[0]] = width
                width += columns[parts[0]].width
            else:
                width += max(map(len, parts))
        self.templates: Bytes = np.zeros((len(rows), width), dtype=np.uint8)
        for row, line in enumerate(rows):
            for place, piece in zip(places, line, strict=True):
                if isinstance(piece, bytes):
                    self.templates[row, place : place + len(piece)] = np.frombuffer(piece, dtype=np.uint8)


def _check_room(block: Block) -> None:
    stretches = _USES["records"][block.kind]
    for column, limit in LIMIT.items():
        largest = _largest(block, column, stretches)
        if largest >> (KEY_SHIFT if column == "task" else 0) >= limit:
            raise SoakError(f"{column} {largest:,} is too large for the event stream (the maximum is {limit - 1:,})")
    numeric = block.value[_NUMERIC[block.kind]]
    if len(numeric) and not (float(numeric.min()) >= 0 and float(numeric.max()) < 9e12):
        raise SoakError("the event stream cannot store a value that is negative, missing or above 9e12")
    if not (float(block.t[0]) >= 0 and float(block.t[-1]) < 9e12):
        raise SoakError(f"the time {block.t[-1]:,} s is too large for the event stream")


def _largest(block: Block, column: str, stretches: Bools) -> int:
    """The largest number of a column; that of attempts holds the number of records of a stretch."""
    if column == "records":
        return int(block.attempt[stretches].max(initial=0))
    if column == "attempt" and stretches.any():
        return int(block.attempt[~stretches].max(initial=0))
    return int(getattr(block, column).max())
