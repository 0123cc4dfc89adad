"""Shared by all plots: size, colours, time axis, bands for bursts and faults, and reproducible SVG."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from soak.reports.data import MINUTE_S, RunData
from soak.reports.look.palette import SERIES, Role, light
from soak.schemas.evidence.changepoints import ChangeKind
from soak.schemas.language.rhythms import burst_windows
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Floats

_ROLES = {light(role): role for role in (*SERIES, Role.BAD)}
BLUE, ORANGE, GREEN, RED = light(Role.BLUE), light(Role.ORANGE), light(Role.GREEN), light(Role.BAD)
GREY, PURPLE = light(Role.GREY), light(Role.PURPLE)
PALETTE = tuple(light(role) for role in SERIES)
BURST = light(Role.BURST)
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "soak",
    # Text as text: it is searchable and accessible, and makes smaller files faster than outlines.
    "svg.fonttype": "none",
    # Titles never need to move out of the way: skip the measuring.
    "axes.titley": 1.0,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": light(Role.LINE),
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.3,
}
"""The input of a plot."""
_WIDTH_IN = 9.0
_RIGHT_IN, _GAP_IN, _LINE_IN, _CHARACTER_IN = 0.12, 0.09, 0.17, 0.07
"""Space in inches: right of axes, around text, per line of text, per character."""

_STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440)
_MOST_POINTS = 300
_CHARACTERS, _TITLE_SCALE, _HANDLE = 118, 1.4, 6
"""Legend characters that fit above the axes, relative width of a title character, and width of a handle."""
_MOST_TICKS = 8
"""A tick takes as long to draw as a hundred points of a line."""

_TICKS_H = (0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 96, 168)


def role_of(colour: str) -> Role:
    """What a colour of plots is called on pages; blue for one that is not of the palette."""
    return _ROLES.get(colour, Role.BLUE)


def figure(
    rows: int, height_in: float, ratios: Sequence[float] | None = None, *, shared: bool = True
) -> tuple[Figure, list[Axes]]:
    """A figure with `rows` axes under each other that share the time axis, unless each has its own."""
    fig = Figure(figsize=(_WIDTH_IN, height_in))
    FigureCanvasSVG(fig)
    axes = fig.subplots(rows, 1, sharex=shared and rows > 1, squeeze=False, height_ratios=ratios)
    for row in axes:
        row[0].yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    return fig, [row[0] for row in axes]


def nothing(title: str) -> Figure:
    """A placeholder figure for missing data."""
    fig, (axes,) = figure(1, 0.5)
    axes.set_axis_off()
    axes.set_title(title)
    return fig


def to_svg(fig: Figure, *, right_in: float = _RIGHT_IN) -> bytes:
    """The figure as SVG without dates or random names; `right_in`: space right of its axes, in inches."""
    _place(fig, right_in)
    buffer = io.BytesIO()
    fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _place(fig: Figure, right_in: float) -> None:
    """Place each axes, with space for the text around it.

    matplotlib's layout engines draw everything once to measure it, which doubles the time; this counts characters.
    """
    width_in, height_in = fig.get_size_inches()
    heads_in, feet_in = [_head_in(axes) for axes in fig.axes], [_foot_in(axes) for axes in fig.axes]
    left_in = max(_left_in(axes) for axes in fig.axes)
    grid = fig.axes[0].get_gridspec()
    ratios = np.array(grid.get_height_ratios() if grid else [1.0], dtype=np.float64)
    free_in = max(height_in - sum(heads_in) - sum(feet_in), 0.1)
    top_in = height_in
    for axes, head_in, foot_in, axes_in in zip(
        fig.axes, heads_in, feet_in, free_in * ratios / ratios.sum(), strict=True
    ):
        bottom_in = top_in - head_in - axes_in
        place_in = (left_in / width_in, bottom_in / height_in, 1 - (left_in + right_in) / width_in, axes_in / height_in)
        axes.set_position(place_in)
        top_in = bottom_in - foot_in


def _head_in(axes: Axes) -> float:
    """Space for the title and the legend above the axes."""
    found = axes.get_legend()
    rows = -(-len(found.get_texts()) // found._ncols) if found else 0  # type: ignore[attr-defined]
    return _GAP_IN + _LINE_IN * max(rows, 1 if axes.get_title(loc="left") else 0)


def _foot_in(axes: Axes) -> float:
    """For tick labels and the name of the axis."""
    labelled = axes.axison and axes.xaxis.get_tick_params().get("labelbottom", True)
    return (_GAP_IN + _LINE_IN if labelled else _GAP_IN) + (_LINE_IN if axes.get_xlabel() else 0.0)


def _left_in(axes: Axes) -> float:
    """For tick labels and the name of the axis."""
    if not axes.axison:
        return _GAP_IN
    low, high = sorted(axes.get_ylim())
    ticks = [tick for tick in axes.yaxis.get_majorticklocs() if low <= tick <= high]
    longest = max(map(len, axes.yaxis.get_major_formatter().format_ticks(ticks)), default=0)
    return 2 * _GAP_IN + longest * _CHARACTER_IN + (_LINE_IN + _GAP_IN / 2 if axes.get_ylabel() else 0.0)


def bucketed(run: RunData) -> tuple[Floats, int]:
    """The right edges, in seconds, of the bins in which a time series is drawn, and the minutes per bin.

    A shorter last bin is left out: its sum would look like a drop.
    """
    minutes = len(run.metrics.t_s)
    step = next((step for step in _STEPS_MIN if minutes / step <= _MOST_POINTS), _STEPS_MIN[-1])
    edges_s: Floats = (np.arange(max(1, minutes // step), dtype=np.float64) + 1) * step * MINUTE_S
    return edges_s, step


def per_bucket(values: Floats, step: int, *, largest: bool = False) -> Floats:
    """The sum (or the maximum) of each `step` values; a shorter last bin is left out."""
    count = max(1, len(values) // step)
    padded = np.full(count * step, np.nan)
    padded[: len(values)] = values[: count * step]
    table = padded.reshape(count, step)
    highest = np.where(np.isnan(table), -np.inf, table).max(axis=1)
    result: Floats = np.where(np.isinf(highest), np.nan, highest) if largest else np.nansum(table, axis=1)
    return result


def mean_per_bucket(values: Floats, step: int) -> Floats:
    """The mean of the known ones of each `step` values, NaN if there is none; a shorter last bin is left out."""
    known = per_bucket((~np.isnan(values)).astype(np.float64), step)
    return np.where(known > 0, per_bucket(values, step) / np.maximum(known, 1), np.nan)


def stairs(edges_s: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Points for step="pre", so that each value spans its bin, the first one from the start of the run."""
    return np.concatenate([[0.0], edges_s]), np.concatenate([values[:1], values])


def within(run: RunData, t_s: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Points of a line by minutes, none after the end of the run; a single one as a level from its start on."""
    points_s: Floats = np.minimum(t_s, run.verdict.ended_s or np.inf)
    if len(points_s) == 1:
        return np.concatenate([[0.0], points_s]), np.repeat(values, 2)
    return points_s, values


def time_axis(axes: Axes, run: RunData) -> None:
    """Scenario time along the bottom, in hours, minutes or seconds, over the whole run."""
    span_axis(axes, run.verdict.ended_s)


def span_axis(axes: Axes, ended_s: float) -> None:
    """Scenario time along the bottom, in hours, minutes or seconds, up to `ended_s`."""
    if 0 < ended_s <= 2 * MINUTE_S:
        axes.set_xlim(0, ended_s)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=_MOST_TICKS, steps=[1, 2, 5, 10]))
        axes.set_xlabel("scenario time [s]")
        return
    span_s = max(ended_s, MINUTE_S)
    hours = span_s > 3 * 3600
    unit_s = 3600.0 if hours else 60.0
    step = (
        next((step for step in _TICKS_H if span_s / 3600 / step <= _MOST_TICKS), _TICKS_H[-1]) * 3600 / unit_s
        if hours
        else _minutes_step(span_s)
    )
    ticks = np.arange(0, span_s / unit_s + 1e-9, step) * unit_s
    axes.set_xlim(0, span_s)
    axes.xaxis.set_major_locator(FixedLocator(ticks.tolist()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / unit_s:g}"))
    axes.set_xlabel(f"scenario time [{'h' if hours else 'min'}]")


def _minutes_step(span_s: float) -> float:
    return next((step for step in (1, 2, 5, 10, 15, 20, 30) if span_s / 60 / step <= _MOST_TICKS), 30)


def whole_numbers(axes: Axes) -> None:
    """Integer ticks on the y axis, from zero."""
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.set_ylim(bottom=0)


def whole_numbers_along(axes: Axes) -> None:
    """Integer ticks on the x axis."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))


def fault_windows(run: RunData) -> list[tuple[str, Window]]:
    """Scheduled faults and rates with windows, with the windows reached by the run."""
    ended_s = run.verdict.ended_s
    return [
        (fault.name, window) for fault in run.scenario.faults for window in fault.windows if window.start_s < ended_s
    ]


def bands(axes: Axes, run: RunData, *, labelled: bool = True) -> None:
    """Shade fault windows, and mark bursts in a strip along the top."""
    named: set[str] = set()
    for name, window in fault_windows(run):
        label = name if labelled and name not in named else None
        axes.axvspan(window.start_s, window.end_s, color=RED, alpha=0.12, lw=0, label=label)
        named.add(name)
    # What a fault of the source makes of the load is its own window.
    shaded = [window for fault in run.scenario.faults for window in fault.windows]
    bursts = [
        window
        for window in burst_windows(run.scenario)
        if window.start_s < run.verdict.ended_s and window not in shaded
    ]
    if bursts:
        strips = [(window.start_s, window.end_s - window.start_s) for window in bursts]
        axes.broken_barh(
            strips,
            (0.975, 0.025),
            transform=axes.get_xaxis_transform(),
            color=BURST,
            lw=0,
            label="burst" if labelled else None,
        )


def end_mark(axes: Axes, run: RunData) -> None:
    """Mark where an abort condition ended the run."""
    for abort in run.verdict.aborts:
        if abort.held_at_s is not None:
            axes.axvline(abort.held_at_s, color=RED, lw=1.2, ls="--", label=f"abort: {abort.name}")


def change_marks(axes: Axes, run: RunData, indicator: str) -> None:
    """Mark where indicators whose names begin so stepped, all tasks together."""
    for entry in run.verdict.change_points:
        steps = [each for each in entry.points if each.kind is ChangeKind.STEP]
        if entry.indicator.startswith(indicator) and not entry.labels:
            for number, point in enumerate(steps):
                label = None if number else f"steps of {entry.indicator}"
                axes.axvline(point.at_s, color=PURPLE, lw=1.2, ls="-.", label=label)


def legend(axes: Axes) -> None:
    """The legend above the axes, right of the title, in enough rows not to overlap it."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        room = _CHARACTERS - len(axes.get_title(loc="left")) * _TITLE_SCALE
        place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.1}
        axes.legend(handles, labels, ncols=_columns(labels, room), handlelength=1.4, columnspacing=1.2, **place)


def _columns(labels: list[str], room: float) -> int:
    """The maximum number of columns in which the labels, filled column by column, fit `room` characters."""
    for columns in range(len(labels), 1, -1):
        rows = -(-len(labels) // columns)
        widths = [max(map(len, labels[first : first + rows])) + _HANDLE for first in range(0, len(labels), rows)]
        if sum(widths) <= room:
            return columns
    return 1
