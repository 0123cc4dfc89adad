"""From the data of `workload.arrivals.trace` to a trace that can be played, and to the load that it makes."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from soak.schemas.errors import EvidenceError, quoted, reason, shortened
from soak.schemas.files import Folders
from soak.schemas.language.clock import parse_start
from soak.schemas.language.distributions import Constant, Distribution, Empirical
from soak.schemas.language.kinds import mixture
from soak.schemas.language.model import Piece, Shape, TaskKind, Workload
from soak.schemas.language.trace import Trace
from soak.schemas.trace.settings import Reading

if TYPE_CHECKING:
    from soak.schemas.evidence.trace import TraceRecord, TraceRows
    from soak.schemas.trace.rows import Found
    from soak.schemas.trace.survey import Survey

Data = Mapping[str, Any]

RECORD = "trace.json"
"""What the evidence of a run has in place of its trace."""

ROWS_PER_PIECE, FEWEST_ROWS = 400, 50
"""The rate is that of so long a time that this many rows come in it on average (5 % off by chance); of short traces fewer."""
MOST_PIECES_OF_A_TURN, FEW_PIECES = 512, 24
MOST_PIECES = 20_000
_US = 1_000_000


def reading_of(data: Data, folders: Folders, zone: str) -> Reading:
    """How the file is to be read. Raises TraceError for a place outside the scenario's folder."""
    from soak.schemas.trace.rows import TraceError

    name = data["file"]
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise TraceError(f"{quoted(name)} is not inside the scenario's folder", "name a file in the scenario's folder")
    given = {key: data[key] for key in ("kind", "tenant", "service", "format", "unit", "service_unit") if key in data}
    try:
        path = folders.find(name)
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "is not the name of a file"
        raise TraceError(f"{shortened(PurePath(name).name)}: {why}", "name a file in the scenario's folder") from None
    return Reading(path, data["time"], zone=zone, skip=data.get("on_error") == "skip", **given)


def trace_of(scenario: Data, folders: Folders) -> Trace:
    """The trace of checked data, its file read once. Raises TraceError."""
    data, zone = scenario["workload"]["arrivals"]["trace"], scenario["timezone"]
    reading = reading_of(data, folders, zone)
    record = recorded(folders, data["file"])
    here = reading.path.is_file()
    seen = _seen(reading, record, here)
    origin_us = 0
    if seen.known.timing is not None and seen.known.timing.clock:
        start = parse_start(scenario["start"], zone) if "start" in scenario else None
        origin_us = seen.first_us if start is None else round((start - _EPOCH).total_seconds() * _US)
    return Trace(
        reading,
        origin_us,
        speed=float(data.get("speed", 1)),
        scale=float(data.get("scale", 1)),
        repeat=bool(data.get("repeat", False)),
        seen=seen,
        here=here,
    )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _seen(reading: Reading, record: "TraceRecord | None", here: bool) -> "Survey":
    from soak.schemas.trace.rows import TraceError

    if record is None or here:
        seen = _survey(reading, str(reading.path), *_stamp(reading.path))
        if record is not None and record.sha256 != seen.sha256:
            what = f"{reading.name}: is not the file of this run, whose SHA-256 is {record.sha256[:12]}…"
            raise TraceError(what, "remove it: a run is verified without")
        return seen
    return survey_of(record)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return 0, 0
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=4)
def _survey(reading: Reading, _path: str, _size: int, _modified_ns: int) -> "Survey":
    """A file that has not changed since is read once."""
    from soak.schemas.trace.survey import survey

    return survey(reading)


# What the evidence keeps.


def recorded(folders: Folders, file: str) -> "TraceRecord | None":
    """What the evidence that a scenario is loaded from has of this trace."""
    path = folders.find(RECORD)
    if not path.is_file():
        return None
    from soak.schemas.evidence.trace import TraceRecord
    from soak.schemas.evidence.versions import decode_evidence

    try:
        record = decode_evidence(path.read_bytes(), TraceRecord, path)
    except (EvidenceError, OSError):
        return None
    return record if record.file == file else None


def record_of(trace: Trace, file: str) -> "TraceRecord":
    """What the evidence keeps of a trace."""
    from soak.schemas.evidence.trace import SCHEMA_VERSION, TraceCounts, TraceRecord

    seen = trace.seen
    timing = seen.known.timing
    bad, disordered, duplicates = (_rows(found) for found in (seen.bad, seen.disordered, seen.duplicates))
    return TraceRecord(
        SCHEMA_VERSION,
        file,
        seen.bytes,
        seen.sha256,
        seen.rows,
        timing is not None and timing.clock,
        seen.first_us,
        seen.last_us,
        seen.kinds,
        seen.tenants,
        list(seen.service_s),
        TraceCounts(seen.counts.width_us, seen.counts.first, seen.counts.count.tolist()),
        bad,
        disordered,
        duplicates,
        {kind: list(service_s) for kind, service_s in seen.service_by_kind.items()},
    )


def _rows(found: "Found") -> "TraceRows":
    from soak.schemas.evidence.trace import TraceRows

    return TraceRows(found.count, list(found.first))


def survey_of(record: "TraceRecord") -> "Survey":
    """The survey that a record was made of, without where the rows are."""
    import numpy as np

    from soak.schemas.trace.counts import Counts
    from soak.schemas.trace.rows import Found
    from soak.schemas.trace.settings import Known, Timing
    from soak.schemas.trace.survey import Survey

    bad, disordered, duplicates = (
        Found(each.count, tuple(each.first)) for each in (record.bad, record.disordered, record.duplicates)
    )
    counts = Counts(record.counts.width_us, record.counts.first, np.array(record.counts.count, dtype=np.int64))
    return Survey(
        bytes=record.bytes,
        sha256=record.sha256,
        rows=record.rows,
        known=Known(Timing(record.clock, "", record.clock), tuple(record.kinds), tuple(record.tenants)),
        first_us=record.first_us,
        last_us=record.last_us,
        kinds=record.kinds,
        tenants=record.tenants,
        service_s=tuple(record.service_s),
        bad=bad,
        disordered=disordered,
        late=Found(),
        duplicates=duplicates,
        counts=counts,
        service_by_kind={kind: tuple(service_s) for kind, service_s in record.service_by_kind.items()},
    )


# The load.


def with_trace(workload: Workload, scenario: Data, folders: Folders, duration_s: float) -> Workload:
    """The workload with what its trace says: when work arrives, how long it takes and whose it is. Raises ValueError."""
    if "trace" not in scenario["workload"].get("arrivals", {}):
        return workload
    trace = trace_of(scenario, folders)
    shape = shape_of_trace(trace, duration_s)
    arrivals = math.fsum((each.end_s - each.start_s) * each.from_per_s for each in shape.pieces)
    kinds = _kinds(workload, trace)
    service = mixture(kinds) if kinds else workload.service
    service = service if trace.reading.service is None else service_of(trace)
    shares = trace.seen.tenants
    tenants = tuple(
        replace(each, share=shares.get(each.name, 0) / trace.seen.rows) if trace.reading.tenant else each
        for each in workload.tenants
    )
    whose = replace(workload, service=service, tenants=tenants, kinds=kinds)
    return replace(whose, rate_per_s=arrivals / duration_s, shape=shape, trace=trace)


def _kinds(workload: Workload, trace: Trace) -> tuple[TaskKind, ...]:
    """The kinds with the shares that they have in a trace, and with its service times where it has any."""
    shares, kinds = trace.seen.kinds, workload.kinds
    if trace.reading.kind:
        kinds = tuple(replace(each, share=shares.get(each.name, 0) / trace.seen.rows) for each in kinds)
    if trace.reading.service:
        kinds = tuple(replace(each, service=service_of(trace, each.name), own_service=False) for each in kinds)
    return kinds


def service_of(trace: Trace, kind: str = "") -> Distribution:
    """The service times of a trace, or of a kind in it, for forecasts: each arrival has its own."""
    service_s = trace.seen.service_by_kind.get(kind) or trace.seen.service_s
    return Empirical(trace.reading.name, service_s) if service_s else Constant(0.0)


def shape_of_trace(trace: Trace, duration_s: float) -> Shape:
    """The rate of a trace over the run: its rows counted in equal parts of the time in which they come."""
    turns = math.ceil(duration_s / trace.round_s) if trace.repeat else 1
    wanted = max(trace.rows / ROWS_PER_PIECE, min(FEW_PIECES, trace.rows / FEWEST_ROWS))
    most = max(1, min(MOST_PIECES_OF_A_TURN, MOST_PIECES // max(1, turns), int(wanted)))
    edges_us = [trace.begin_us + (trace.seen.last_us + 1 - trace.begin_us) * k / most for k in range(most + 1)]
    if turns > MOST_PIECES:
        mean = trace.rows * trace.scale / trace.round_s
        return Shape((Piece(0.0, duration_s, mean, mean),))
    pieces: list[Piece] = []
    for turn in range(turns):
        begin_s = turn * trace.round_s
        # What the end of the run cuts is counted up to there.
        cut_us = trace.origin_us + (duration_s - begin_s) * trace.speed * _US
        cuts_us = sorted({*edges_us, cut_us}) if edges_us[0] < cut_us < edges_us[-1] else edges_us
        after = [trace.rows, *(trace.seen.counts.after(round(edge)) for edge in cuts_us[1:-1]), 0.0]
        ends_s = [begin_s + (edge - trace.origin_us) / trace.speed / _US for edge in cuts_us]
        if pieces or ends_s[0] > 0:
            pieces.append(Piece(pieces[-1].end_s if pieces else 0.0, ends_s[0], 0.0, 0.0))
        for start_s, end_s, more, less in zip(ends_s, ends_s[1:], after, after[1:], strict=False):
            rate = (more - less) * trace.scale / (end_s - start_s)
            pieces.append(Piece(start_s, end_s, rate, rate))
    pieces.append(Piece(pieces[-1].end_s, math.inf, 0.0, 0.0))
    within = [replace(each, end_s=min(each.end_s, duration_s)) for each in pieces if each.start_s < duration_s]
    cycles = (trace.round_s,) if trace.repeat else ()
    again = trace.repeat and 2 * trace.round_s <= duration_s
    return Shape(
        tuple(each for each in within if each.end_s > each.start_s), (), cycles, trace.round_s if again else 0.0
    )
