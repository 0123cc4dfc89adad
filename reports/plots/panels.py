"""What is drawn of metrics.csv over time, for throughput.svg and the timeline of the page: panels of lines."""

from collections.abc import Sequence
from enum import Enum

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.reports.data import Metrics
from soak.reports.plots.canvas import BLUE, GREY, RED, mean_per_bucket, per_bucket
from soak.schemas.stream.block import Floats

_FULL = 1000


class Over(Enum):
    """How the minutes of a stretch of time are combined; the value is how the result is shown."""

    PER_MINUTE = "{:.3g}/min"
    PEAK = "{:.0f}"
    MEAN = "{:.3g}"

    def show(self, value: float) -> str:
        """A value for people: large ones in full."""
        full = "{:,.0f}" if abs(value) >= _FULL else "{:.3g}"
        return self.value.replace("{:.3g}", full).format(value)


class Line(Struct, frozen=True):
    """A line of a panel: the sum of some columns. filled: an area in throughput.svg. width: in points, None as usual."""

    name: str
    color: str
    columns: Sequence[str]
    over: Over = Over.PER_MINUTE
    filled: bool = False
    width: float | None = None
    optional: bool = False
    """Left out of a panel where the run has none of its columns."""

    def values(self, metrics: Metrics, step: int) -> Floats:
        """A value for every `step` minutes; NaN where it is unknown."""
        counts: Floats = np.sum([metrics.get(name) for name in self.columns], axis=0)
        match self.over:
            case Over.PER_MINUTE:
                return per_bucket(counts, step) / step
            case Over.PEAK:
                return per_bucket(counts, step, largest=True)
            case Over.MEAN:
                return mean_per_bucket(counts, step)


class Panel(Struct, frozen=True):
    """Lines on one scale. unit: beside the axis of throughput.svg. height: beside the 3 of the tasks per minute.

    unknown: what the title says if the run has no value of any line.
    """

    title: str
    unit: str
    lines: Sequence[Line]
    height: float = 1.3
    unknown: str = ""

    def shown(self, metrics: Metrics) -> "Panel":
        """The panel with those of its lines that this run has."""
        lines = [
            line for line in self.lines if not line.optional or any(name in metrics.columns for name in line.columns)
        ]
        return replace(self, lines=lines) if len(lines) < len(self.lines) else self

    def of(self, metrics: Metrics) -> bool:
        """Whether the run has any of its columns."""
        return any(name in metrics.columns for line in self.lines for name in line.columns)


_FLOW = (
    Line("enqueued", GREY, ("enqueued",), width=0.9),
    Line("DONE", BLUE, ("done",)),
    Line("FAILED or BLOCKED", RED, ("failed", "blocked")),
)
TASKS = Panel("Throughput", "tasks per minute", _FLOW, height=3)
TASKS_ON_PAGE = Panel("Tasks per minute", "tasks per minute", _FLOW)
"""The tasks of any system: the first panel of throughput.svg, and of the timeline."""
