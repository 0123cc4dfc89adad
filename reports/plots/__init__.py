"""Plots as SVG, one file per plot; `render_plots` makes all of them."""

from collections.abc import Callable

import matplotlib as mpl

from soak.reports.data import RunData
from soak.reports.plots import errors, faults, gain, growth, latency, processes, retries, success, throughput
from soak.reports.plots.canvas import STYLE

PLOTS: dict[str, Callable[[RunData], bytes]] = {
    "gain.svg": gain.plot,
    "throughput.svg": throughput.plot,
    "latency.svg": latency.plot,
    "success.svg": success.plot,
    "faults.svg": faults.plot,
    "errors.svg": errors.plot,
    "retries.svg": retries.plot,
    "growth.svg": growth.plot,
    "processes.svg": processes.plot,
}
"""Every plot by its file name."""


def render_plots(run: RunData) -> dict[str, bytes]:
    """The plots of a run by file name: none for a run that failed at once, and only those with data."""
    if not len(run.metrics.t_s):
        return {}
    has: dict[Callable[[RunData], bytes], bool] = {
        processes.plot: bool(run.processes),
        gain.plot: run.verdict.gain is not None,
    }
    with mpl.rc_context(STYLE):
        return {name: plot(run) for name, plot in PLOTS.items() if has.get(plot, True)}
