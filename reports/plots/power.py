"""How likely each objective is found broken, over the size of the violation: one picture under the other."""

from matplotlib.axes import Axes

from soak.reports.look.charts import Form
from soak.reports.plots.canvas import BLUE, GREEN, GREY, ORANGE, RED, figure, nothing, to_svg
from soak.reports.plots.scale import form_of, scale
from soak.schemas.evidence.power import ObjectivePower, PowerReport, Scale
from soak.schemas.language.expression import Unit
from soak.schemas.language.slis import Aggregate

_HEIGHT_IN = 1.75


def plot(report: PowerReport) -> bytes:
    """A curve for each objective of which something can be said."""
    shown = [each for each in report.objectives if each.curve]
    if not shown:
        return to_svg(nothing("No statement about any objective"))
    fig, axes = figure(len(shown), _HEIGHT_IN * len(shown), shared=False)
    for each, objective in zip(axes, shown, strict=True):
        _curve(each, objective, report.power)
    return to_svg(fig)


def _curve(axes: Axes, objective: ObjectivePower, power: float) -> None:
    form, unit = _unit(objective)
    sizes = [point.size for point in objective.curve]
    axes.plot(sizes, [point.probability for point in objective.curve], color=BLUE)
    axes.axhline(power, color=GREY, lw=0.8, ls=(0, (2, 2)), label=f"{100 * power:g} %")
    if objective.limit is not None:
        axes.axvline(objective.limit, color=RED, lw=1.2, label="target")
    if objective.smallest is not None:
        at = objective.smallest
        axes.plot([at], [power], color=GREEN, marker="o", ls="", label="smallest")
    for violation in objective.violations:
        at, seen = violation.size, violation.probability
        label = "asked for" if violation.asked else "default"
        axes.plot([at], [seen], color=ORANGE, marker="D", ms=5, ls="", label=label)
    low, high = sorted((sizes[0], sizes[-1]))
    room = 0.02 * (high - low) or 0.5
    axes.set_xlim(low - room, high + room)
    axes.set_ylim(-0.04, 1.08)
    scale(axes.yaxis, Form.RATIO)
    scale(axes.xaxis, form)
    axes.set_ylabel("detected")
    extreme = objective.aggregate in {Aggregate.MAX, Aggregate.GAUGE, Aggregate.LONGEST}
    axes.set_xlabel(f"events that break it{unit}" if extreme else f"true {objective.sli}{unit}")
    axes.set_title(objective.objective)


def _unit(objective: ObjectivePower) -> tuple[Form, str]:
    """How sizes are written, and the words for their unit."""
    if objective.scale is Scale.SHARE:
        return Form.RATIO, " (of its opportunities)"
    if objective.scale is Scale.HOURLY:
        return Form.NUMBER, " [1/h]"
    if objective.scale is Scale.FACTOR:
        return Form.NUMBER, " [times its reference]"
    unit = Unit(objective.unit)
    form = form_of(unit)
    return form, "" if form is not Form.NUMBER else f" [{unit.symbol}]"
