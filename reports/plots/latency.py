"""Latency quantiles over time, with the limits of the objectives."""

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from soak.reports.data import RunData
from soak.reports.plots.canvas import (
    BLUE,
    ORANGE,
    PURPLE,
    RED,
    bands,
    bucketed,
    change_marks,
    end_mark,
    figure,
    legend,
    time_axis,
    to_svg,
)
from soak.schemas.stream.block import Floats

_LEAST_S = 1e-6
_WINDOW_S = 1800.0
"""Of the quantiles in metrics.csv."""
_QUANTILES = (("p50", BLUE), ("p95", ORANGE), ("p99", PURPLE))


def plot(run: RunData) -> bytes | None:
    """p50, p95 and p99 over the sliding window of metrics.csv, on a logarithmic scale."""
    if not run.has(*(f"latency_{name}" for name, _ in _QUANTILES)):
        return None
    fig, (axes,) = figure(1, 3.4)
    edges_s, _ = bucketed(run)
    last = np.minimum((edges_s / 60).astype(int), len(run.metrics.t_s)) - 1
    for name, color in _QUANTILES:
        axes.plot(run.metrics.t_s[last], _positive(run.metrics.get(f"latency_{name}_s")[last]), color=color, label=name)
    axes.set_yscale("log")
    for objective in run.verdict.objectives:
        if objective.is_of_latency and objective.limit:
            axes.axhline(objective.limit, color=RED, lw=1.0, ls=":", label=f"limit {objective.objective}")
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}s"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("latency, 30 min window" if run.verdict.ended_s > _WINDOW_S else "latency, since the start")
    axes.set_title("Latency")
    bands(axes, run)
    end_mark(axes, run)
    change_marks(axes, run, "latency_")
    legend(axes)
    time_axis(axes, run)
    return to_svg(fig)


def _positive(latency_s: Floats) -> Floats:
    """Values for a logarithmic scale: a latency of zero is drawn as the smallest one resolved."""
    return np.maximum(latency_s, _LEAST_S)
