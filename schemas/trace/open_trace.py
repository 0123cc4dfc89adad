"""The reader of a trace, by the format of its file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from soak.schemas.trace.columns import Columns
from soak.schemas.trace.rows import Place, Rows, TraceError
from soak.schemas.trace.settings import FORMATS, Known, Reading


class TraceFile(Protocol):
    """A file of one format, opened: `path` is read, a piece at a time."""

    path: Path
    columns: Columns

    def pieces(self) -> Iterator[tuple[Place, Rows]]:
        """The whole file. Raises TraceError for what is not the format, or has no such columns."""

    def again(self, place: Place) -> Rows:
        """One piece of it."""


def open_trace(reading: Reading, known: Known | None = None) -> TraceFile:
    """The file, and what is known of it already. Raises TraceError where the format is not known."""
    known = known or Known()
    name = reading.format or FORMATS.get(reading.path.suffix.lower(), "")
    if name == "csv":
        from soak.schemas.trace.csv_file import CsvFile

        return CsvFile(reading, known)
    if name == "jsonl":
        from soak.schemas.trace.jsonl_file import JsonlFile

        return JsonlFile(reading, known)
    if name == "parquet":
        from soak.schemas.trace.parquet_file import ParquetFile

        return ParquetFile(reading, known)
    raise TraceError(f"{reading.name}: its ending names no format", "write format: csv, jsonl or parquet")
