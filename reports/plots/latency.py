"""Latency quantiles over time, with the limits of the objectives."""

import numpy as np

from soak.reports.data import RunData
from soak.reports.look.charts import Form
from soak.reports.plots.canvas import RED, bucketed, figure, stroke, to_svg, within
from soak.reports.plots.marks import bands, change_marks, end_mark, limits
from soak.reports.plots.scale import roomy, scale, span_axis
from soak.schemas.stream.block import Floats

_LEAST_S = 1e-6
_WINDOW_S = 1800.0
"""Of the quantiles in metrics.csv."""
_QUANTILES = ("p50", "p95", "p99")


def plot(run: RunData) -> bytes | None:
    """p50, p95 and p99 over the sliding window of metrics.csv, on a logarithmic scale."""
    if not run.has(*(f"latency_{name}" for name in _QUANTILES)):
        return None
    fig, (axes,) = figure(1, 3.4)
    edges_s, _ = bucketed(run)
    last = np.minimum((edges_s / 60).astype(int), len(run.metrics.t_s)) - 1
    for place, name in enumerate(_QUANTILES):
        axes.plot(
            *within(run, run.metrics.t_s[last], _positive(run.metrics.get(f"latency_{name}_s")[last])),
            **stroke(place),
            label=name,
        )
    scale(axes.yaxis, Form.SECONDS, log=True)
    of_latency = [each for each in run.verdict.objectives if each.is_of_latency and each.limit]
    limits(axes, [(each.limit, each.objective, RED) for each in of_latency if each.limit])
    roomy(axes)
    axes.set_ylabel("latency, 30 min window" if run.verdict.ended_s > _WINDOW_S else "latency, since the start")
    axes.set_title("Latency")
    bands(axes, run)
    end_mark(axes, run)
    change_marks(axes, run, "latency_")
    span_axis(axes, run.verdict.ended_s)
    return to_svg(fig)


def _positive(latency_s: Floats) -> Floats:
    """Values for a logarithmic scale: a latency of zero is drawn as the smallest one resolved."""
    return np.maximum(latency_s, _LEAST_S)
