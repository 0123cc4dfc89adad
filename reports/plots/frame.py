"""What is around the data of axes: title, legend, grid, ticks and their names, laid out by counting and drawn by one artist.

matplotlib's own ticks, texts and legends are objects that are measured, placed and drawn one by one, which takes longer than
the data; and how much space they need is known only after they were drawn.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FixedLocator
from matplotlib.transforms import IdentityTransform
from msgspec import Struct

from soak.reports.look.palette import Role, light

TEXT_PT, TITLE_PT, SMALL_PT = 10.0, 11.5, 9.0
_BOLD_PT = 1.12 * TITLE_PT
"""Titles are bold: as wide as letters of this size."""
_ROW, _GAP, _HANDLE = 15.0, 5.0, 18.0
"""Height of a line of text, space around text, and width of a stroke of the legend, in points."""
_WIDEST = 0.42
"""Names of ticks and axes get at most this share of the width; what is longer ends in an ellipsis."""
_NARROW, _WIDE = frozenset("fijltrIJ.,:;|!'()[]/- "), frozenset("mwMWGOQ@%<>=+…")
_FAMILY = ["DejaVu Sans", "sans-serif"]


def width_of(text: str, size_pt: float = TEXT_PT) -> float:
    """The width of a text in points, rather too much than too little; sizes of letters are those of DejaVu Sans."""
    return size_pt * sum(0.38 if each in _NARROW else 0.88 if each in _WIDE else 0.64 for each in text)


def fitted(text: str, width: float, size_pt: float = TEXT_PT) -> str:
    """The text, cut off where it is wider than that many points."""
    if width_of(text, size_pt) <= width:
        return text
    while text and width_of(f"{text}…", size_pt) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


class _Entry(Struct, frozen=True):
    """An entry of a legend: what it is drawn with, and its name."""

    handle: Any
    name: str

    @property
    def width(self) -> float:
        return _HANDLE + _GAP + width_of(self.name, SMALL_PT) + 2 * _GAP


class _Head(Struct, frozen=True):
    """The title, and the rows of the legend: one beside the title where both fit, otherwise all below it."""

    title: str
    rows: Sequence[Sequence[_Entry]]
    beside: bool

    @property
    def height(self) -> float:
        lines = len(self.rows) + (1 if self.title and not self.beside else 0)
        return _GAP + _ROW * max(lines, 1 if self.title else 0)


def _head(axes: Axes, width: float) -> _Head:
    title = fitted(axes.get_title(loc="left"), width, _BOLD_PT)
    handles, names = axes.get_legend_handles_labels()
    entries = [
        _Entry(handle, fitted(name, width - _HANDLE - 3 * _GAP, SMALL_PT))
        for handle, name in zip(handles, names, strict=True)
    ]
    if not entries:
        return _Head(title, (), beside=True)
    if sum(each.width for each in entries) + width_of(title, _BOLD_PT) + 2 * _GAP <= width:
        return _Head(title, (entries,), beside=True)
    rows: list[list[_Entry]] = [[]]
    for entry in entries:
        if rows[-1] and sum(each.width for each in rows[-1]) + entry.width > width:
            rows.append([])
        rows[-1].append(entry)
    return _Head(title, rows, beside=False)


class _Ticks(Struct, frozen=True):
    """The ticks of an axis inside its range, and their names."""

    values: Sequence[float]
    names: Sequence[str]

    @property
    def width(self) -> float:
        return max(map(width_of, self.names), default=0.0)


def _ticks(axis: Axis, most: float) -> _Ticks:
    low, high = sorted(axis.get_view_interval())
    air = 1e-9 * (high - low)
    places = [float(each) for each in axis.get_majorticklocs()]
    formatter = axis.get_major_formatter()
    inside = [low - air <= each <= high + air for each in places]
    values = [each for each, shown in zip(places, inside, strict=True) if shown]
    if isinstance(formatter, FixedFormatter):
        names = [name for name, shown in zip(formatter.seq, inside, strict=True) if shown]
    else:
        names = formatter.format_ticks(values)
    return _Ticks(values, [fitted(name, most) for name in names])


def named(axis: Axis, places: Sequence[float], names: Sequence[str]) -> None:
    """Names at places of an axis, instead of values: they have no grid."""
    axis.set_major_locator(FixedLocator(list(places)))
    axis.set_major_formatter(FixedFormatter(list(names)))


def _named(axis: Axis) -> bool:
    return isinstance(axis.get_major_formatter(), FixedFormatter)


class _Frame(Artist):
    """Draws what is around the data of axes."""

    def __init__(self, axes: Axes, head: _Head, across: _Ticks | None, up: _Ticks) -> None:
        super().__init__()
        self._of, self._head, self._across, self._up = axes, head, across, up
        self._bare = not axes.axison
        self._names = (axes.get_xlabel() if across else "", axes.get_ylabel())
        axes.set_title("")
        self.set_zorder(0.5)
        axes.set_axis_off()

    def draw(self, renderer: Any) -> None:
        """Grid and texts, in points from the lower left corner of the figure."""
        box = self._of.get_window_extent()
        if not self._bare:
            self._grid(renderer, box.x0, box.x1, box.y0, box.y1)
            self._labels(renderer, box.x0, box.x1, box.y0, box.y1)
        _Pen(renderer, TITLE_PT, Role.INK, bold=True).write(box.x0, box.y1 + _GAP + self._title_y(), self._head.title)
        self._legend(renderer, box.x0, box.x1, box.y1)

    def _title_y(self) -> float:
        return 0.0 if self._head.beside else _ROW * len(self._head.rows)

    def _places(self) -> tuple[list[float], list[float]]:
        """Where ticks are, across and up, in points."""
        x0, y0 = self._of.get_xlim()[0], self._of.get_ylim()[0]
        transform = self._of.transData.transform
        return (
            [float(transform((value, y0))[0]) for value in (self._across.values if self._across else ())],
            [float(transform((x0, value))[1]) for value in self._up.values],
        )

    def _grid(self, renderer: Any, left: float, right: float, low: float, high: float) -> None:
        across, up = self._places()
        if not self._across:
            low_y = self._of.get_ylim()[0]
            across = [float(self._of.transData.transform((v, low_y))[0]) for v in self._of.xaxis.get_majorticklocs()]
        lines = [((left, y), (right, y)) for y in up if not _named(self._of.yaxis)]
        lines += [
            ((x, low), (x, high)) for x in across if left - 0.5 <= x <= right + 0.5 and not _named(self._of.xaxis)
        ]
        _strokes(renderer, lines, Role.LINE)
        _strokes(renderer, [((left, low), (right, low)), ((left, low), (left, high))], Role.SOFT)

    def _labels(self, renderer: Any, left: float, right: float, low: float, high: float) -> None:
        across, up = self._places()
        pen = _Pen(renderer, TEXT_PT, Role.INK)
        for y, name in zip(up, self._up.names, strict=True):
            pen.write(left - _GAP, y - 3.5, name, "right")
        last = -np.inf
        for x, name in zip(across, self._across.names if self._across else (), strict=True):
            half = width_of(name) / 2
            if x - half > last + _GAP:
                pen.write(x, low - _ROW + 2, name, "center")
                last = x + half
        pen = _Pen(renderer, TEXT_PT, Role.SOFT)
        if self._names[0]:
            pen.write((left + right) / 2, low - 2 * _ROW + 2, self._names[0], "center")
        if self._names[1]:
            name = fitted(self._names[1], high - low + 2 * _ROW)
            pen.write(left - 2 * _GAP - self._up.width - 2, (low + high) / 2, name, "center", angle=90)

    def _legend(self, renderer: Any, left: float, right: float, top: float) -> None:
        pen = _Pen(renderer, SMALL_PT, Role.INK)
        for number, row in enumerate(self._head.rows):
            y = top + _GAP + _ROW * (len(self._head.rows) - 1 - number)
            x = right - sum(entry.width for entry in row) + 2 * _GAP if self._head.beside else left
            for entry in row:
                _sample(renderer, entry.handle, x, y + 3.2, self._of.figure)
                pen.write(x + _HANDLE + _GAP, y, entry.name)
                x += entry.width


class _Pen(Struct, frozen=True):
    """Writes in one size and colour."""

    renderer: Any
    size_pt: float
    role: Role
    bold: bool = False

    def write(self, x: float, y: float, text: str, anchor: str = "left", *, angle: float = 0.0) -> None:
        """A text from, before or around a point on its base line."""
        if not text:
            return
        gc = self.renderer.new_gc()
        gc.set_foreground(light(self.role))
        font = FontProperties(family=_FAMILY, size=self.size_pt, weight="bold" if self.bold else "normal")
        # Tells the renderer about the anchor; nothing of it is drawn.
        anchored = Text(x, y, ha=anchor, rotation=angle, rotation_mode="anchor")
        self.renderer.draw_text(gc, x, self.renderer.height - y, text, font, angle, mtext=anchored)
        gc.restore()


def _strokes(renderer: Any, lines: Sequence[tuple[tuple[float, float], tuple[float, float]]], role: Role) -> None:
    """Straight lines as one path."""
    if not lines:
        return
    gc = renderer.new_gc()
    gc.set_linewidth(0.8)
    gc.set_foreground(light(role))
    codes = np.array([Path.MOVETO, Path.LINETO] * len(lines), dtype=Path.code_type)
    renderer.draw_path(gc, Path(np.array(lines, dtype=float).reshape(-1, 2), codes), IdentityTransform())
    gc.restore()


def _sample(renderer: Any, handle: Any, x: float, y: float, figure: Any) -> None:
    """What a handle looks like, in the legend."""
    first = handle[0] if isinstance(handle, tuple) else handle
    sample: Line2D | Rectangle
    if isinstance(first, Line2D):
        alone = first.get_linestyle() in {"None", "none", " ", ""}
        sample = Line2D([x + _HANDLE / 2] if alone else [x, x + _HANDLE], [y] if alone else [y, y])
        sample.update_from(first)
        sample.set_clip_on(False)
    elif isinstance(first, LineCollection):
        sample = Line2D([x, x + _HANDLE], [y, y], linewidth=float(np.atleast_1d(first.get_linewidth())[0]))
        sample.set_color(to_hex(np.atleast_2d(first.get_edgecolor())[0]))
        sample.set_clip_on(False)
    elif isinstance(first, PathCollection):
        (marker, *_), size = first.get_paths(), float(np.sqrt(first.get_sizes()[0]))
        sample = Line2D([x + _HANDLE / 2], [y], marker=marker, markersize=size, markeredgewidth=0)
        sample.set_color(to_hex(np.atleast_2d(first.get_facecolor())[0]))
        sample.set_clip_on(False)
    else:
        color = first.get_facecolor()
        sample = Rectangle((x + 3, y - 4), _HANDLE - 6, 8)
        sample.set_linewidth(0)
        sample.set_facecolor(color if isinstance(first, Patch) else color[0])
    sample.set_transform(IdentityTransform())
    sample.set_figure(figure)
    sample.draw(renderer)


def frame(fig: Figure, ratios: Sequence[float], *, shared: bool, right: float) -> None:
    """Place the axes, with space for the text around them, and draw that text; `right`: space right of them, in points.

    The figure grows by what the rows of legends need beyond the first.
    """
    width, height = (72.0 * float(inches) for inches in fig.get_size_inches())
    ups = [_ticks(axes.yaxis, _WIDEST * width) if axes.axison else _Ticks((), ()) for axes in fig.axes]
    last = len(fig.axes) - 1
    acrosses = [
        _ticks(axes.xaxis, width) if axes.axison and (place == last or not shared) else None
        for place, axes in enumerate(fig.axes)
    ]
    left = max(_left(axes, ticks) for axes, ticks in zip(fig.axes, ups, strict=True))
    right = max([right, *(width_of(each.names[-1]) / 2 + 2 for each in acrosses if each and each.names)])
    heads = [_head(axes, width - left - right) for axes in fig.axes]
    feet = list(_feet(fig.axes, acrosses))
    height += sum(max(head.height - _GAP - _ROW, 0.0) for head in heads)
    fig.set_size_inches(width / 72, height / 72)
    free = max(height - sum(head.height for head in heads) - sum(feet), 7.0)
    top = height
    for place, axes in enumerate(fig.axes):
        bottom = top - heads[place].height - free * ratios[place] / sum(ratios)
        axes_height = top - heads[place].height - bottom
        axes.set_position((left / width, bottom / height, 1 - (left + right) / width, axes_height / height))
        top = bottom - feet[place]
        axes.add_artist(_Frame(axes, heads[place], acrosses[place], ups[place]))


def _left(axes: Axes, ticks: _Ticks) -> float:
    return 2 * _GAP + ticks.width + (_ROW if axes.get_ylabel() else 0.0) if axes.axison else _GAP


def _feet(all_axes: Sequence[Axes], acrosses: Sequence[_Ticks | None]) -> Iterator[float]:
    for axes, across in zip(all_axes, acrosses, strict=True):
        if not axes.axison or across is None:
            yield 2 * _GAP
        else:
            yield _GAP + (_ROW if across.names else 0.0) + (_ROW if axes.get_xlabel() else 0.0)
