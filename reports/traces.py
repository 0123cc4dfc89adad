"""The trace that a scenario plays, for `soak plan`."""

from typing import Any

from soak.schemas.language.trace import Trace
from soak.schemas.units import show_duration


def trace_lines(trace: Trace | None) -> list[str]:
    """A line that says what is played, and how; none without a trace."""
    if trace is None:
        return []
    seen, how = trace.seen, []
    if trace.speed != 1:
        how.append(f"{trace.speed:g} times as fast")
    if trace.scale != 1:
        how.append(f"{trace.scale:g} times as many")
    if trace.repeat:
        how.append(f"again every {show_duration(trace.round_s)}")
    length = show_duration((seen.last_us - seen.first_us) / 1e6)
    return [f"  {', '.join([f'trace {trace.reading.name}: {seen.rows:,} rows over {length}', *how])}"]


def trace_values(trace: Trace | None) -> dict[str, Any]:
    """The same as data, under one key; empty without a trace."""
    if trace is None:
        return {}
    seen = trace.seen
    values = {"file": trace.reading.name, "rows": seen.rows, "bytes": seen.bytes, "sha256": seen.sha256}
    values |= {"begins_s": (trace.begin_us - trace.origin_us) / trace.speed / 1e6, "ends_s": trace.length_s}
    return {"trace": {**values, "speed": trace.speed, "scale": trace.scale, "repeat": trace.repeat}}
