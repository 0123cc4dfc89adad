"""Tenants over time: the 95th percentile of their latency, and their requests offered and achieved, phases shaded."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from soak.reports.data import RunData
from soak.reports.gateway.data import latency_of
from soak.reports.plots.canvas import GREY, PALETTE, RED, bands, end_mark, figure, legend, time_axis, to_svg
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
        axes.plot(*_steps(values, found.window_s, run), color=PALETTE[place], label=each.tenant or "all requests")
    axes.set_yscale("log")
    for objective in run.verdict.objectives:
        if objective.sli == "latency_p95" and objective.limit:
            axes.axhline(objective.limit, color=RED, lw=1.0, ls=":")
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}s"))
    axes.yaxis.set_minor_locator(NullLocator())
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.12)
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
    fig, rows = figure(len(drawn), 1.0 + 1.15 * len(drawn))
    for place, (axes, each) in enumerate(zip(rows, drawn, strict=True)):
        lines = [("offered", each.due, GREY), ("achieved", each.done, PALETTE[place])]
        lines += [("failed", each.failed, RED)] if sum(each.failed) else []
        for name, counts, color in lines:
            per_s = np.array(counts, dtype=np.float64) / found.window_s
            axes.plot(*_steps(per_s, found.window_s, run), color=color, label=name)
        # Space for the names of the phases.
        axes.set_ylim(0, 1.25 * max(axes.get_ylim()[1], 1e-9))
        axes.set_ylabel("requests/s")
        axes.set_title(f"Throughput of {each.tenant}" if each.tenant else "Throughput")
        _finish(axes, run, last=place == len(drawn) - 1)
    return to_svg(fig)


def _drawn(found: LatencyReport) -> list[OverTime]:
    """The tenants with the most requests, in their order."""
    busiest = sorted(found.over_time, key=lambda each: -sum(each.due))[:MOST_TENANTS]
    return [each for each in found.over_time if each in busiest]


def _steps(values: Floats, window_s: float, run: RunData) -> tuple[Floats, Floats]:
    """A line with a step for each window; the last one ends with the run."""
    edges = np.minimum(window_s * np.arange(len(values) + 1), run.verdict.ended_s)
    return np.repeat(edges, 2)[1:-1], np.repeat(values, 2)


def _finish(axes: Axes, run: RunData, *, last: bool = True) -> None:
    for place, phase in enumerate(run.scenario.phases):
        begin_s, end_s = phase.window.start_s, min(phase.window.end_s, run.verdict.ended_s)
        if begin_s < end_s:
            if place % 2:
                axes.axvspan(begin_s, end_s, color=GREY, alpha=0.12, lw=0)
            axes.text(
                begin_s, 0.98, f" {phase.name}", transform=axes.get_xaxis_transform(), va="top", fontsize=7, color=GREY
            )
    bands(axes, run)
    end_mark(axes, run)
    legend(axes)
    if last:
        time_axis(axes, run)
