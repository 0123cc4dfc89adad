"""Retries by attempt."""

from soak.reports.data import RunData
from soak.reports.plots.canvas import ORANGE, beside, figure, nothing, to_svg
from soak.reports.plots.frame import named


def plot(run: RunData) -> bytes | None:
    """A bar for each attempt that was retried."""
    retries = run.verdict.retries_by_attempt
    if not retries and "retries" not in run.metrics.columns:
        return None
    if not retries:
        return to_svg(nothing("Retries: none"))
    counts, places = list(retries.values()), range(len(retries))
    fig, (axes,) = figure(1, 0.8 + 0.28 * len(retries))
    axes.barh(places, counts, color=ORANGE, height=0.6)
    for place, count in enumerate(counts):
        beside(axes, count, place, f"{count:,}")
    named(axes.yaxis, places, [f"attempt {attempt}" for attempt in retries])
    axes.set_ylim(len(retries) - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * max(counts))
    axes.set_xlabel("retries")
    axes.set_title("Retries after attempt n")
    return to_svg(fig)
