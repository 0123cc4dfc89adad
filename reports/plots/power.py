"""How likely each objective is found broken, over the size of the violation: one picture under the other."""

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from soak.reports.plots.canvas import BLUE, GREEN, GREY, ORANGE, RED, figure, legend, nothing, to_svg
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
    factor, unit = _unit(objective)
    sizes = [point.size * factor for point in objective.curve]
    axes.plot(sizes, [100 * point.probability for point in objective.curve], color=BLUE)
    axes.axhline(100 * power, color=GREY, lw=0.8, ls=":", label=f"{100 * power:g} %")
    if objective.limit is not None:
        axes.axvline(objective.limit * factor, color=RED, lw=1.2, label="target")
    if objective.smallest is not None:
        at = objective.smallest * factor
        axes.plot([at], [100 * power], color=GREEN, marker="o", ls="", label="smallest")
    for violation in objective.violations:
        at, seen = violation.size * factor, 100 * violation.probability
        label = "asked for" if violation.asked else "default"
        axes.plot([at], [seen], color=ORANGE, marker="D", ms=5, ls="", label=label)
    low, high = sorted((sizes[0], sizes[-1]))
    room = 0.02 * (high - low) or 0.5
    axes.set_xlim(low - room, high + room)
    axes.set_ylim(-4, 108)
    axes.yaxis.set_major_locator(FixedLocator([0, 25, 50, 75, 100]))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
    axes.set_ylabel("detected [%]")
    extreme = objective.aggregate in {Aggregate.MAX, Aggregate.GAUGE, Aggregate.LONGEST}
    axes.set_xlabel(f"events that break it{unit}" if extreme else f"true {objective.sli}{unit}")
    axes.set_title(objective.objective)
    legend(axes)


def _unit(objective: ObjectivePower) -> tuple[float, str]:
    """What a size is multiplied by to be drawn, and the words for it."""
    if objective.scale is Scale.SHARE:
        return 100.0, " [% of its opportunities]"
    if objective.scale is Scale.HOURLY:
        return 1.0, " [1/h]"
    if objective.scale is Scale.FACTOR:
        return 1.0, " [times its reference]"
    unit = Unit(objective.unit)
    return (100.0, " [%]") if unit is Unit.RATIO else (1.0, f" [{unit.symbol}]")
