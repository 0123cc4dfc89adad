"""Rows of a trace, a piece of the file at a time, and what is wrong with some of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Bools, Floats, Ints
from soak.schemas.trace.fields import Fields

SHOWN = 5
"""Rows of each problem that are shown; the others are counted."""

MOST_SERVICE_S = 1e9


class TraceError(ValueError):
    """A file that cannot be played: what is wrong, what to do, and the key of the scenario that it is about."""

    def __init__(self, what: str, remedy: str, key: str = "file") -> None:
        self.what, self.remedy, self.key = what, remedy, key
        super().__init__(f"{what} ({remedy})")


class Found(Struct, frozen=True):
    """Rows with one problem: how many there are, and the first of them: line and what is wrong with it."""

    count: int = 0
    first: tuple[tuple[int, str], ...] = ()

    def __add__(self, other: "Found") -> "Found":
        return Found(self.count + other.count, (self.first + other.first)[:SHOWN])


def found(lines: Sequence[int], describe: Iterable[str]) -> Found:
    """The rows in these lines; of the first few the description is asked for."""
    return Found(len(lines), tuple(zip(lines[:SHOWN], describe, strict=False)))


@dataclass(frozen=True, slots=True)
class Rows:
    """Good rows of a piece in the order of the file, and the bad ones.

    time_us: microseconds. line: from 1, of a Parquet file: the row. kind, tenant: numbers of names; service_s: seconds; each None
    without such a column. raw: each row as it is written, None where rows are not text.
    """

    time_us: Ints
    line: Ints
    kind: Ints | None = None
    tenant: Ints | None = None
    service_s: Floats | None = None
    raw: Fields | None = field(default=None, compare=False, repr=False)
    bad: Found = field(default_factory=Found)

    def __len__(self) -> int:
        return len(self.time_us)

    def take(self, index: Ints | Bools | slice) -> "Rows":
        """The rows that an index array, mask or slice selects; without what is wrong with others, and without `raw`."""
        columns = (self.kind, self.tenant, self.service_s)
        kind, tenant, service = (None if column is None else column[index] for column in columns)
        return Rows(self.time_us[index], self.line[index], kind, tenant, service)  # type: ignore[arg-type]


def together(parts: Sequence[Rows]) -> Rows:
    """The rows of several pieces, one after the other; at least one."""
    columns = []
    for name in ("time_us", "line", "kind", "tenant", "service_s"):
        values = [getattr(part, name) for part in parts]
        columns.append(None if values[0] is None else np.concatenate(values))
    return Rows(*columns)  # type: ignore[arg-type]


class Place(Struct, frozen=True):
    """Where a piece is: offset and size in the file (of Parquet: the row group, and rows before it), and its first line."""

    offset: int
    size: int
    line: int
