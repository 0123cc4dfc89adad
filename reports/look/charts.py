"""What is drawn over time: charts as data."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from soak.reports.look.palette import Role
from soak.schemas.stream.block import Floats


class Form(StrEnum):
    """How values are shown: seconds, shares of 1, bytes, or plain numbers."""

    SECONDS = "s"
    RATIO = "%"
    BYTES = "B"
    NUMBER = ""


class Kind(StrEnum):
    """What a band of time is."""

    FAULT = "fault"
    BURST = "burst"
    PHASE = "phase"
    ALERT = "alert"
    GAP = "gap"


class Line(Struct, frozen=True):
    """A line: `values` one for each time of its chart, NaN where unknown. filled: to the axis. around: (low, high) of a band."""

    name: str
    role: Role
    values: Floats
    filled: bool = False
    around: tuple[Floats, Floats] | None = None


class Limit(Struct, frozen=True):
    """A level that must not be passed, with what is written on it."""

    words: str
    value: float
    role: Role = Role.BAD


class Band(Struct, frozen=True):
    """A stretch of time, in seconds: a fault, a burst, a phase, an alert. strength: from 0 to 1, of lanes."""

    start_s: float
    end_s: float
    name: str
    kind: Kind
    strength: float = 1.0


class Mark(Struct, frozen=True):
    """A moment, in seconds, with what is written on it."""

    at_s: float
    words: str
    role: Role = Role.BAD


class Lane(Struct, frozen=True):
    """A row of bands under its name, below the charts."""

    name: str
    role: Role
    bands: Sequence[Band]


class Chart(Struct, frozen=True):
    """Lines on one scale over time.

    name: an id within the page. word: what it shows, for those who do not see it. t_s: times in seconds, increasing, of the
    values of all lines. form, unit: how values are shown; `unit` such as "tasks/min" beside the axis. low, high: of the scale
    (None: as the values are). log: a logarithmic scale. stepped: a value holds for the time since the point before.
    group: charts of one group zoom and point together. small: one of many beside each other. note: below the chart.
    of: the column that it is about, if it is one.
    """

    name: str
    title: str
    t_s: Floats
    lines: Sequence[Line]
    form: Form = Form.NUMBER
    unit: str = ""
    limits: Sequence[Limit] = ()
    bands: Sequence[Band] = ()
    marks: Sequence[Mark] = ()
    lanes: Sequence[Lane] = ()
    low: float | None = None
    high: float | None = None
    log: bool = False
    stepped: bool = False
    group: str = "run"
    small: bool = False
    note: str = ""
    word: str = ""
    of: str = ""
    span_s: tuple[float, float] | None = None

    @property
    def span(self) -> tuple[float, float]:
        """From when to when it shows, in seconds."""
        if self.span_s:
            return self.span_s
        return (0.0, float(self.t_s[-1])) if len(self.t_s) else (0.0, 1.0)

    @property
    def described(self) -> str:
        """What it shows, in a sentence, for those who do not see it."""
        lines = ", ".join(line.name for line in self.lines)
        limits = "; ".join(f"limit {limit.words}" for limit in self.limits)
        return ": ".join(filter(None, [self.word or self.title, "; ".join(filter(None, [lines, limits]))]))
