"""What the records of a pipeline are like, as a pure function of number and time: the same for a model and a real source."""

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Bools, Floats, Ints
from soak.schemas.stream.events import KEY_SHIFT
from soak.schemas.systems.pipeline.faults import PipelineFaultType
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.simulation.plan import Plan, inside_windows
from soak.simulation.streams import BLOCK, Stream


class Records(Struct, frozen=True):
    """What records are like. strength, consistency: uniform from 0 to 1; a record is strong, or of low consistency, where it is
    below the share that is to be so. confirmed: strong and not of low consistency.
    """

    strength: Floats
    consistency: Floats
    strong: Bools
    low_consistency: Bools

    @property
    def confirmed(self) -> Bools:
        """Which are confirmed."""
        return self.strong & ~self.low_consistency


class Content:
    """Draws what records are like, by number; faults change the shares in their windows."""

    def __init__(self, plan: Plan) -> None:
        self._pipeline = pipeline_of(plan.scenario)
        self._strength, self._consistency = _Uniform(plan.seed, "strength"), _Uniform(plan.seed, "consistency")
        self._faults = [fault for fault in plan.scenario.faults if fault.type in _CHANGES]

    def of(self, number: Ints, sent_s: Floats) -> Records:
        """The records of these task numbers, due at these times in seconds."""
        arrival = number >> KEY_SHIFT
        strength, consistency = self._strength.of(arrival), self._consistency.of(arrival)
        strong, low = (
            self._share(type_, usual, sent_s)
            for type_, usual in (
                (PipelineFaultType.STRENGTH_DROP, self._pipeline.strong),
                (PipelineFaultType.CONSISTENCY_DROP, self._pipeline.low_consistency),
            )
        )
        return Records(strength, consistency, strength < strong, consistency < low)

    def _share(self, type_: PipelineFaultType, usual: float, sent_s: Floats) -> Floats:
        """The share at each time; where faults overlap, the first in the file decides."""
        share = np.full(len(sent_s), usual)
        for fault in reversed(self._faults):
            if fault.type == type_:
                share[inside_windows(sent_s, fault.windows)] = self._pipeline.faults[fault.name].share
        return share


_CHANGES = (PipelineFaultType.STRENGTH_DROP, PipelineFaultType.CONSISTENCY_DROP)


class _Uniform:
    """Numbers from 0 to 1 by arrival, in any order; drawn a block at a time, of which the last is kept."""

    def __init__(self, seed: int, name: str) -> None:
        self._stream = Stream(seed, name)
        self._kept: tuple[int, Floats] = -1, np.empty(0)

    def of(self, arrival: Ints) -> Floats:
        """Those of these arrivals."""
        values, blocks = np.empty(len(arrival)), arrival // BLOCK
        for block in np.unique(blocks).tolist():
            if self._kept[0] != block:
                self._kept = block, self._stream.at(block).random(BLOCK)
            inside = blocks == block
            values[inside] = self._kept[1][arrival[inside] % BLOCK]
        return values
