"""What a run keeps of its trace, as data: what trace.json holds. The arrivals themselves are in the event stream."""

import msgspec

SCHEMA_VERSION = 1


class TraceRows(msgspec.Struct, frozen=True):
    """Rows with one problem: how many, and the first of them, each with its line."""

    count: int
    first: list[tuple[int, str]]


class TraceCounts(msgspec.Struct, frozen=True):
    """Rows by time: bin k, from 0, has those from (first + k) * width_us microseconds on."""

    width_us: int
    first: int
    count: list[int]


class TraceRecord(msgspec.Struct, frozen=True):
    """A trace: its file, and what was found in it.

    file: as the scenario names it. clock: whether times are clock times. first_us, last_us: the earliest and latest, in
    microseconds since 1970, or from the start. kinds, tenants: rows of each. service_s: quantiles of the service times in the
    middle of equal parts, in seconds; service_by_kind: the same of each kind. bad: rows that were left out; disordered: rows
    that came later in the file than their time says, and were put in order; duplicates: rows that are there twice, each of
    which arrives.
    """

    schema_version: int
    file: str
    bytes: int
    sha256: str
    rows: int
    clock: bool
    first_us: int
    last_us: int
    kinds: dict[str, int]
    tenants: dict[str, int]
    service_s: list[float]
    counts: TraceCounts
    bad: TraceRows
    disordered: TraceRows
    duplicates: TraceRows
    service_by_kind: dict[str, list[float]] = {}
