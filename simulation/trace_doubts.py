"""What in a trace is worth a warning: rows that are left out or put in order, and a run that is longer or shorter than it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soak.schemas.errors import Where
from soak.schemas.language.model import Scenario
from soak.schemas.units import show_duration
from soak.simulation.room import Doubt

if TYPE_CHECKING:
    from soak.schemas.trace.rows import Found

_TRACE: Where = ("workload", "arrivals", "trace")
_MANY_COPIES = 3.0
_ENDS_EARLY = 0.99
"""Warn if a trace ends before this share of the run."""


def trace_doubts(scenario: Scenario) -> Iterator[Doubt]:
    """The warnings about the trace of a scenario, if it has one."""
    trace = scenario.workload.trace
    if trace is None:
        return
    seen, name = trace.seen, trace.reading.name
    for found, what, remedy in (
        (seen.bad, "left out as unreadable", "correct them, or leave it at that"),
        (seen.disordered, "out of order, which are put in order", "sort the file"),
        (
            seen.duplicates,
            "that repeat another one, each of which arrives",
            "remove them if each is meant to arrive once",
        ),
    ):
        if found.count:
            rows = "row" if found.count == 1 else "rows"
            yield Doubt((*_TRACE, "file"), f"{name}: {found.count:,} {rows} {what}: {_lines(found)}", remedy)
    early = (trace.origin_us - seen.first_us) / 1e6
    if early > 0:
        what = f"{name} begins {show_duration(early)} before the start of the scenario: rows before it are left out"
        yield Doubt((*_TRACE, "file"), what, "write an earlier start, or remove it: the first row is then at 0s")
    if not trace.repeat and trace.length_s < _ENDS_EARLY * scenario.duration_s:
        ends, run = show_duration(trace.length_s), show_duration(scenario.duration_s)
        what = f"{name} ends at {ends}, and nothing arrives from then on until {run}"
        yield Doubt((*_TRACE, "file"), what, f"write duration: {ends}, or repeat: true")
    if trace.scale >= _MANY_COPIES:
        what = (
            f"each row arrives about {trace.scale:g} times, close to itself: counts vary {trace.scale:g} times as much"
        )
        yield Doubt((*_TRACE, "scale"), f"{what} as those of independent clients", "play it faster instead, with speed")


def _lines(found: "Found") -> str:
    shown = "; ".join(f"line {line} {what}" for line, what in found.first)
    return shown + ("; …" if found.count > len(found.first) else "")
