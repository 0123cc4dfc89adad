"""Faults injected over time, and when alerts fired, on one time axis: a lane for each."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from msgspec import Struct

from soak.reports.data import MINUTE_S, RunData
from soak.reports.plots.canvas import ORANGE, PALETTE, RED, beside, bucketed, figure, nothing, per_bucket, to_svg
from soak.reports.plots.frame import SMALL_PT, named, width_of
from soak.reports.plots.marks import bands, end_mark
from soak.reports.plots.scale import span_axis
from soak.schemas.stream.block import Floats

_ACROSS = 340.0
"""About the width of the lanes, in points."""
_NARROWEST = 1 / 400
"""Minimum drawn width of a span, as a share of the run, so that it is visible."""


class _Lane(Struct, frozen=True):
    """One lane of the plot: counts over time, or spans (start, length) in seconds; `note` is shown at its right."""

    name: str
    color: str
    note: str
    counts: Floats | None = None
    spans: tuple[tuple[float, float], ...] = ()


def plot(run: RunData) -> bytes:
    """One lane for each fault and each alert."""
    lanes = list(_lanes(run))
    if not lanes:
        return to_svg(nothing("Faults: none injected"))
    fig, (axes,) = figure(1, 0.9 + 0.3 * len(lanes))
    for place, lane in enumerate(lanes):
        _draw(axes, run, place, lane)
    axes.set_ylim(len(lanes) - 0.4, -0.75)
    named(axes.yaxis, range(len(lanes)), [lane.name for lane in lanes])
    axes.set_title("Faults injected" + (" and alerts" if run.verdict.alerts else ""))
    bands(axes, run, labelled=False)
    end_mark(axes, run)
    span_axis(axes, run.verdict.ended_s)
    return to_svg(fig, right=12.0 + max((width_of(lane.note, SMALL_PT) for lane in lanes), default=0.0))


def _lanes(run: RunData) -> Iterator[_Lane]:
    _, step = bucketed(run)
    series = run.metrics.named("injected")
    ended_s = run.verdict.ended_s
    for index, fault in enumerate(run.scenario.faults):
        if fault.by_time:
            spans = tuple((w.start_s, min(w.end_s, ended_s) - w.start_s) for w in fault.windows if w.start_s < ended_s)
            yield _Lane(fault.name, RED, _times(len(spans)), spans=spans)
        elif fault.name in series:
            counts = per_bucket(series[fault.name], step)
            note = f"up to {max(counts.max(), 0):.0f} in {step} min" if len(counts) else ""
            yield _Lane(fault.name, PALETTE[index % len(PALETTE)], note, counts=counts)
    for alert in run.verdict.alerts:
        spans = tuple(
            (f.fired_s, (ended_s if f.resolved_s is None else f.resolved_s) - f.fired_s) for f in alert.firings
        )
        yield _Lane(f"alert {alert.name}", ORANGE, f"fired {_times(len(spans))}", spans=spans)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _draw(axes: Axes, run: RunData, place: int, lane: _Lane) -> None:
    if lane.counts is not None:
        _bars(axes, run, place, lane.color, lane.counts)
    narrowest_s = run.verdict.ended_s * _NARROWEST
    spans = [(start_s, max(length_s, narrowest_s)) for start_s, length_s in lane.spans]
    if spans:
        axes.broken_barh(spans, (place - 0.3, 0.6), color=lane.color, lw=0)
    beside(axes, run.verdict.ended_s, place, lane.note, lane.color)


def _bars(axes: Axes, run: RunData, place: int, color: str, counts: Floats) -> None:
    """A bar for each bin with faults, all as one path."""
    edges_s, step = bucketed(run)
    some = counts > 0
    middles_s = np.minimum(edges_s, run.verdict.ended_s)[some] - step * MINUTE_S / 2
    x, y = np.repeat(middles_s, 3), np.full(3 * len(middles_s), place + 0.4)
    y[1::3] -= 0.8 * counts[some] / max(float(counts.max()), 1.0)
    x[2::3] = np.nan
    width = _ACROSS * step * MINUTE_S / run.verdict.ended_s
    axes.plot(x, y, color=color, lw=max(width, 0.8), solid_capstyle="butt")
