"""Failed attempts by error class."""

from soak.reports.data import RunData
from soak.reports.plots.canvas import RED, beside, figure, nothing, to_svg
from soak.reports.plots.frame import named

_MOST = 20
"""Bars: those of the most failed attempts."""


def plot(run: RunData) -> bytes | None:
    """A bar for each error class; None for a system without tasks."""
    errors = sorted(run.verdict.errors.items(), key=lambda each: -each[1])
    if not errors and run.work:
        return None
    if not errors:
        return to_svg(nothing("Error buckets: no failed attempts"))
    shown = errors[:_MOST]
    fig, (axes,) = figure(1, 0.8 + 0.28 * len(shown))
    places = range(len(shown))
    axes.barh(places, [count for _, count in shown], color=RED, height=0.6)
    for place, (_, count) in enumerate(shown):
        beside(axes, count, place, f"{count:,}")
    named(axes.yaxis, places, [name for name, _ in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * shown[0][1])
    axes.set_xlabel("attempts")
    axes.set_title("Error buckets" if shown == errors else f"Error buckets, {_MOST} of {len(errors):,}")
    return to_svg(fig)
