"""Arrivals to fit: those of a trace, or those of a run, in time order and as often as they are asked for."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from msgspec import Struct

from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.stream import StreamReader
from soak.runner.evidence.verify import load_stored
from soak.schemas.errors import EvidenceError, FileError
from soak.schemas.stream.block import TICKS_PER_S, Ints
from soak.schemas.stream.events import COPY, Kind
from soak.schemas.trace.rows import TraceError
from soak.schemas.trace.settings import Reading
from soak.schemas.trace.survey import survey
from soak.simulation.plan import Plan
from soak.simulation.trace import OrderedRows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Arrivals(Struct, frozen=True):
    """Times in microseconds, ascending, in arrays of any length: since 1970 if `clock`, otherwise from the start."""

    name: str
    clock: bool
    count: int
    first_us: int
    last_us: int
    times: Callable[[], Iterator[Ints]]


def of_trace(reading: Reading) -> Arrivals:
    """The rows of a file. Raises FileError for one that cannot be read, or has bad rows."""
    try:
        seen = survey(reading)
    except TraceError as error:
        raise FileError(reading.path, error.what, error.remedy) from None
    if seen.late.count:
        line, what = seen.late.first[0]
        raise FileError(reading.path, f"line {line} {what} than a row long before it", "sort the file")
    if seen.bad.count and not reading.skip:
        line, what = seen.bad.first[0]
        raise FileError(
            reading.path,
            f"line {line} {what} ({seen.bad.count:,} bad rows in all)",
            "correct it, or add --skip-bad-rows",
        )

    def times() -> Iterator[Ints]:
        rows = OrderedRows(reading, seen)
        return (rows.part(place).time_us for place in range(len(rows)))

    timing = seen.known.timing
    clock = timing is not None and timing.clock
    return _enough(Arrivals(reading.name, clock, seen.rows, seen.first_us, seen.last_us, times))


def of_run(path: Path) -> Arrivals:
    """When the tasks of a run were due, second submissions left out. Raises EvidenceError."""
    directory = RunDirectory.open(path)
    loaded = load_stored(directory)
    start = loaded.scenario.start
    origin_us = 0 if start is None else round((start - _EPOCH).total_seconds() * TICKS_PER_S)

    def blocks() -> Iterator[Ints]:
        vocabulary = Plan(loaded.scenario).vocabulary
        stream = directory.stream(loaded.scenario.name)
        for block in StreamReader(stream, vocabulary, loaded.scenario.horizon_s).blocks():
            taken = (block.kind == Kind.TASK_ENQUEUED) & (block.task & COPY == 0)
            yield np.rint(block.value[taken] * TICKS_PER_S).astype(np.int64) + origin_us

    # Tasks are recorded when they are accepted, which is not always in the order in which they are due.
    time_us = np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *blocks()]))
    first, last = (int(time_us[0]), int(time_us[-1])) if len(time_us) else (0, 0)
    name = loaded.scenario.name
    return _enough(Arrivals(name, start is not None, len(time_us), first, last, lambda: iter([time_us])))


def _enough(arrivals: Arrivals) -> Arrivals:
    if arrivals.count < LEAST or arrivals.last_us == arrivals.first_us:
        what = f"{arrivals.name}: has {arrivals.count:,} arrivals, too few to fit a rate to"
        raise EvidenceError(f"{what} ({LEAST} are needed, at different times)")
    return arrivals


LEAST = 50
"""With fewer arrivals hardly anything about their process can be said."""
