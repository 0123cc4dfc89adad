"""The load that a scenario plans, and as it is drawn, over time."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from msgspec import Struct

from soak.reports.plots.canvas import BLUE, BURST, GREEN, ORANGE, RED, STYLE, figure, to_svg
from soak.reports.plots.frame import SMALL_PT
from soak.reports.plots.marks import BEHIND, fault_names, phase_names, shade
from soak.reports.plots.scale import span_axis, whole_numbers
from soak.schemas.language.model import Scenario
from soak.schemas.language.rhythms import burst_windows
from soak.schemas.stream.block import Floats

_HEIGHT_IN = 2.8
_HIGHER = 1.5
"""What arrives at set times goes beyond the picture: its number is written there."""
_MOST_NAMED = 8
"""Of arrivals at set times, that many entries have their name written beside the first."""


class Level(Struct, frozen=True):
    """A number that is planned over time: its values in equal parts of the run, and what it is."""

    values: Sequence[float]
    title: str


class PlannedLoad(Struct, frozen=True):
    """t_s, planned_per_s: the rate at these times. edges_s, drawn_per_s: what was drawn, in bins; one edge more than bins.

    levels: what else is planned over the run.
    """

    t_s: Floats
    planned_per_s: Floats
    edges_s: Floats
    drawn_per_s: Floats
    levels: Sequence[Level] = ()


def plot(scenario: Scenario, load: PlannedLoad) -> bytes:
    """Arrivals per minute over the run, as SVG; bursts, scheduled faults and arrivals at set times are marked."""
    with mpl.rc_context(STYLE):
        return _plot(scenario, load)


def _plot(scenario: Scenario, load: PlannedLoad) -> bytes:
    count = 1 + len(load.levels)
    fig, (axes, *others) = figure(count, _HEIGHT_IN * (1 + 0.5 * len(load.levels)), ratios=[2.0] + [1.0] * (count - 1))
    for below, level in zip(others, load.levels, strict=True):
        edges_s = np.linspace(0.0, scenario.duration_s, len(level.values) + 1)
        below.stairs(level.values, edges_s, fill=True, color=GREEN, alpha=0.4, lw=0)
        below.set_title(level.title)
        whole_numbers(below)
    axes.stairs(load.drawn_per_s * 60, load.edges_s, fill=True, color=BLUE, alpha=0.35, lw=0, label="as drawn")
    axes.plot(load.t_s, load.planned_per_s * 60, color=BLUE, lw=1.6, label="planned rate")
    mark_windows(axes, scenario)
    highest = np.max(load.drawn_per_s) if not scenario.workload.scheduled else _HIGHER * np.max(load.planned_per_s)
    top = max(float(np.max(load.planned_per_s)) * 60, float(highest) * 60, 1e-9)
    _set_times(axes, scenario, top)
    axes.set_ylim(0, top * 1.15)
    axes.set_ylabel("arrivals per minute")
    axes.set_title(f"Planned load of {scenario.name}")
    span_axis((axes, *others)[-1], scenario.duration_s)
    return to_svg(fig)


def mark_windows(axes: Axes, scenario: Scenario) -> None:
    """Mark windows of faults, bursts and phases."""
    named = [fault.name for fault in scenario.faults if fault.windows]
    shade(axes, [window for fault in scenario.faults for window in fault.windows], RED, fault_names(named))
    shade(axes, burst_windows(scenario), BURST, "burst", low=0.97, height=0.03)
    phase_names(axes, [(phase.name, phase.window.start_s) for phase in scenario.phases], scenario.duration_s)


def _set_times(axes: Axes, scenario: Scenario, top: float) -> None:
    for place, each in enumerate(scenario.workload.scheduled):
        for number, t_s in enumerate(each.times_s):
            axes.axvline(t_s, color=ORANGE, lw=1.2, label=None if number or place else "at a set time")
        for t_s in each.times_s[:1] if place < _MOST_NAMED else ():
            height = top * (1.06 - 0.08 * place)
            words = axes.text(
                t_s, height, f"  {each.count:,} {each.name}", color=ORANGE, fontsize=SMALL_PT, bbox=BEHIND
            )
            words.set_zorder(3)
