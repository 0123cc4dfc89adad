"""Faults injected over time, and when alerts fired, on one time axis."""

from reports.data import RunData
from reports.plots.canvas import (
    ORANGE,
    PALETTE,
    RED,
    bands,
    bucketed,
    end_mark,
    figure,
    legend,
    per_bucket,
    time_axis,
    to_svg,
)
from schemas.model import BY_TIME


def plot(run: RunData) -> bytes:
    """One lane for each fault and each alert."""
    series = run.metrics.named("injected")
    alerts = run.verdict.alerts
    by_time = {fault.name for fault in run.scenario.faults if fault.type in BY_TIME}
    lanes = [
        *(name for name in series if name not in by_time),
        *sorted(by_time),
        *(f"alert {alert.name}" for alert in alerts),
    ]
    fig, (axes,) = figure(1, 1.2 + 0.42 * max(1, len(lanes)))
    edges_s, step = bucketed(run)
    for lane, name in enumerate(lanes):
        color = PALETTE[lane % len(PALETTE)]
        if name in by_time:
            windows = next(fault.windows for fault in run.scenario.faults if fault.name == name)
            axes.broken_barh([(w.start_s, w.end_s - w.start_s) for w in windows], (lane - 0.3, 0.6), color=RED, lw=0)
        elif name in series:
            counts = per_bucket(series[name], step)
            highest = max(float(counts.max()) if len(counts) else 0.0, 1.0)
            axes.fill_between(edges_s, lane + 0.4, lane + 0.4 - 0.8 * counts / highest, step="pre", color=color, lw=0)
            axes.annotate(
                f"up to {highest:.0f} in {step} min",
                (1.005, lane),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=7,
                color=color,
            )
        else:
            alert = alerts[lane - len(lanes) + len(alerts)]
            ended_s = run.verdict.ended_s
            spans = [(f.fired_s, max((f.resolved_s or ended_s) - f.fired_s, ended_s / 400)) for f in alert.firings]
            axes.broken_barh(spans, (lane - 0.3, 0.6), color=ORANGE, lw=0)
            axes.annotate(
                f"fired {len(spans)} times",
                (1.005, lane),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=7,
                color=ORANGE,
            )
    axes.set_ylim(max(len(lanes), 1) - 0.4, -0.75)
    axes.set_yticks(range(len(lanes)), lanes)
    axes.set_title("Faults injected" + (" and alerts" if alerts else ""))
    bands(axes, run, labelled=False)
    end_mark(axes, run)
    legend(axes)
    time_axis(axes, run)
    return to_svg(fig)
