"""Throughput and queue depth over time."""

import numpy as np

from soak.reports.data import RunData
from soak.reports.plots.canvas import (
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    bands,
    bucketed,
    end_mark,
    figure,
    legend,
    mean_per_bucket,
    per_bucket,
    stairs,
    time_axis,
    to_svg,
    whole_numbers,
)


def plot(run: RunData) -> bytes:
    """Tasks in and out per minute above, queue depth below, and busy workers at the bottom."""
    fig, (flow, queue, workers) = figure(3, 5.6, ratios=(3, 2, 1.3))
    edges_s, step = bucketed(run)
    metrics = run.metrics
    flow.plot(edges_s, per_bucket(metrics.get("enqueued"), step) / step, color=GREY, lw=0.9, label="enqueued")
    flow.plot(edges_s, per_bucket(metrics.get("done"), step) / step, color=BLUE, label="DONE")
    flow.plot(
        edges_s,
        per_bucket(metrics.get("failed") + metrics.get("blocked"), step) / step,
        color=RED,
        label="FAILED or BLOCKED",
    )
    flow.set_ylabel("tasks per minute")
    flow.set_ylim(bottom=0)
    flow.set_title("Throughput")
    bands(flow, run)
    end_mark(flow, run)
    legend(flow)
    depth = per_bucket(metrics.get("queue_depth_max"), step, largest=True)
    queue.fill_between(*stairs(edges_s, depth), step="pre", color=ORANGE, alpha=0.5, lw=0)
    queue.set_ylabel("tasks, peak")
    queue.set_title("Queue depth (PENDING)")
    sampled = metrics.get("busy_workers")
    workers.plot(edges_s, mean_per_bucket(sampled, step), color=PURPLE)
    workers.set_ylabel("workers, mean")
    workers.set_title("Busy workers" if np.isfinite(sampled).any() else "Busy workers: not reported by the system")
    for axes in (queue, workers):
        whole_numbers(axes)
        bands(axes, run, labelled=False)
    time_axis(workers, run)
    return to_svg(fig)
