"""Failed attempts by error class."""

from soak.reports.data import RunData
from soak.reports.plots.canvas import RED, figure, nothing, to_svg


def plot(run: RunData) -> bytes | None:
    """A bar for each error class; None for a system without tasks."""
    errors = run.verdict.errors
    if not errors and run.work:
        return None
    if not errors:
        return to_svg(nothing("Error buckets: no failed attempts"))
    fig, (axes,) = figure(1, 1.1 + 0.32 * len(errors))
    names = list(errors)
    bars = axes.barh(names, [errors[name] for name in names], color=RED, height=0.6)
    axes.bar_label(bars, [f"{errors[name]:,}" for name in names], padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("attempts")
    axes.set_title("Error buckets")
    return to_svg(fig)
