"""A task system over time: workers that are up and services that are down, what starts and starts again, the broker's memory."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from soak.reports.data import RunData
from soak.reports.look.charts import Form
from soak.reports.plots.canvas import BLUE, GREEN, ORANGE, PURPLE, RED, figure, to_svg
from soak.reports.plots.marks import bands, end_mark
from soak.reports.plots.scale import Round, scale, span_axis, whole_numbers
from soak.reports.queue.activity import Activity, read_activity
from soak.schemas.stream.block import Floats

SYSTEM = "system.svg"
"""Its file."""

_WINDOWS = 120
_WIDTHS_S = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)


def system(run: RunData) -> bytes | None:
    """Panels below each other on one time axis; None of a run whose target reports its tasks itself."""
    ended_s = run.verdict.ended_s
    activity = read_activity(run.directory, run.scenario, ended_s) if ended_s > 0 else None
    if activity is None:
        return None
    panels: list[Callable[[Axes, Activity, RunData], None]] = [_starts]
    panels = [*([_workers] if activity.workers or activity.down else []), *panels]
    panels += [_memory] if activity.memory else []
    fig, rows = figure(len(panels), 0.8 + 1.6 * len(panels))
    for place, (axes, draw) in enumerate(zip(rows, panels, strict=True)):
        draw(axes, activity, run)
        bands(axes, run, labelled=place == 0)
        end_mark(axes, run)
    span_axis(rows[-1], run.verdict.ended_s)
    return to_svg(fig)


def _workers(axes: Axes, activity: Activity, run: RunData) -> None:
    """Workers that are up, and below them, for each service, when it was down."""
    ended_s = run.verdict.ended_s
    if activity.workers:
        t_s = np.array([0.0, *(at for at, _ in activity.workers), ended_s])
        up = np.array([activity.workers[0][1], *(count for _, count in activity.workers)])
        axes.step(t_s, np.append(up, up[-1]), where="post", color=GREEN, label="workers up")
    most = max((count for _, count in activity.workers), default=1)
    for place, (name, spans) in enumerate(activity.down.items()):
        bars = [(start_s, max(end_s - start_s, ended_s / 400)) for start_s, end_s in spans]
        low = -most * (0.24 * place + 0.22)
        color = (RED, ORANGE, PURPLE, BLUE)[place % 4]
        axes.broken_barh(bars, (low, most * 0.17), color=color, lw=0, label=f"{name} down")
    whole_numbers(axes)
    axes.set_ylim(-most * (0.24 * len(activity.down) + 0.06), most * 1.12)
    axes.yaxis.set_major_locator(FixedLocator(Round(whole=True).tick_values(0.0, most * 1.12)))
    axes.set_ylabel("workers")
    axes.set_title("Workers and services")


def _starts(axes: Axes, activity: Activity, run: RunData) -> None:
    """Executions that start, and those of them that are redeliveries, in equal windows."""
    edges_s, width_s = _edges(run.verdict.ended_s)
    for name, times_s, color in (
        ("executions started", activity.started, BLUE),
        ("redelivered", activity.redelivered, ORANGE),
    ):
        counts = activity.counted(times_s, edges_s)
        if counts.any() or color == BLUE:
            axes.stairs(counts, edges_s, color=color, fill=color == ORANGE, label=name)
    whole_numbers(axes)
    axes.set_ylabel(f"per {width_s:g} s" if width_s < 60 else f"per {width_s / 60:g} min")
    axes.set_title("Executions")


def _memory(axes: Axes, activity: Activity, run: RunData) -> None:
    """The resident memory of brokers as sampled."""
    t_s, size = np.array(activity.memory).T
    axes.plot(t_s, size, color=PURPLE, label="resident memory")
    axes.set_ylim(bottom=0, top=max(float(size.max()) * 1.12, 1e6))
    scale(axes.yaxis, Form.BYTES)
    axes.set_title("Broker")


def _edges(ended_s: float) -> tuple[Floats, float]:
    """The edges of windows over the run, the last one cut off by its end, and how long a window is."""
    width_s = next((each for each in _WIDTHS_S if ended_s / each <= _WINDOWS), _WIDTHS_S[-1])
    edges_s = np.arange(0.0, ended_s, width_s)
    return np.append(edges_s, ended_s), width_s
