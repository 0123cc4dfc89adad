"""Rows of CSV text: a buffer of bytes to the places of the fields, all rows at once (RFC 4180; any one-byte delimiter)."""

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Bools, Ints
from soak.schemas.trace.fields import WIDEST, Bytes, Fields

NEWLINE, RETURN, QUOTE = 10, 13, 34
_DELIMITERS = b",;\t|"


class Dialect(Struct, frozen=True):
    """How rows are written: the delimiter, and the names of the columns."""

    delimiter: int
    columns: tuple[str, ...]


def read_header(line: bytes) -> Dialect:
    """The dialect of a file whose first line this is: the delimiter is the most frequent of `,`, `;`, tab and `|`."""
    text = line.rstrip(b"\r\n")
    bare = b"".join(text.split(b'"')[::2])
    delimiter = max(_DELIMITERS, key=lambda letter: (bare.count(letter), -_DELIMITERS.index(letter)))
    content = text + b"\n"
    table = Table.of(content, delimiter, 1, None)
    names = tuple(table.field(column).text(0).strip() for column in range(table.width))
    return Dialect(delimiter, names)


class Table(Struct, frozen=True):
    """Whole rows of a buffer that have as many fields as they should.

    starts, ends: where each field begins, and where it ends, shape (rows, width). line: of the file, from 1. `ragged`: lines that
    have another number of fields, and how many they have. used: bytes of the buffer up to the end of the last whole row.
    """

    buffer: Bytes
    starts: Ints
    ends: Ints
    line: Ints
    ragged: tuple[tuple[int, int], ...]
    quoted: bool
    used: int
    lines: int
    """Lines of the file that the used bytes hold, those within quotes included."""

    @property
    def width(self) -> int:
        """Fields of a row."""
        return int(self.starts.shape[1])

    @classmethod
    def of(cls, content: bytes, delimiter: int, first_line: int, width: int | None) -> "Table":
        """The rows of `content`, of which the first is line `first_line` of the file; width None: that of the first row."""
        buffer = np.frombuffer(content + bytes(WIDEST), dtype=np.uint8)
        text = buffer[: len(content)]
        newline, separator = text == NEWLINE, text == delimiter
        quoted = QUOTE in content
        breaks = np.flatnonzero(newline)
        if quoted:
            outside = ~np.bitwise_xor.accumulate(text == QUOTE)
            newline, separator = newline & outside, separator & outside
        ends = np.flatnonzero(newline) if quoted else breaks
        used = int(ends[-1]) + 1 if len(ends) else 0
        starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
        lines = int(np.searchsorted(breaks, used, side="left"))
        line = first_line + (np.searchsorted(breaks, starts) if quoted else np.arange(len(starts)))
        ends = ends - (buffer[np.maximum(ends - 1, 0)] == RETURN) * (ends > starts)
        filled = ends > starts
        if not filled.all():
            starts, ends, line = starts[filled], ends[filled], line[filled]
        separators = np.flatnonzero(separator[:used])
        return cls._split(buffer, starts, ends, line, separators, width, quoted, used, lines)

    @classmethod
    def _split(
        cls,
        buffer: Bytes,
        starts: Ints,
        ends: Ints,
        line: Ints,
        separators: Ints,
        width: int | None,
        quoted: bool,
        used: int,
        lines: int,
    ) -> "Table":
        if width is None:
            width = 1 + int(np.searchsorted(separators, ends[0])) if len(ends) else 1
        inner = width - 1
        ragged: tuple[tuple[int, int], ...] = ()
        whole = len(separators) == len(starts) * inner
        between = separators.reshape(len(starts), inner) if whole else np.zeros((0, inner), dtype=np.int64)
        if not whole or not _fit(between, starts, ends):
            first = np.searchsorted(separators, starts)
            counts = np.searchsorted(separators, ends) - first
            good = counts == inner
            wrong = np.flatnonzero(~good)
            ragged = tuple(zip(line[wrong].tolist(), (counts[wrong] + 1).tolist(), strict=True))
            starts, ends, line, first = starts[good], ends[good], line[good], first[good]
            between = (
                separators[first[:, np.newaxis] + np.arange(inner)] if inner else np.zeros((len(starts), 0), np.int64)
            )
        begin = np.concatenate([starts[:, np.newaxis], between + 1], axis=1)
        end = np.concatenate([between, ends[:, np.newaxis]], axis=1)
        return cls(buffer, begin, end, line, ragged, quoted, used, lines)

    def field(self, column: int) -> Fields:
        """One column, without quotes and spaces around."""
        start, end = self.starts[:, column], self.ends[:, column]
        fields = Fields(self.buffer, start, end - start).trimmed()
        if not self.quoted or not len(fields):
            return fields
        start, length = fields.start, fields.length
        last = self.buffer[start + np.maximum(length - 1, 0)]
        inside: Bools = (length >= 2) & (self.buffer[start] == QUOTE) & (last == QUOTE)
        return Fields(self.buffer, start + inside, length - 2 * inside)

    def rows(self) -> Fields:
        """Each whole row as one field."""
        start = self.starts[:, 0]
        return Fields(self.buffer, start, self.ends[:, -1] - start)


def _fit(between: Ints, starts: Ints, ends: Ints) -> bool:
    """Whether each row has all of its separators between its start and its end."""
    if not between.shape[1]:
        return True
    return bool((between[:, 0] >= starts).all() and (between[:, -1] < ends).all())
