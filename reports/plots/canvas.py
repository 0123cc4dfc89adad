"""Shared by all plots: size, colours, bins of time, and reproducible SVG."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from soak.reports.data import MINUTE_S, RunData
from soak.reports.look.charts import Form
from soak.reports.look.palette import DASHES, SERIES, Role, light
from soak.reports.plots.frame import SMALL_PT, TEXT_PT, frame
from soak.reports.plots.scale import scale
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
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": TEXT_PT,
    "axes.titlelocation": "left",
    # Titles never need to move out of the way: skip the measuring.
    "axes.titley": 1.0,
    "path.simplify": False,
    "axes.axisbelow": True,
    "lines.linewidth": 1.5,
    "lines.scale_dashes": False,
}
"""The input of a plot."""
_WIDTH_IN, _RIGHT = 7.2, 8.0
"""Width in inches, and space right of axes in points: letters stay readable where a plot is shown at half its size."""

_STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440)
_MOST_POINTS = 300
_FEW = 20


def role_of(colour: str) -> Role:
    """What a colour of plots is called on pages; blue for one that is not of the palette."""
    return _ROLES.get(colour, Role.BLUE)


class Sheet(Figure):
    """A figure with axes under each other: the ratios of their heights, and whether they share the time axis."""

    ratios: Sequence[float]
    shared: bool


def figure(
    rows: int, height_in: float, ratios: Sequence[float] | None = None, *, shared: bool = True
) -> tuple[Sheet, list[Axes]]:
    """A figure with `rows` axes under each other that share the time axis, unless each has its own."""
    # Points are pixels of an SVG.
    fig = Sheet(figsize=(_WIDTH_IN, height_in), dpi=72)
    fig.ratios, fig.shared = ratios or [1.0] * rows, shared
    FigureCanvasSVG(fig)
    all_axes: list[Axes] = []
    for _ in range(rows):
        # Placed when all of its text is known.
        axes = fig.add_axes((0.0, 0.0, 1.0, 1.0), sharex=all_axes[0] if all_axes and shared else None)
        scale(axes.xaxis, Form.NUMBER)
        scale(axes.yaxis, Form.NUMBER)
        all_axes.append(axes)
    return fig, all_axes


def nothing(title: str) -> Sheet:
    """A placeholder figure for missing data."""
    fig, (axes,) = figure(1, 0.4)
    axes.set_axis_off()
    axes.set_title(title)
    return fig


def to_svg(fig: Sheet, *, right: float = _RIGHT) -> bytes:
    """The figure as SVG without dates or random names; `right`: space right of its axes, in points."""
    frame(fig, fig.ratios, shared=fig.shared, right=right)
    buffer = io.BytesIO()
    fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def stroke(place: int) -> dict[str, Any]:
    """How the line at a place of a chart is drawn: colour and dashes, so that lines differ without colour."""
    return {"color": PALETTE[place % len(PALETTE)], "ls": dashes(place)}


def dashes(place: int) -> Any:
    """The dashes of the line at a place of a chart, for `ls`."""
    found = DASHES[place % len(DASHES)]
    return (0, found) if found else "-"


def beside(axes: Axes, x: float, y: float, words: str, color: str = "") -> None:
    """A note right of a point, on its height."""
    axes.annotate(
        words, (x, y), (4, -3.5), textcoords="offset points", color=color or light(Role.INK), fontsize=SMALL_PT,
        annotation_clip=False,
    )  # fmt: skip


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
    """Points of a line by minutes, none after the end of the run; few ones as a level for each minute."""
    ended_s = run.verdict.ended_s or np.inf
    if len(t_s) <= _FEW:
        return np.repeat(np.concatenate([[0.0], np.minimum(t_s, ended_s)]), 2)[1:-1], np.repeat(values, 2)
    # A minute that the run did not fill would look like a drop.
    return t_s[t_s <= ended_s], values[t_s <= ended_s]
