"""Traces as CSV."""

import difflib
from collections.abc import Sequence
from typing import BinaryIO

from soak.schemas.errors import quoted, shortened
from soak.schemas.trace.columns import Column
from soak.schemas.trace.delimited import Dialect, Table, read_header
from soak.schemas.trace.rows import Found, Rows, TraceError, found
from soak.schemas.trace.settings import Known, Reading
from soak.schemas.trace.text_file import TextFile

_MOST_LISTED = 12


class CsvFile(TextFile):
    """A CSV file with a header line. The delimiter is `,`, `;`, a tab or `|`, whichever the header has most of."""

    def __init__(self, reading: Reading, known: Known) -> None:
        super().__init__(reading, known)
        self._reading = reading
        self._dialect = Dialect(ord(","), ())
        self._places: list[int | None] = []

    def begin(self, file: BinaryIO) -> int:
        """Read the header."""
        line, header = 1, file.readline(1 << 20)
        while header and not header.strip():
            line, header = line + 1, file.readline(1 << 20)
        if not header:
            raise TraceError(f"{self.path.name}: is empty", "name a file that has a header and rows")
        self._dialect = read_header(header)
        names = self._dialect.columns
        reading = self._reading
        for key in ("time", "kind", "tenant", "service"):
            column = getattr(reading, key)
            if column is not None:
                check_column(self.path.name, column, names, key)
        wanted = (reading.time, reading.kind, reading.tenant, reading.service)
        self._places = [None if column is None else names.index(column) for column in wanted]
        return line + 1

    def parse(self, content: bytes, line: int) -> tuple[Rows, int, int]:
        """The whole rows of `content`."""
        width = len(self._dialect.columns)
        table = Table.of(content, self._dialect.delimiter, line, width)
        columns: Sequence[Column | None] = [None if p is None else table.field(p) for p in self._places]
        rows = self.columns.rows(table.line, columns, table.rows())
        if table.ragged:
            said = (f"has {count} fields, and the header {width}" for _, count in table.ragged)
            ragged = found([each for each, _ in table.ragged], said)
            rows = with_bad(rows, ragged)
        return rows, table.used, table.lines


def with_bad(rows: Rows, more: Found) -> Rows:
    """The same rows with more bad ones, in the order of their lines."""
    bad = rows.bad + more
    first = tuple(sorted(rows.bad.first + more.first))[: len(bad.first)]
    return Rows(rows.time_us, rows.line, rows.kind, rows.tenant, rows.service_s, rows.raw, Found(bad.count, first))


def check_column(file: str, column: str, known: Sequence[str], key: str) -> None:
    """Raise TraceError where a file has no such column, or several."""
    if column in known:
        if known.count(column) > 1:
            raise TraceError(f"{file}: has {known.count(column)} columns {quoted(column)}", "rename one", key)
        return
    near = difflib.get_close_matches(column, known, 1)
    listed = ", ".join(shortened(each) for each in known[:_MOST_LISTED]) + (", …" if len(known) > _MOST_LISTED else "")
    remedy = f"did you mean {quoted(near[0])}?" if near else f"write one of: {listed}"
    raise TraceError(f"{file}: has no column {quoted(column)}", remedy, key)
