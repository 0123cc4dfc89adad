"""What can go wrong with processes, the source and sinks of a pipeline."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from soak.schemas import units
from soak.schemas.language.faults import AT_ONCE_S, FaultSpec, Timed, fault_table
from soak.schemas.language.windows import Recurrence
from soak.schemas.stream.events import Kind


class PipelineFaultType(StrEnum):
    """What goes wrong."""

    PROCESS_KILL = "process_kill"
    PROCESS_HANG = "process_hang"
    TERM_DURING_BATCH = "term_during_batch"
    SOURCE_SILENCE = "source_silence"
    SOURCE_DISCONNECT = "source_disconnect"
    SOURCE_BURST = "source_burst"
    CONSISTENCY_DROP = "consistency_drop"
    STRENGTH_DROP = "strength_drop"
    SINK_LOCK = "sink_lock"
    SINK_FULL = "sink_full"
    PORT_TAKEN = "port_taken"
    EXPORT_OUTAGE = "export_outage"
    CLOCK_JUMP = "clock_jump"


_TYPE = PipelineFaultType
OF_PROCESS = frozenset(
    {_TYPE.PROCESS_KILL, _TYPE.PROCESS_HANG, _TYPE.TERM_DURING_BATCH, _TYPE.PORT_TAKEN, _TYPE.CLOCK_JUMP}
)
"""Faults that strike a process."""
OF_SINK = frozenset({_TYPE.SINK_LOCK, _TYPE.SINK_FULL})
"""Faults that strike a sink."""
OF_LOAD = frozenset({_TYPE.SOURCE_SILENCE, _TYPE.SOURCE_BURST})
"""Faults that change how many records come: the plan knows of them."""
ENDS_A_PROCESS = frozenset({_TYPE.PROCESS_KILL, _TYPE.TERM_DURING_BATCH, _TYPE.PORT_TAKEN})
"""Faults by which a process ends."""
AT_ONCE = frozenset({_TYPE.PROCESS_KILL, _TYPE.TERM_DURING_BATCH, _TYPE.SOURCE_DISCONNECT, _TYPE.CLOCK_JUMP})
"""Faults that need not last."""

_EXITED, _SEEN = (Kind.PROCESS_EXITED,), (Kind.FAULT_SEEN,)

FAULTS = fault_table(
    (
        *(FaultSpec(each, _EXITED) for each in PipelineFaultType if each in ENDS_A_PROCESS),
        *(FaultSpec(each, _SEEN) for each in PipelineFaultType if each not in ENDS_A_PROCESS),
    )
)
"""By type. Of a fault that ends no process, model and target note `fault.seen` when its effect shows outside the fault itself."""


def timed(data: Mapping[str, Any]) -> Timed | None:
    """When a fault takes place that need not last; None for others."""
    if data["type"] not in AT_ONCE:
        return None
    every_s = units.duration(data["every"]) if "every" in data else 0.0
    at_s = units.duration(data["at"]) if "at" in data else every_s
    lasts_s = units.duration(data["for"]) if "for" in data else 0.0
    return Timed(FAULTS[data["type"]], Recurrence(at_s, max(lasts_s, AT_ONCE_S), every_s), lambda _: 1)


def load_faults(faults: Any) -> list[dict[str, Any]]:
    """The faults that change how many records come, as bursts of `workload.arrivals`."""
    bursts: list[dict[str, Any]] = []
    for fault in faults:
        when = {key: fault[key] for key in ("name", "at", "every", "for") if key in fault}
        if "every" in when and "at" not in when:
            when["at"] = when["every"]
        if fault["type"] == _TYPE.SOURCE_SILENCE:
            bursts.append({**when, "rate": "0/s"})
        elif fault["type"] == _TYPE.SOURCE_BURST:
            bursts.append({**when, "factor": fault["times"]})
    return bursts
