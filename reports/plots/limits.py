"""How likely PASS is along a parameter, and over the plane of two."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from soak.reports.look.charts import Form
from soak.reports.plots.canvas import BLUE, GREEN, GREY, ORANGE, RED, figure, nothing, to_svg
from soak.reports.plots.frame import named
from soak.reports.plots.scale import scale
from soak.schemas import units
from soak.schemas.evidence.limits import Basis, Grid, Limits, NumberKind, Point, Search, VariedParameter

_SHOW = {
    NumberKind.RATIO: units.show_ratio,
    NumberKind.DURATION: units.show_duration,
    NumberKind.WHOLE: units.show_count,
    NumberKind.FACTOR: units.show_count,
}
_COLORS = LinearSegmentedColormap.from_list("pass", ["#e07a6f", "#f3c9a5", "#f6efc8", "#bfe0b4", "#6fbf87"])
_MOST_WORDS = 12
"""Cells along an axis in which there is room for words."""
_MARGIN = 0.02


def plot_search(limits: Limits, search: Search) -> bytes:
    """P(PASS) with its interval at every value that was tried, the limits, and the scenario's own value."""
    parameter = limits.parameters[search.parameter]
    if not search.points:
        return to_svg(nothing("No value was tried"))
    fig, (axes,) = figure(1, 3.2)
    axes.axhspan(*limits.zone, color=GREY, alpha=0.15, lw=0, label="indifference zone")
    axes.axhline(limits.probability, color=GREY, lw=0.8)
    for passing, color, words in ((True, GREEN, "good enough"), (False, RED, "not good enough")):
        points = [point for point in search.points if point.passing is passing]
        _points(axes, points, search.parameter, color, words)
    for number, limit in enumerate(search.limits):
        text = limit.at.texts[search.parameter]
        label = f"limit: {text}" if not number else f"and {text}"
        axes.axvline(limit.at.values[search.parameter], color=ORANGE, lw=1.2, ls="--", label=label)
    if parameter.low <= parameter.own <= parameter.high:
        axes.axvline(parameter.own, color=BLUE, lw=1.2, ls=":", label=f"the scenario: {parameter.own_text}")
    axes.set_ylim(-_MARGIN, 1 + _MARGIN)
    scale(axes.yaxis, Form.RATIO)
    _value_axis(axes.xaxis, parameter)
    room = _MARGIN * (parameter.high - parameter.low)
    axes.set_xlim(parameter.low - room, parameter.high + room)
    axes.set_xlabel(parameter.path)
    axes.set_title("P(PASS)")
    return to_svg(fig)


def _points(axes: Axes, points: Sequence[Point], number: int, color: str, words: str) -> None:
    """Filled where the value is decided, hollow where it was only screened."""
    if not points:
        return
    x, y = [point.values[number] for point in points], [point.share for point in points]
    spread = np.array([[point.share - point.interval[0], point.interval[1] - point.share] for point in points]).T
    axes.errorbar(x, y, np.maximum(spread, 0), fmt="none", ecolor=color, elinewidth=1, capsize=2)
    faces = ["white" if point.basis is Basis.GLANCE else color for point in points]
    axes.scatter(x, y, s=26, c=faces, edgecolors=color, zorder=3)
    axes.scatter([], [], s=26, c=color, label=words)


def _value_axis(axis: Axis, parameter: VariedParameter) -> None:
    """Round numbers of the unit in which the parameter is written."""
    unit = parameter.own_text.rpartition("/")[2]
    scale = units.PER[unit] if parameter.kind is NumberKind.RATE else 1.0
    whole = parameter.kind is NumberKind.WHOLE
    locator = MaxNLocator(nbins=7, steps=[1, 2, 5, 10], integer=whole)
    ticks = np.asarray(locator.tick_values(parameter.low * scale, parameter.high * scale))
    axis.set_major_locator(FixedLocator((ticks / scale).tolist()))
    if parameter.kind is NumberKind.RATE:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * scale:.6g}/{unit}"))
    else:
        axis.set_major_formatter(FuncFormatter(lambda value, _: _SHOW[parameter.kind](value)))


def plot_plane(limits: Limits, grid: Grid) -> bytes:
    """P(PASS) of each cell with its replications, the border of what is good enough, and the scenario's own point."""
    across, up = limits.parameters
    fig, (axes,) = figure(1, 0.9 + 0.5 * max(len(grid.rows), 6))
    shares = np.array([[np.nan if cell is None else cell.share for cell in row] for row in grid.cells])
    x, y = np.arange(len(grid.columns)), np.arange(len(grid.rows))
    axes.pcolormesh(x, y, shares, cmap=_COLORS, vmin=0, vmax=1, edgecolors="white", linewidth=0.5)
    _words(axes, grid)
    border = LineCollection(list(_border(grid)), colors="#1f2933", linewidths=2.2, capstyle="round")
    border.set_label("border of what is good enough")
    axes.add_collection(border)
    _own_mark(axes, _place(across.own, grid.columns), _place(up.own, grid.rows))
    for axis, texts, ticks in ((axes.xaxis, grid.column_texts, x), (axes.yaxis, grid.row_texts, y)):
        named(axis, ticks.tolist(), texts)
    axes.set_xlabel(across.path)
    axes.set_ylabel(up.path)
    axes.set_title("P(PASS) and number of replications")
    return to_svg(fig)


def _own_mark(axes: Axes, x: float | None, y: float | None) -> None:
    """A star at the scenario's own point: beside the words of its cell, or where it is between cells."""
    if x is not None and y is not None:
        beside = x - 0.32 if x == round(x) and y == round(y) else x
        axes.scatter([beside], [y], s=70, marker="*", color=BLUE, zorder=4, label="the scenario")


def _words(axes: Axes, grid: Grid) -> None:
    if max(len(grid.rows), len(grid.columns)) > _MOST_WORDS:
        return
    for y, row in enumerate(grid.cells):
        for x, cell in enumerate(row):
            if cell:
                axes.text(x, y + 0.02, f"{100 * cell.share:.0f}%", ha="center", va="bottom", fontsize=8)
                axes.text(x, y - 0.06, f"{cell.replications}", ha="center", va="top", fontsize=6.5, color="#4b5563")


def _border(grid: Grid) -> list[list[tuple[float, float]]]:
    """The sides between a cell that is good enough and a neighbour that is not."""
    lines = []
    for y, row in enumerate(grid.cells):
        for x, cell in enumerate(row):
            right = row[x + 1] if x + 1 < len(row) else None
            above = grid.cells[y + 1][x] if y + 1 < len(grid.cells) else None
            if cell and right and cell.passing != right.passing:
                lines.append([(x + 0.5, y - 0.5), (x + 0.5, y + 0.5)])
            if cell and above and cell.passing != above.passing:
                lines.append([(x - 0.5, y + 0.5), (x + 0.5, y + 0.5)])
    return lines


def _place(value: float, values: Sequence[float]) -> float | None:
    """Where a value stands among those of the cells, between two of them in proportion; None outside."""
    if not values[0] <= value <= values[-1]:
        return None
    return float(np.interp(value, values, np.arange(len(values))))
