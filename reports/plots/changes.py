"""Comparison of two runs: the relative change of each SLI, and the SLI that changed most over the parts of the runs."""

import numpy as np
from matplotlib.axes import Axes

from soak.reports.plots.canvas import BLUE, GREEN, GREY, ORANGE, RED, dashes, figure, nothing, to_svg
from soak.reports.plots.frame import named
from soak.reports.plots.scale import form_of, scale, whole_numbers_along
from soak.schemas.evidence.changes import Changes, Direction, SliChange
from soak.schemas.language.expression import Unit

_MOST = 14
_FARTHEST = 3.0
_COLOR = {
    Direction.WORSE: RED,
    Direction.BETTER: GREEN,
    Direction.UNCHANGED: GREY,
    Direction.UNTESTED: GREY,
    Direction.UNKNOWN: GREY,
}


def plot(changes: Changes) -> bytes:
    """Relative changes above; below, the SLI that changed most over the parts of both runs."""
    shown = [each for each in changes.changes if each.relative is not None and each.p is not None]
    shown = sorted(shown, key=lambda each: (each.direction is Direction.UNCHANGED, each.p or 0.0))[:_MOST]
    if not shown:
        return to_svg(nothing("Nothing to compare"))
    fig, (bars, parts) = figure(2, 1.6 + 0.26 * len(shown) + 2.2, ratios=(0.26 * len(shown) + 0.4, 1.8), shared=False)
    places = range(len(shown))
    sizes = [100 * float(np.clip(each.relative or 0.0, -1.0, _FARTHEST)) for each in shown]
    bars.barh(places, sizes, color=[_COLOR[each.direction] for each in shown], height=0.6)
    named(bars.yaxis, places, [each.sli for each in shown])
    bars.axvline(0, color=GREY, lw=0.8)
    bars.set_xlabel("change [%] (red: worse, green: better, grey: noise)")
    bars.set_title("Change of each SLI")
    bars.invert_yaxis()
    _parts(parts, shown[0], changes)
    return to_svg(fig)


def _parts(axes: Axes, most: SliChange, changes: Changes) -> None:
    for name, side, color in (("base", changes.base, BLUE), ("run", changes.run, ORANGE)):
        values = [np.nan if value is None else value for value in side.slis[most.sli].slices]
        axes.plot(
            np.arange(len(values)) + 1,
            values,
            color=color,
            marker="o",
            ms=3,
            ls=dashes(0 if name == "base" else 1),
            label=name,
        )
    axes.set_xlabel("part of the run")
    scale(axes.yaxis, form_of(Unit(most.unit)))
    whole_numbers_along(axes)
    axes.set_ylabel(most.sli)
    axes.set_title(f"{most.sli}, part by part")
