"""The event stream of a run: event by event, in batches, or as one table."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from msgspec import Struct

from soak.runner.extras import need
from soak.runner.frames.frame import to_pandas, to_polars
from soak.schemas.errors import EvidenceError, reason
from soak.schemas.evidence.versions import UNDECODABLE
from soak.schemas.stream.storage import open_stream

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

Value: TypeAlias = str | int | float | bool | None

WHO = "a run's events as a table"


class Event(Struct, frozen=True):
    """One event: when it happened (`t_s`, in seconds of scenario time), its type, and all its line says, by name."""

    t_s: float
    type: str
    data: Mapping[str, Value]

    @property
    def task(self) -> str | None:
        """The number of the task, such as `17`; `17.2` is its second enqueue."""
        found = self.data.get("task")
        return found if isinstance(found, str) else None

    @property
    def fault(self) -> str | None:
        """The name of the fault of the scenario that caused it."""
        found = self.data.get("fault")
        return found if isinstance(found, str) else None


class Events(Struct, frozen=True):
    """The events of a run in time order: `for event in run.events()`, or a table of them, a row each.

    A last line that is cut off ends them. What is asked for is read then, and raises EvidenceError where it is missing or
    damaged. `types`: only events of these types, such as `["task.retry"]`; None: all.
    """

    path: Path
    about: Mapping[str, str]
    """Metadata of the tables: scenario, seed, target, version."""

    def __call__(self) -> Iterator[Event]:
        """Event by event, in flat memory."""
        try:
            with open_stream(self.path) as file:
                for number, line in enumerate(file, 1):
                    if not line.endswith(b"\n"):
                        return
                    # The first line says what the stream is of.
                    if number > 1:
                        yield _event(line, self.path, number)
        except OSError as error:
            raise EvidenceError(
                f"{self.path}: {reason(error)} (the event stream is missing or cannot be read)"
            ) from None

    def __iter__(self) -> Iterator[Event]:
        return self()

    def batches(self, types: Collection[str] | None = None) -> "Iterator[pyarrow.RecordBatch]":
        """The events as Arrow record batches of some 30,000 rows, one in memory at a time. Raises UsageError without pyarrow.

        Columns: see `soak.runner.frames.columns`. Each batch has dictionaries of its own.
        """
        need("arrow", WHO)
        from soak.runner.frames.columns import batches

        return batches(self.path, types)

    def arrow(self, types: Collection[str] | None = None) -> "pyarrow.Table":
        """All events as an Arrow table. Raises UsageError without pyarrow."""
        need("arrow", WHO)
        import pyarrow as pa

        from soak.runner.frames.columns import schema

        table = pa.Table.from_batches(self.batches(types), schema=schema())
        return table.unify_dictionaries().replace_schema_metadata(dict(self.about))

    def pandas(self, types: Collection[str] | None = None) -> "pandas.DataFrame":
        """All events as a pandas DataFrame. Raises UsageError without pandas."""
        need("pandas", WHO)
        return to_pandas(self.arrow(types), WHO)

    def polars(self, types: Collection[str] | None = None) -> "polars.DataFrame":
        """All events as a polars DataFrame. Raises UsageError without polars."""
        need("polars", WHO)
        return to_polars(self.arrow(types), WHO)


_decoder = msgspec.json.Decoder(dict[str, Value])


def _event(line: bytes, path: Path, number: int) -> Event:
    """Raises EvidenceError."""
    try:
        data = _decoder.decode(line)
    except UNDECODABLE as error:
        raise EvidenceError(f"{path}:{number}: not an event: {error} (the stream is damaged here)") from None
    t_s, kind = data.get("t"), data.get("type")
    if not isinstance(t_s, int | float) or not isinstance(kind, str):
        raise EvidenceError(f"{path}:{number}: not an event: it has no time or no type (the stream is damaged here)")
    return Event(t_s, kind, MappingProxyType(data))
