"""The held-back part of a run: for each SLI what the calibrated model predicts, and what was observed."""

from matplotlib.axes import Axes

from soak.reports.plots.canvas import BLUE, GREEN, GREY, RED, figure, nothing, to_svg
from soak.reports.plots.frame import named
from soak.schemas.evidence.calibration import Calibration, SliPrediction
from soak.schemas.language.expression import Unit

_FARTHEST = 2.0
"""Observations farther out than so many intervals are drawn at the edge, as arrows."""
_ROOM = 0.3
"""For the numbers beside intervals."""


def plot(calibration: Calibration) -> bytes:
    """A row for each SLI, all intervals drawn equally long, with their bounds in the SLI's own unit."""
    shown = [each for each in calibration.check.predictions if each.inside is not None]
    if not shown:
        return to_svg(nothing("Held-back part: nothing to compare"))
    fig, (axes,) = figure(1, 0.9 + 0.5 * len(shown))
    dots = [_row(axes, place, each) for place, each in enumerate(shown)]
    named(axes.yaxis, range(len(shown)), [each.sli for each in shown])
    axes.set_ylim(len(shown) - 0.3, -0.6)
    axes.set_xlim(min(0.0, *dots) - _ROOM, max(1.0, *dots) + _ROOM)
    named(axes.xaxis, (), ())
    axes.set_xlabel("line: 95 % of the replications, tick: their median, dot: observed")
    axes.set_title("Held-back part")
    for color, label in ((GREEN, "inside"), (RED, "outside")):
        axes.plot([], [], color=color, marker="o" if color == GREEN else "s", ls="", label=label)
    return to_svg(fig)


def _row(axes: Axes, place: int, each: SliPrediction) -> float:
    """Draw a row; returns where its dot is, where the interval goes from 0 to 1."""
    assert each.low is not None and each.high is not None and each.median is not None and each.observed is not None
    width = each.high - each.low

    def scaled(value: float) -> float:
        if not width:
            return 0.5 if value == each.low else (-1.0 if value < (each.low or 0.0) else 2.0)
        return (value - (each.low or 0.0)) / width

    show = Unit(each.unit).show
    if width:
        axes.plot([0, 1], [place, place], color=BLUE, lw=3, solid_capstyle="butt", alpha=0.5)
    axes.plot([scaled(each.median)], [place], color=BLUE, marker="|", ms=11, mew=1.6)
    at = min(max(scaled(each.observed), -_FARTHEST), 1 + _FARTHEST)
    marker = ("o" if each.inside else "s") if at == scaled(each.observed) else ">" if at > 0 else "<"
    axes.plot([at], [place], color=GREEN if each.inside else RED, marker=marker, ms=6)
    if width:
        for at_bound, bound in ((0.0, each.low), (1.0, each.high)):
            axes.text(at_bound, place + 0.16, show(bound), ha="center", va="top", fontsize=8, color=GREY)
    axes.text(at, place - 0.18, show(each.observed), ha="center", va="bottom", fontsize=8)
    return at
