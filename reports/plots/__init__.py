"""Plots as SVG, one file per plot; `render_plots` makes all of them."""

import matplotlib as mpl

from soak.reports.data import RunData
from soak.reports.plots import errors, faults, growth, latency, processes, retries, success, tails, throughput
from soak.reports.plots.canvas import STYLE
from soak.reports.room import Plot, ask, room_of

PLOTS: dict[str, Plot] = {
    "throughput.svg": throughput.plot,
    "latency.svg": latency.plot,
    "success.svg": success.plot,
    "faults.svg": faults.plot,
    "errors.svg": errors.plot,
    "retries.svg": retries.plot,
    "growth.svg": growth.plot,
    "tails.svg": tails.plot,
    "processes.svg": processes.plot,
}
"""The plots of any system by file name."""


def render_plots(run: RunData) -> dict[str, bytes]:
    """The plots of a run by file name: none for a run that failed at once, and only those with data."""
    if not len(run.metrics.t_s):
        return {}
    system = run.scenario.system
    with mpl.rc_context(STYLE):
        own = {name: ask(system, f"plots/{name}", plot, run) for name, plot in room_of(system).plots.items()}
        drawn = own | {name: plot(run) for name, plot in PLOTS.items() if name not in own}
    return {name: content for name, content in drawn.items() if content is not None}
