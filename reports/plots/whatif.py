"""What a change of a scenario does: each SLI in a typical pair with its interval, and one SLI replication by replication."""

import numpy as np
from matplotlib.axes import Axes

from soak.reports.look.charts import Form
from soak.reports.plots.canvas import BLUE, GREEN, GREY, ORANGE, RED, figure, nothing, to_svg
from soak.reports.plots.frame import named
from soak.reports.plots.scale import form_of, scale, whole_numbers_along
from soak.schemas.evidence.changes import Direction
from soak.schemas.evidence.whatif import Effect, WhatIf
from soak.schemas.language.expression import Unit

_MOST = 14
_FARTHEST = 3.0
_FEW = 60
_COLOR = {Direction.WORSE: RED, Direction.BETTER: GREEN}


def plot(result: WhatIf) -> bytes:
    """Changes of a typical pair relative to the base above; below, the SLI with the surest change in each pair."""
    changed = [each for each in result.effects if each.base and each.p is not None and each.low is not None]
    changed = sorted(changed, key=lambda each: (each.direction is Direction.UNCHANGED, each.p or 0.0))[:_MOST]
    if not changed:
        return to_svg(nothing(_why_none(result)))
    fig, (means, pairs) = figure(2, 1.6 + 0.26 * len(changed) + 2.2, (0.26 * len(changed) + 0.4, 1.8), shared=False)
    _means(means, changed, result.confidence)
    _pairs(pairs, changed[0])
    return to_svg(fig)


def _why_none(result: WhatIf) -> str:
    if any(each.higher or each.lower for each in result.effects):
        return "No SLI has an interval: too few pairs, or most of them do not differ"
    return "No SLI differs in any pair of replications"


def _means(axes: Axes, changed: list[Effect], confidence: float) -> None:
    for place, each in enumerate(changed):
        scale = 100 / abs(each.base or 1.0)
        middle, low, high = (
            float(np.clip(scale * (value or 0.0), -100, 100 * _FARTHEST))
            for value in (each.median, each.low, each.high)
        )
        color = _COLOR.get(each.direction, GREY)
        axes.plot([low, high], [place, place], color=color, lw=2.2, solid_capstyle="butt")
        axes.plot([middle], [place], color=color, marker="o", ms=4.5)
    named(
        axes.yaxis,
        range(len(changed)),
        [f"{each.sli}  {_percent((each.median or 0.0) / abs(each.base or 1.0))}" for each in changed],
    )
    axes.set_ylim(len(changed) - 0.5, -0.5)
    axes.axvline(0, color=GREY, lw=0.8)
    axes.set_xlabel(f"median change [%], all intervals together {confidence:.0%}")
    for words, color in (("worse", RED), ("better", GREEN), ("noise", GREY)):
        axes.plot([], [], color=color, lw=2.2, label=words)
    axes.set_title("What the change does")


def _percent(relative: float) -> str:
    return f"{100 * relative:+,.0f} %" if abs(relative) >= 1 else f"{100 * relative:+.2g} %"


def _pairs(axes: Axes, effect: Effect) -> None:
    base, variant = (
        np.array([np.nan if value is None else value for value in values])
        for values in (effect.base_values, effect.variant_values)
    )
    places = np.arange(len(base)) + 1
    axes.vlines(places, base, variant, color=GREY, lw=1.0)
    for name, values, color in (("base", base, BLUE), ("variant", variant, ORANGE)):
        axes.plot(
            places,
            values,
            color=color,
            marker="o" if name == "base" else "D",
            ms=4 if len(base) <= _FEW else 2,
            ls="",
            label=name,
        )
    axes.set_xlabel("pair of replications")
    form = form_of(Unit(effect.unit))
    scale(axes.yaxis, form)
    axes.set_ylabel(effect.sli if form is not Form.NUMBER else f"{effect.sli} [{Unit(effect.unit).symbol}]")
    axes.set_title(f"{effect.sli}, pair by pair")
    whole_numbers_along(axes)
