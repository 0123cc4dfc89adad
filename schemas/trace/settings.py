"""How a scenario says that a trace is to be read and played."""

from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

SERVICE_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""Formats by the ending of a file's name."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read: the names of its columns, of numbers their units, and the zone of clock times without one.

    unit: of numbers in the column of times; "" where it is found from their size. skip: leave bad rows out, rather than refuse
    the file.
    """

    path: Path = field(compare=False)
    time: str
    kind: str | None = None
    tenant: str | None = None
    service: str | None = None
    format: str = ""
    unit: str = ""
    service_unit: str = "s"
    zone: str = "UTC"
    skip: bool = False

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return tuple(column for column in (self.time, self.kind, self.tenant, self.service) if column is not None)


class Timing(Struct, frozen=True):
    """How the times of a file are written: as dates (`text`), or as numbers in `unit`; `clock`: whether they are clock times."""

    text: bool
    unit: str
    clock: bool


class Known(Struct, frozen=True):
    """What reading the whole file has shown, so that any piece of it can be read alone: the numbers of names are their places."""

    timing: Timing | None = None
    kinds: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
