"""Tenants over time: the 95th percentile of their latency, and their requests offered and achieved, phases shaded."""

import numpy as np
from matplotlib.axes import Axes

from soak.reports.data import RunData
from soak.reports.gateway.data import latency_of
from soak.reports.look.charts import Form
from soak.reports.plots.canvas import GREY, PALETTE, RED, dashes, figure, stroke, to_svg
from soak.reports.plots.marks import bands, end_mark, limits, phase_names
from soak.reports.plots.scale import roomy, scale, span_axis
from soak.schemas.stream.block import Floats
from soak.schemas.systems.gateway.documents import LatencyReport, OverTime

MOST_TENANTS = 8
"""Tenants that are drawn: those with the most requests."""

_LEAST_S = 1e-4


def tenants_latency(run: RunData) -> bytes | None:
    """The 95th percentile of each tenant, on one logarithmic scale."""
    found = latency_of(run)
    if found is None or not any(each.done or each.failed for each in found.over_time):
        return None
    fig, (axes,) = figure(1, 3.4)
    for place, each in enumerate(_drawn(found)):
        values = np.array([np.nan if value is None else max(value, _LEAST_S) for value in each.p95_s])
        axes.plot(*_steps(values, found.window_s, run), **stroke(place), label=each.tenant or "all requests")
    scale(axes.yaxis, Form.SECONDS, log=True)
    of_p95 = [each for each in run.verdict.objectives if each.sli == "latency_p95"]
    limits(axes, [(each.limit, each.objective, RED) for each in of_p95 if each.limit])
    # For the names of phases.
    roomy(axes)
    axes.set_ylabel("95th percentile")
    axes.set_title("Latency by tenant" if run.scenario.workload.tenants else "Latency")
    _finish(axes, run)
    return to_svg(fig)


def tenants_throughput(run: RunData) -> bytes | None:
    """For each tenant its requests per second: offered in grey, achieved in its colour."""
    found = latency_of(run)
    if found is None or not any(sum(each.due) for each in found.over_time):
        return None
    drawn = _drawn(found)
    fig, rows = figure(len(drawn), 0.8 + 1.1 * len(drawn))
    for place, (axes, each) in enumerate(zip(rows, drawn, strict=True)):
        lines = [("offered", each.due, GREY), ("achieved", each.done, PALETTE[place])]
        lines += [("failed", each.failed, RED)] if sum(each.failed) else []
        for name, counts, color in lines:
            per_s = np.array(counts, dtype=np.float64) / found.window_s
            ls = dashes(1 if name == "offered" else 2 if name == "failed" else 0)
            axes.plot(*_steps(per_s, found.window_s, run), color=color, ls=ls, label=name if not place else None)
        # Space for the names of the phases.
        axes.set_ylim(0, 1.25 * max(axes.get_ylim()[1], 1e-9))
        axes.set_ylabel("per second")
        axes.set_title(f"Requests of {each.tenant}" if each.tenant else "Requests")
        _finish(axes, run, first=not place, last=place == len(drawn) - 1)
    return to_svg(fig)


def _drawn(found: LatencyReport) -> list[OverTime]:
    """The tenants with the most requests, in their order."""
    busiest = sorted(found.over_time, key=lambda each: -sum(each.due))[:MOST_TENANTS]
    return [each for each in found.over_time if each in busiest]


def _steps(values: Floats, window_s: float, run: RunData) -> tuple[Floats, Floats]:
    """A line with a step for each window; the last one ends with the run."""
    edges = np.minimum(window_s * np.arange(len(values) + 1), run.verdict.ended_s)
    return np.repeat(edges, 2)[1:-1], np.repeat(values, 2)


def _finish(axes: Axes, run: RunData, *, first: bool = True, last: bool = True) -> None:
    for place, phase in enumerate(run.scenario.phases):
        begin_s, end_s = phase.window.start_s, min(phase.window.end_s, run.verdict.ended_s)
        if begin_s < end_s and place % 2:
            axes.axvspan(begin_s, end_s, color=GREY, alpha=0.12, lw=0)
    if first:
        phase_names(axes, [(each.name, each.window.start_s) for each in run.scenario.phases], run.verdict.ended_s)
    bands(axes, run, labelled=first)
    if first:
        end_mark(axes, run)
    if last:
        span_axis(axes, run.verdict.ended_s)
