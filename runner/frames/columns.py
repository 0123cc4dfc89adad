"""The columns of the event stream as Arrow has them, and how they are read: pyarrow's JSON reader, four megabytes at a time.

A column for each field that an event can have, null where it has none; words (types, faults, names) are dictionary-encoded. Times
and durations are seconds, to the microsecond, and their names end in `_s`; the metadata of a field has its unit and meaning.
"""

import io
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from soak.runner.frames.frame import field
from soak.schemas.errors import EvidenceError, reason
from soak.schemas.stream.storage import open_stream

if TYPE_CHECKING:
    import pyarrow

_PIECE_BYTES = 4 << 20
WORD, TEXT, SECONDS, NUMBER, WHOLE, SMALL = "word", "text", "seconds", "number", "whole", "small"


class Column(Struct, frozen=True):
    """A field of an event in the stream, and its column: `word` is a text that recurs, `small` an int32, `whole` an int64."""

    name: str
    kind: str
    description: str

    @property
    def title(self) -> str:
        """The name of the column: with its unit, for times."""
        return f"{self.name}_s" if self.kind == SECONDS else self.name


COLUMNS = (
    Column("t", SECONDS, "Scenario time."),
    Column("type", WORD, "Type of the event."),
    Column("task", TEXT, "Number of the task; the suffix .2 marks its second enqueue."),
    Column("key", TEXT, "Idempotency key, the same for a task and its second enqueue."),
    Column("attempt", SMALL, "Number of the attempt, from 1."),
    Column("worker", SMALL, "Number of the worker or part of the system, from 0."),
    Column("records", WHOLE, "How many records the event stands for."),
    Column("tenant", WORD, "Tenant of the task."),
    Column("kind", WORD, "Kind of work of the task."),
    Column("fault", WORD, "Name of the fault that caused it."),
    Column("error", WORD, "Error class."),
    Column("state", WORD, "State of a task that a census counts."),
    Column("due", SECONDS, "Planned scenario time."),
    Column("ran", SECONDS, "How long the body ran."),
    Column("gap", SECONDS, "For how long nothing was observed, in scenario time."),
    Column("pause", SECONDS, "For how long the run was paused, in real time."),
    Column("planned", WHOLE, "Planned submissions, including duplicates."),
    Column("differing", WHOLE, "Events that differ from those of the repeated simulation."),
    Column("value", NUMBER, "A sample, count or amount, in base units: the type of the event says of what."),
    Column("status", WHOLE, "Status of an answer."),
    Column("name", WORD, "Name of a process, alert, abort condition or check."),
    Column("to", WORD, "Name of the dependency that is called."),
    Column("by", WORD, "Who asked for it: of moments marked and runs stopped by hand."),
)


@cache
def schema() -> "pyarrow.Schema":
    """The Arrow schema of events, without metadata of a run."""
    import pyarrow as pa

    types = {
        WORD: pa.dictionary(pa.int32(), pa.string()),
        TEXT: pa.string(),
        SECONDS: pa.float64(),
        NUMBER: pa.float64(),
        WHOLE: pa.int64(),
        SMALL: pa.int32(),
    }
    return pa.schema(
        [
            field(
                each.title,
                types[each.kind],
                unit="s" if each.kind == SECONDS else "",
                description=each.description,
                required=each.name in {"t", "type"},
            )
            for each in COLUMNS
        ]
    )


@cache
def _written() -> "pyarrow.Schema":
    """As the stream has them: whole numbers of the column `value` of a block are written with decimals."""
    import pyarrow as pa

    types = {WORD: pa.string(), TEXT: pa.string(), SMALL: pa.int32(), "records": pa.int64()}
    return pa.schema([(each.name, types.get(each.name) or types.get(each.kind) or pa.float64()) for each in COLUMNS])


def batches(path: Path, types: Collection[str] | None = None) -> "Iterator[pyarrow.RecordBatch]":
    """The events of a stream in time order, a piece of the file at a time. Raises EvidenceError with the line of the damage."""
    try:
        with open_stream(path) as file:
            file.readline()  # says what the stream is of
            line = 2
            for lines in _pieces(file):
                batch = _batch(path, lines, line)
                line += len(lines)
                batch = batch if types is None else _of_types(batch, types)
                if len(batch):
                    yield batch
    except OSError as error:
        raise EvidenceError(f"{path}: {reason(error)} (the event stream is missing or cannot be read)") from None


def _pieces(file: BinaryIO) -> Iterator[list[bytes]]:
    """Whole lines, some megabytes at a time; a last line that is cut off ends them."""
    while lines := file.readlines(_PIECE_BYTES):
        if not lines[-1].endswith(b"\n"):
            lines.pop()
        if lines:
            yield lines


def _batch(path: Path, lines: Sequence[bytes], first: int) -> "pyarrow.RecordBatch":
    import pyarrow as pa

    table = _read(lines)
    if table is None:
        raise _damaged(path, first + _first_wrong(lines))
    columns = [
        found.dictionary_encode() if each.kind == WORD else found.cast(wanted.type)
        for each, found, wanted in zip(COLUMNS, table.columns, schema(), strict=True)
    ]
    batch: pyarrow.RecordBatch = pa.RecordBatch.from_arrays(
        [column.combine_chunks() if column.num_chunks != 1 else column.chunk(0) for column in columns], schema=schema()
    )
    return batch


def _read(lines: Sequence[bytes]) -> "pyarrow.Table | None":
    """The lines as a table with all columns; None where one of them is not an event."""
    import pyarrow as pa
    from pyarrow import json

    text = b"".join(lines)
    try:
        table = json.read_json(
            io.BytesIO(text),
            read_options=json.ReadOptions(use_threads=False, block_size=len(text) + 1),
            parse_options=json.ParseOptions(explicit_schema=_written(), unexpected_field_behavior="error"),
        )
        for each, column in zip(COLUMNS, table.columns, strict=True):
            if each.kind == WHOLE:
                column.cast(pa.int64())
    except pa.ArrowException:
        return None
    named = not table.column("t").null_count and not table.column("type").null_count
    return table if named and len(table) == len(lines) else None


def _first_wrong(lines: Sequence[bytes]) -> int:
    """The place of the first line that is not an event: by halves, since whole pieces are read fast."""
    low, high = 0, len(lines)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _read(lines[low:middle]) is not None else (low, middle)
    return low


def _damaged(path: Path, line: int) -> EvidenceError:
    return EvidenceError(f"{path}:{line}: not an event of this release (the stream is damaged here)")


def _of_types(batch: "pyarrow.RecordBatch", types: Collection[str]) -> "pyarrow.RecordBatch":
    import pyarrow as pa
    from pyarrow import compute

    wanted = compute.is_in(batch.column("type").dictionary_decode(), value_set=pa.array(sorted(types), pa.string()))
    return batch.filter(wanted)
