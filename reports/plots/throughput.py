"""Throughput over time, and the panels that the system has below it."""

import numpy as np
from matplotlib.axes import Axes

from soak.reports.data import RunData
from soak.reports.plots.canvas import bucketed, dashes, figure, stairs, to_svg, within
from soak.reports.plots.marks import bands, end_mark
from soak.reports.plots.panels import TASKS, Over, Panel
from soak.reports.plots.scale import span_axis, whole_numbers
from soak.reports.room import ask, room_of

_HEIGHT_IN, _OF = 5.6, 6.3
"""Of a figure with panels of these heights in all."""


def plot(run: RunData) -> bytes | None:
    """Tasks in and out per minute above, the system's panels below; None for a run with columns of neither."""
    room = room_of(run.scenario.system)
    all_panels = (TASKS, *ask(run.scenario.system, "its panels", room.panels_of, run), *room.panels)
    panels = [panel.shown(run.metrics) for panel in all_panels if panel.of(run.metrics)]
    if not panels:
        return None
    heights = [panel.height for panel in panels]
    # Of a few panels each is higher than its share: titles and the time axis take as much room as ever.
    fig, all_axes = figure(len(panels), max(3.0, _HEIGHT_IN * sum(heights) / _OF), ratios=heights)
    for place, (axes, panel) in enumerate(zip(all_axes, panels, strict=True)):
        _draw(axes, run, panel)
        bands(axes, run, labelled=not place)
        if not place:
            end_mark(axes, run)
    span_axis(all_axes[-1], run.verdict.ended_s)
    return to_svg(fig)


def _draw(axes: Axes, run: RunData, panel: Panel) -> None:
    edges_s, step = bucketed(run)
    known = False
    for place, line in enumerate(panel.lines):
        values = line.values(run.metrics, step)
        known |= bool(np.isfinite(values).any())
        label = line.name if len(panel.lines) > 1 else None
        if line.filled:
            axes.fill_between(*stairs(edges_s, values), step="pre", color=line.color, alpha=0.5, lw=0, label=label)
        else:
            axes.plot(*within(run, edges_s, values), color=line.color, lw=line.width, ls=dashes(place), label=label)
    axes.set_ylabel(panel.unit)
    axes.set_title(panel.title if known or not panel.unknown else f"{panel.title}: {panel.unknown}")
    if all(line.over is Over.PER_MINUTE for line in panel.lines):
        axes.set_ylim(bottom=0)
    else:
        whole_numbers(axes)
