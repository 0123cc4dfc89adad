"""When a pipeline had recovered from each fault at a time.

Of a fault that ends a process: when that was back. Of one that stops it for a time: at its next green probe after the end of the
fault. Of the source, of records and of sinks: when a sink (the one that was struck, or the first) holds the next record. Of the
export: at the next that is made.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from soak.runner.judge.pipeline.processes import CameBack
from soak.schemas.language.faults import Fault
from soak.schemas.stream.block import Block, Bools
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary
from soak.schemas.systems.pipeline.faults import ENDS_A_PROCESS, OF_PROCESS, OF_SINK, PipelineFaultType
from soak.schemas.systems.pipeline.settings import Pipeline

_FOLLOWED = kind_flags(Kind.FAULT_INJECTED, Kind.FAULT_CLEARED)


@dataclass(slots=True)
class Struck:
    """A fault as it took place. part: the number of what it struck."""

    fault: Fault
    part: int
    injected_s: float
    ended_s: float | None = None
    recovered_s: float | None = None


class Recovery:
    """Follows what scheduled faults struck until it has recovered."""

    def __init__(self, pipeline: Pipeline, faults: tuple[Fault, ...], vocabulary: Vocabulary) -> None:
        self._pipeline, self._vocabulary = pipeline, vocabulary
        self._faults = {fault.name: fault for fault in faults if fault.by_time}
        self._open: list[Struck] = []
        self.fresh: list[Struck] = []
        """Those from which it recovered in the last block."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "Recovery":
        """Faults never change: they are shared."""
        twin = copy.copy(self)
        twin._open, twin.fresh = [copy.copy(each) for each in self._open], []
        return twin

    def observe(self, block: Block, back: list[CameBack]) -> None:
        """Take in a block. back: the processes that came back in it."""
        if self._faults:
            for place in np.flatnonzero(_FOLLOWED[block.kind] & (block.cause != NO_CAUSE)).tolist():
                self._take(block, place)
        for each in self._open:
            each.recovered_s = self._found(each, block, back)
        self.fresh = [each for each in self._open if each.recovered_s is not None]
        self._open = [each for each in self._open if each.recovered_s is None]

    def _take(self, block: Block, place: int) -> None:
        name, t_s = self._vocabulary.causes[int(block.cause[place])].fault, float(block.t[place])
        if name not in self._faults:
            return
        if block.kind[place] == Kind.FAULT_INJECTED:
            fault = self._faults[name]
            self._open.append(Struck(fault, self._part(fault), t_s))
            return
        for each in self._open:
            if each.fault.name == name and each.ended_s is None:
                each.ended_s = t_s

    def _part(self, fault: Fault) -> int:
        if fault.type in OF_PROCESS:
            return self._pipeline.process(fault.dependency)
        return self._pipeline.sink(fault.dependency) if fault.type in OF_SINK else len(self._pipeline.processes)

    def _found(self, each: Struck, block: Block, back: list[CameBack]) -> float | None:
        if each.fault.type in ENDS_A_PROCESS:
            return next((b.t_s for b in back if b.number == each.part and b.t_s > each.injected_s), None)
        if each.ended_s is None:
            return None
        t = block.t[self._shows(each, block) & (block.t > each.ended_s)]
        return float(t[0]) if len(t) else None

    @staticmethod
    def _shows(each: Struck, block: Block) -> Bools:
        """Which events show that what was struck works."""
        if each.fault.type == PipelineFaultType.EXPORT_OUTAGE:
            return np.equal(block.kind, Kind.EXPORT_MADE)
        kind = Kind.PROBE_GREEN if each.fault.type in OF_PROCESS else Kind.RECORDS_STORED
        shown: Bools = np.logical_and(block.kind == kind, block.worker == each.part)
        return shown

    def why_not(self, fault: str, start_s: float) -> str:
        """Why it had not recovered from the first time that a fault took place from then on; empty where it never did."""
        found = next((each for each in self._open if each.fault.name == fault and each.injected_s >= start_s), None)
        if found is None:
            return ""
        if found.fault.type in OF_PROCESS:
            return f"{self._pipeline.parts[found.part]} was not back"
        return "the fault had not ended" if found.ended_s is None else "nothing came through since"
