"""Series that may grow slowly, each with its fitted line: queue depth, latency, and resource usage."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes

from soak.reports.data import RunData
from soak.reports.look.charts import Form
from soak.reports.plots.canvas import BLUE, RED, figure, nothing, to_svg
from soak.reports.plots.marks import bands, change_marks
from soak.reports.plots.scale import scale, span_axis
from soak.reports.room import Grown, room_of
from soak.schemas.evidence.verdict import GrowthResult
from soak.schemas.language.expression import Unit
from soak.schemas.stream.block import Floats
from soak.schemas.stream.processes import RUNNER

_MOST_POINTS = 300
_FORMS = {"s": Form.SECONDS, "MiB": Form.BYTES}
_LATENCY = Grown("latency_growth", "Latency", "s", "latency_p50_s")
_DRAWN = {_LATENCY.sli: ("medians of up to 30 min", "fitted to means of tasks: ")}
"""What dots and line are, where the line is fitted to something else."""


def plot(run: RunData) -> bytes:
    """Points with their Theil-Sen line."""
    panels = list(grown_panels(run))
    if not panels:
        return to_svg(nothing("Growth: too few samples"))
    fig, all_axes = figure(len(panels), 0.6 + 1.25 * len(panels))
    for axes, (growth, name, unit, t_s, values) in zip(all_axes, panels, strict=True):
        step = max(1, len(t_s) // _MOST_POINTS)
        dots, line = _DRAWN.get(growth.sli, (None, ""))
        _dots(axes, t_s[::step], values[::step], dots if len(t_s) else None)
        ends = np.array([0.0, run.verdict.ended_s])
        slope = f"{line}{Unit(growth.unit).show(growth.slope)}, {_said(growth)}"
        fitted = growth.level + growth.slope * ends / 3600
        axes.plot(ends, fitted, color=RED, lw=1.5, label=slope)
        axes.set_title(name)
        form = _FORMS.get(unit, Form.NUMBER)
        scale(axes.yaxis, form, most=4)
        axes.set_ylabel("" if form is not Form.NUMBER else unit)
        bands(axes, run, labelled=False)
        change_marks(axes, run, growth.sli.removesuffix("_growth"))
    span_axis(all_axes[-1], run.verdict.ended_s)
    return to_svg(fig)


def _dots(axes: Axes, t_s: Floats, values: Floats, label: str | None) -> None:
    """Points as one path: a stroke of no length with round ends for each."""
    known = np.isfinite(values)
    x = np.repeat(t_s[known], 3)
    y = np.repeat(values[known], 3)
    x[2::3] = y[2::3] = np.nan
    axes.plot(x, y, color=BLUE, lw=2.6, solid_capstyle="round")
    axes.plot([], [], ".", color=BLUE, label=label)
    if len(y):
        axes.margins(y=0.1)
    if len(y) and not np.ptp(values[known]):
        axes.set_ylim(min(0.0, values[known][0]), max(1.2 * values[known][0], 1.0))


def grown_panels(run: RunData) -> Iterator[tuple[GrowthResult, str, str, Floats, Floats]]:
    """What has a trend: its growth, its title, its unit, times in seconds and values in base units."""
    growths = {growth.sli: growth for growth in run.verdict.growths}
    for grown in (*room_of(run.scenario.system).grown, _LATENCY):
        values = run.metrics.get(grown.column)
        if grown.sli in growths and grown.column in run.metrics.columns and np.isfinite(values).any():
            yield growths[grown.sli], grown.title, grown.unit, run.metrics.t_s, values
    for sli, name, unit, kind in (
        ("rss_growth", "Memory of all processes", "MiB", "rss_bytes"),
        ("open_files_growth", "Open files of all processes", "files", "open_files"),
    ):
        if sli in growths and run.processes:
            yield growths[sli], name, unit, *_summed(run, kind)


def _said(growth: GrowthResult) -> str:
    said = "no statement" if growth.detail else f"p = {growth.p:.2g}"
    worth = growth.effective_samples
    return said if worth is None else f"{said}, {growth.samples:,} samples count as {worth:,.0f}"


def _summed(run: RunData, kind: str) -> tuple[Floats, Floats]:
    """Sum over all processes except the runner, at each sample."""
    parts = [samples for name, samples in run.processes.items() if name != RUNNER]
    times, place = np.unique(np.concatenate([part.t_s for part in parts]), return_inverse=True)
    values = np.concatenate([getattr(part, kind) for part in parts])
    return times, np.bincount(place, weights=values).astype(np.float64)
