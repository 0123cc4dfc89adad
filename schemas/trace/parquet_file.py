"""Traces as Parquet: the extra `trace` (pyarrow)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from soak.schemas.errors import reason, shortened
from soak.schemas.trace.columns import Column, Columns
from soak.schemas.trace.csv_file import check_column
from soak.schemas.trace.fields import column_of
from soak.schemas.trace.rows import Place, Rows, TraceError
from soak.schemas.trace.settings import Known, Reading
from soak.schemas.trace.times import NO_TIME

BATCH_ROWS = 16_384


class ParquetFile:
    """A Parquet file, read a batch of rows at a time; a line is a row, from 1."""

    def __init__(self, reading: Reading, known: Known) -> None:
        self.path: Path = reading.path
        self.columns = Columns(reading, known)
        self._reading = reading
        self._going: tuple[int, Iterator[tuple[Place, Rows]]] = (0, iter(()))

    def pieces(self) -> Iterator[tuple[Place, Rows]]:
        """The whole file."""
        file = self._open()
        row = 1
        for group in range(file.num_row_groups):
            yield from self._batches(file, group, row)
            row += file.metadata.row_group(group).num_rows

    def again(self, place: Place) -> Rows:
        """One piece of it: the next one is at hand, others are read from the start of their row group."""
        line, batches = self._going
        if line != place.line:
            batches = self._batches(self._open(), place.offset, place.line - self._before(place))
        for found, rows in batches:
            if found.line == place.line:
                self._going = (place.line + place.size, batches)
                return rows
        self._going = (0, iter(()))
        return self.again(place)

    def _before(self, place: Place) -> int:
        """Rows of its row group before a piece."""
        metadata = self._open().metadata
        groups = range(place.offset)
        return place.line - 1 - sum(int(metadata.row_group(group).num_rows) for group in groups)

    def _open(self) -> Any:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            what = f"{self.path.name}: Parquet needs pyarrow, which is not installed"
            raise TraceError(what, "in a checkout: pip install '.[trace]'; or write CSV") from None
        try:
            file = parquet.ParquetFile(self.path)
        except OSError as error:
            raise TraceError(
                f"{self.path.name}: {reason(error)}", "name a file in the folder of the scenario"
            ) from None
        except pyarrow.ArrowException:
            raise TraceError(f"{self.path.name}: is not a Parquet file, or damaged", "name another") from None
        known = file.schema_arrow.names
        for key in ("time", "kind", "tenant", "service"):
            if (column := getattr(self._reading, key)) is not None:
                check_column(self.path.name, column, known, key)
        return file

    def _batches(self, file: Any, group: int, row: int) -> Iterator[tuple[Place, Rows]]:
        """The batches of a row group that begins with row `row`."""
        reading = self._reading
        wanted = (reading.time, reading.kind, reading.tenant, reading.service)
        for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=list(reading.columns)):
            columns = [None if name is None else self._column(batch.column(name), name) for name in wanted]
            line = row + np.arange(len(batch))
            yield Place(group, len(batch), row), self.columns.rows(line, columns, None)
            row += len(batch)

    def _column(self, values: Any, name: str) -> Column:
        import pyarrow as pa

        kind = values.type
        if pa.types.is_dictionary(kind):
            values = values.dictionary_decode()
            kind = values.type
        if pa.types.is_timestamp(kind) and (kind.tz or self._reading.zone == "UTC"):
            micros = values.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
            return np.asarray(micros.fill_null(int(NO_TIME)).to_numpy(zero_copy_only=False), dtype=np.int64)
        if name in {self._reading.time, self._reading.service} and (
            pa.types.is_integer(kind) or pa.types.is_floating(kind)
        ):
            floats = values.cast(pa.float64(), safe=False)
            return np.asarray(floats.to_numpy(zero_copy_only=False), dtype=np.float64)
        if pa.types.is_timestamp(kind) or pa.types.is_integer(kind):
            values = values.cast(pa.string())
        elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            what = f"{self.path.name}: the column {name} is of type {shortened(str(kind))}"
            raise TraceError(what, "write a column of times, numbers or text")
        return column_of([value or "" for value in values.to_pylist()])
