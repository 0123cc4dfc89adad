"""What is drawn over time: charts as data, and their compact form for the script that draws them."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec
import numpy as np
from markupsafe import Markup

from soak.reports.look.palette import DASHES, Role
from soak.schemas.stream.block import Floats

MOST_VALUES = 200_000
"""Values of all lines of a page; with more, each point stands for a longer time."""


class Form(StrEnum):
    """How values are shown: seconds, shares of 1, bytes, or plain numbers."""

    SECONDS = "s"
    RATIO = "%"
    BYTES = "B"
    NUMBER = ""


class Fold(StrEnum):
    """How the values of neighbouring points become one where there are too many."""

    MEAN = "means"
    PEAK = "peaks"
    LAST = "last values"


class Kind(StrEnum):
    """What a band of time is."""

    FAULT = "fault"
    BURST = "burst"
    PHASE = "phase"
    ALERT = "alert"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Line:
    """A line: `values` one for each time of its chart, NaN where unknown. filled: to the axis. around: (low, high) of a band."""

    name: str
    role: Role
    values: Floats
    fold: Fold = Fold.MEAN
    filled: bool = False
    around: tuple[Floats, Floats] | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A level that must not be passed, with what is written on it."""

    words: str
    value: float
    role: Role = Role.BAD


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of time, in seconds: a fault, a burst, a phase, an alert. strength: from 0 to 1, of lanes."""

    start_s: float
    end_s: float
    name: str
    kind: Kind
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment, in seconds, with what is written on it."""

    at_s: float
    words: str
    role: Role = Role.BAD


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of bands under its name, below the charts."""

    name: str
    role: Role
    bands: Sequence[Band]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines on one scale over time.

    name: an id within the page. word: what it shows, for those who do not see it. t_s: times in seconds, increasing, of the
    values of all lines. form, unit: how values are shown; `unit` such as "tasks/min" beside the axis. low, high: of the scale
    (None: as the values are). log: a logarithmic scale. stepped: a value holds for the time since the point before.
    group: charts of one group zoom and point together. small: one of many beside each other. note: below the chart.
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


class _Numbers(msgspec.Struct, frozen=True, omit_defaults=True):
    """An array: little-endian bytes in base64, of type u1, u2 or f4."""

    d: str
    b: str


class _Even(msgspec.Struct, frozen=True, omit_defaults=True):
    """Times at even distances, but for the last where it says so."""

    start: float
    step: float
    n: int
    last: float | None = None


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    role: str
    values: _Numbers
    dash: list[int] = []
    filled: bool = False
    low: _Numbers | None = None
    high: _Numbers | None = None


class _Limit(msgspec.Struct, frozen=True):
    words: str
    value: float
    role: str


class _Chart(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    title: str
    word: str
    t: _Even | _Numbers
    lines: list[_Line]
    span: tuple[float, float]
    form: str = ""
    unit: str = ""
    limits: list[_Limit] = []
    bands: list[tuple[float, float, str, str]] = []
    marks: list[tuple[float, str, str]] = []
    lanes: list[tuple[str, str, list[tuple[float, float, str, float]]]] = []
    low: float | None = None
    high: float | None = None
    log: bool = False
    stepped: bool = False
    group: str = "run"
    small: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """Charts as JSON that is safe inside a script element. fold: points that each point of a chart stands for, by name."""

    json: Markup
    fold: dict[str, int] = field(default_factory=dict)


def encode(charts: Sequence[Chart], most: int = MOST_VALUES) -> Data:
    """The charts for the script. Where there are more than `most` values, neighbours are folded, the longest lines first."""
    factor, folds = 1, {}
    while sum(-(-len(chart.t_s) // factor) * _columns(chart) for chart in charts) > most and factor < 4096:
        factor *= 2
    encoded = []
    for chart in charts:
        folds[chart.name] = factor if len(chart.t_s) >= 2 * factor else 1
        encoded.append(_chart(chart, folds[chart.name]))
    text = msgspec.json.encode(encoded).decode()
    # Inside <script> only a closing tag, or an opening comment, could break out.
    return Data(Markup(text.replace("<", "\\u003c")), folds)


def _columns(chart: Chart) -> int:
    return sum(3 if line.around else 1 for line in chart.lines)


def _chart(chart: Chart, fold: int) -> _Chart:
    return _Chart(
        name=chart.name,
        title=chart.title,
        word=chart.described,
        t=_times(folded(chart.t_s, fold, Fold.LAST)),
        lines=[_line(line, place, fold) for place, line in enumerate(chart.lines)],
        span=chart.span,
        form=chart.form.value,
        unit=chart.unit,
        limits=[_Limit(limit.words, limit.value, limit.role.value) for limit in chart.limits],
        bands=[(band.start_s, band.end_s, band.name, band.kind.value) for band in chart.bands],
        marks=[(mark.at_s, mark.words, mark.role.value) for mark in chart.marks],
        lanes=[
            (lane.name, lane.role.value, [(b.start_s, b.end_s, b.name, round(b.strength, 2)) for b in lane.bands])
            for lane in chart.lanes
        ],
        low=chart.low,
        high=chart.high,
        log=chart.log,
        stepped=chart.stepped,
        group=chart.group,
        small=chart.small,
    )


def _line(line: Line, place: int, fold: int) -> _Line:
    low, high = line.around or (None, None)
    return _Line(
        name=line.name,
        role=line.role.value,
        values=numbers(folded(line.values, fold, line.fold)),
        dash=list(DASHES[place % len(DASHES)]),
        filled=line.filled,
        low=None if low is None else numbers(folded(low, fold, line.fold)),
        high=None if high is None else numbers(folded(high, fold, line.fold)),
    )


def folded(values: Floats, fold: int, how: Fold) -> Floats:
    """Each `fold` neighbours as one; NaN counts as unknown. The last one may be of fewer."""
    if fold == 1 or not len(values):
        return values
    count = -(-len(values) // fold)
    padded = np.full(count * fold, np.nan)
    padded[: len(values)] = values
    table = padded.reshape(count, fold)
    if how is Fold.LAST:
        last = np.minimum(np.arange(1, count + 1) * fold, len(values)) - 1
        latest: Floats = values[last]
        return latest
    known = ~np.isnan(table)
    if how is Fold.PEAK:
        peaks = np.where(known, table, -np.inf).max(axis=1)
        found: Floats = np.where(np.isinf(peaks), np.nan, peaks)
        return found
    amounts = known.sum(axis=1)
    means: Floats = np.where(amounts > 0, np.where(known, table, 0.0).sum(axis=1) / np.maximum(amounts, 1), np.nan)
    return means


def numbers(values: Floats) -> _Numbers:
    """The smallest exact form of whole numbers, otherwise 32-bit floats (seven digits)."""
    whole = len(values) and bool(np.all((values >= 0) & (values == np.floor(values)) & (values < 65536)))
    kind = ("u1" if values.max() < 256 else "u2") if whole else "f4"
    return _Numbers(kind, base64.b64encode(values.astype(f"<{kind}").tobytes()).decode())


def _times(t_s: Floats) -> _Even | _Numbers:
    if len(t_s) > 2:
        steps = np.diff(t_s)
        if np.all(steps[:-1] == steps[0]):
            last = None if steps[-1] == steps[0] else float(t_s[-1])
            return _Even(float(t_s[0]), float(steps[0]), len(t_s), last)
    return _Numbers("f8", base64.b64encode(t_s.astype("<f8").tobytes()).decode())
