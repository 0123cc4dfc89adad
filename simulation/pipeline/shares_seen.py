"""Whether a fault that changes what records are like shows in the first sink."""

from dataclasses import dataclass

from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.systems.pipeline.faults import PipelineFaultType
from soak.schemas.systems.pipeline.settings import Pipeline
from soak.simulation.pipeline.flow import Flow

_LEAST = 10
"""Records of which a share says something."""


@dataclass(eq=False, slots=True)
class ShareSeen:
    """The records of a window that the first sink holds, and those of them that are of a kind."""

    window: Window
    strong: bool
    usual: float
    to: float
    total: int = 0
    such: int = 0

    def add(self, flow: Flow) -> None:
        """The first sink holds more records."""
        inside = (flow.sent_s >= self.window.start_s) & (flow.sent_s < self.window.end_s)
        self.total += int(inside.sum())
        self.such += int(((flow.strong if self.strong else flow.low_consistency) & inside).sum())

    def shows(self) -> bool:
        """Whether their share is nearer to what the fault makes of it than to the usual one."""
        if self.total < _LEAST:
            return False
        share = self.such / self.total
        return abs(share - self.to) < abs(share - self.usual)


class SharesSeen:
    """Follows the windows of such faults."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._followed: list[ShareSeen] = []

    def follow(self, fault: Fault, window: Window) -> ShareSeen:
        """A window begins."""
        strong = fault.type == PipelineFaultType.STRENGTH_DROP
        usual = self._pipeline.strong if strong else self._pipeline.low_consistency
        seen = ShareSeen(window, strong, usual, self._pipeline.faults[fault.name].share)
        self._followed.append(seen)
        return seen

    def forget(self, seen: ShareSeen) -> None:
        """A window is over."""
        self._followed.remove(seen)

    def add(self, flow: Flow) -> None:
        """The first sink holds more records."""
        for seen in self._followed:
            seen.add(flow)
