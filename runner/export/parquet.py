"""`soak export --parquet`: events, series and objectives of a run as Parquet files, for any tool that reads them.

Events are written a piece of the stream at a time, so that memory does not grow with the run. The metadata of each file's schema
names scenario, seed, target, verdict and the version of soak; that of each column its unit and meaning.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from soak.runner.frames.columns import schema
from soak.runner.frames.frame import about
from soak.runner.frames.objectives import objectives_table
from soak.runner.opened import Run
from soak.schemas.errors import writing

if TYPE_CHECKING:
    import pyarrow

EVENTS, SERIES, OBJECTIVES = "events.parquet", "series.parquet", "objectives.parquet"
_GROUP_ROWS = 1 << 17
"""Rows of a row group: some megabytes in memory."""


class Written(Struct, frozen=True):
    """A file and its number of rows."""

    path: Path
    rows: int


def export_parquet(run: Run, folder: Path) -> list[Written]:
    """Write the three files to a folder, which is created; existing ones are replaced when the new one is complete.

    Raises EvidenceError and OutputError, UsageError without pyarrow.
    """
    described = about(run.manifest)
    series, objectives = run.series.arrow(), objectives_table(run.verdict, described)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return [
        _write(folder / EVENTS, schema().with_metadata(described), run.events.batches()),
        _write(folder / SERIES, series.schema, series.to_batches()),
        _write(folder / OBJECTIVES, objectives.schema, objectives.to_batches()),
    ]


def _write(path: Path, kind: "pyarrow.Schema", batches: "Iterable[pyarrow.RecordBatch]") -> Written:
    import pyarrow as pa
    from pyarrow import parquet

    partial, rows = path.with_name(f".{path.name}.partial"), 0
    with writing(path):
        try:
            with parquet.ParquetWriter(partial, kind, compression="zstd") as file:
                for table in _groups(batches):
                    file.write_table(table.replace_schema_metadata(kind.metadata))
                    rows += len(table)
                if not rows:
                    file.write_table(pa.Table.from_batches([], schema=kind))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return Written(path, rows)


def _groups(batches: "Iterable[pyarrow.RecordBatch]") -> "Iterable[pyarrow.Table]":
    """Batches put together to row groups, whose words have one dictionary."""
    import pyarrow as pa

    held: list[pyarrow.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= _GROUP_ROWS:
            yield pa.Table.from_batches(held).unify_dictionaries()
            held = []
    if held:
        yield pa.Table.from_batches(held).unify_dictionaries()
