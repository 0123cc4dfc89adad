"""The compact form of charts for the script that draws them: JSON with numbers in base64."""

import base64
from collections.abc import Sequence

import msgspec
import numpy as np
from markupsafe import Markup
from msgspec import Struct, field

from soak.reports.look.charts import Chart, Line
from soak.reports.look.palette import DASHES
from soak.reports.look.thin import ends_of, folded
from soak.reports.look.ticks import scale_of
from soak.schemas.stream.block import Floats

MOST_VALUES = 200_000
"""Values of all lines of a page; with more, the lowest and the highest of each stretch of time are kept."""


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
    scale: tuple[float, float]
    form: str = ""
    unit: str = ""
    limits: list[_Limit] = []
    bands: list[tuple[float, float, str, str]] = []
    marks: list[tuple[float, str, str]] = []
    lanes: list[tuple[str, str, list[tuple[float, float, str, float]]]] = []
    log: bool = False
    stepped: bool = False
    group: str = "run"
    small: bool = False


class Data(Struct, frozen=True):
    """Charts as JSON that is safe inside a script element. fold: points that each point of a chart stands for, by name."""

    json: Markup
    fold: dict[str, int] = field(default_factory=dict)


def encode(charts: Sequence[Chart], most: int = MOST_VALUES) -> Data:
    """The charts for the script. With more than `most` values, see `folded`: the longest lines first."""
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
        t=_times(ends_of(chart.t_s, fold)),
        lines=[_line(line, place, fold) for place, line in enumerate(chart.lines)],
        span=chart.span,
        scale=scale_of(chart),
        form=chart.form.value,
        unit=chart.unit,
        limits=[_Limit(limit.words, limit.value, limit.role.value) for limit in chart.limits],
        bands=[(band.start_s, band.end_s, band.name, band.kind.value) for band in chart.bands],
        marks=[(mark.at_s, mark.words, mark.role.value) for mark in chart.marks],
        lanes=[
            (lane.name, lane.role.value, [(b.start_s, b.end_s, b.name, round(b.strength, 2)) for b in lane.bands])
            for lane in chart.lanes
        ],
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
        values=numbers(folded(line.values, fold)),
        dash=list(DASHES[place % len(DASHES)]),
        filled=line.filled,
        low=None if low is None else numbers(folded(low, fold)),
        high=None if high is None else numbers(folded(high, fold)),
    )


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
