"""Retries by attempt."""

from soak.reports.data import RunData
from soak.reports.plots.canvas import ORANGE, figure, nothing, to_svg


def plot(run: RunData) -> bytes | None:
    """A bar for each attempt that was retried."""
    retries = run.verdict.retries_by_attempt
    if not retries and "retries" not in run.metrics.columns:
        return None
    if not retries:
        return to_svg(nothing("Retries: none"))
    fig, (axes,) = figure(1, 2.4)
    bars = axes.bar([f"attempt {attempt}" for attempt in retries], list(retries.values()), color=ORANGE, width=0.5)
    axes.bar_label(bars, [f"{count:,}" for count in retries.values()], padding=2, fontsize=8)
    axes.margins(y=0.15)
    axes.set_xlim(-0.6, max(len(retries), 4) - 0.4)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel("retries")
    axes.set_title("Retries after attempt n")
    return to_svg(fig)
