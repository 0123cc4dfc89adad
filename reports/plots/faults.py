"""Faults injected over time, and when alerts fired, on one time axis: a lane for each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from soak.reports.data import RunData
from soak.reports.plots.canvas import (
    ORANGE,
    PALETTE,
    RED,
    bands,
    bucketed,
    end_mark,
    figure,
    legend,
    per_bucket,
    stairs,
    time_axis,
    to_svg,
)
from soak.schemas.stream.block import Floats

_NOTE_IN = 0.062
"""Width of a character of a note, in inches."""

_NARROWEST = 1 / 400
"""Minimum drawn width of a span, as a share of the run, so that it is visible."""


@dataclass(frozen=True, slots=True)
class _Lane:
    """One lane of the plot: counts over time, or spans (start, length) in seconds; `note` is shown at its right."""

    name: str
    color: str
    note: str
    counts: Floats | None = None
    spans: tuple[tuple[float, float], ...] = ()


def plot(run: RunData) -> bytes:
    """One lane for each fault and each alert."""
    lanes = list(_lanes(run))
    fig, (axes,) = figure(1, 1.2 + 0.42 * max(1, len(lanes)))
    for place, lane in enumerate(lanes):
        _draw(axes, run, place, lane)
    axes.set_ylim(max(len(lanes), 1) - 0.4, -0.75)
    axes.set_yticks(range(len(lanes)), [lane.name for lane in lanes])
    axes.set_title("Faults injected" + (" and alerts" if run.verdict.alerts else ""))
    bands(axes, run, labelled=False)
    end_mark(axes, run)
    legend(axes)
    time_axis(axes, run)
    return to_svg(fig, right_in=0.15 + _NOTE_IN * max((len(lane.note) for lane in lanes), default=0))


def _lanes(run: RunData) -> Iterator[_Lane]:
    _, step = bucketed(run)
    series = run.metrics.named("injected")
    ended_s = run.verdict.ended_s
    for index, fault in enumerate(run.scenario.faults):
        if fault.by_time:
            spans = tuple((w.start_s, min(w.end_s, ended_s) - w.start_s) for w in fault.windows if w.start_s < ended_s)
            yield _Lane(fault.name, RED, f"{len(spans)} times", spans=spans)
        elif fault.name in series:
            counts = per_bucket(series[fault.name], step)
            note = f"up to {max(counts.max(), 0):.0f} in {step} min" if len(counts) else ""
            yield _Lane(fault.name, PALETTE[index % len(PALETTE)], note, counts=counts)
    for alert in run.verdict.alerts:
        spans = tuple(
            (f.fired_s, (ended_s if f.resolved_s is None else f.resolved_s) - f.fired_s) for f in alert.firings
        )
        yield _Lane(f"alert {alert.name}", ORANGE, f"fired {len(spans)} times", spans=spans)


def _draw(axes: Axes, run: RunData, place: int, lane: _Lane) -> None:
    if lane.counts is not None:
        edges_s, _ = bucketed(run)
        heights = lane.counts / max(float(lane.counts.max()), 1.0)
        axes.fill_between(
            *stairs(edges_s, place + 0.4 - 0.8 * heights), place + 0.4, step="pre", color=lane.color, lw=0
        )
    narrowest_s = run.verdict.ended_s * _NARROWEST
    spans = [(start_s, max(length_s, narrowest_s)) for start_s, length_s in lane.spans]
    axes.broken_barh(spans, (place - 0.3, 0.6), color=lane.color, lw=0)
    beside: Any = ("axes fraction", "data")
    axes.annotate(lane.note, (1.005, place), xycoords=beside, va="center", fontsize=7, color=lane.color)
