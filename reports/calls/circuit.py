"""When a circuit breaker was open and half-open, from the event stream of a run."""

import re
from collections.abc import Mapping, Sequence

from soak.reports.data import RunData
from soak.schemas.errors import EvidenceError, reason
from soak.schemas.stream.storage import open_stream, stream_file

_CHANGE = re.compile(rb'^\{"t":([0-9.]+),"type":"circuit\.(opened|half_opened|closed)"')
_LANES = {"opened": "circuit open", "half_opened": "circuit half-open"}


def circuit_lanes(run: RunData) -> Mapping[str, Sequence[tuple[float, float]]]:
    """Spans in seconds by state; empty for a run whose circuit never opened. Raises EvidenceError."""
    path = stream_file(run.directory, run.scenario.name)
    if not run.verdict.slis.get("circuit_openings"):
        return {}
    try:
        with open_stream(path) as lines:
            changes = [change for line in lines if (change := _CHANGE.match(line))]
    except OSError as error:
        raise EvidenceError(f"{path}: {reason(error)} (the event stream is missing or cannot be read)") from None
    found: dict[str, list[tuple[float, float]]] = {}
    since_s, state = 0.0, "closed"
    for change in [*changes, None]:
        at_s = float(change[1]) if change else run.verdict.ended_s
        if state in _LANES:
            found.setdefault(_LANES[state], []).append((since_s, at_s))
        since_s, state = at_s, change[2].decode() if change else "closed"
    return found
