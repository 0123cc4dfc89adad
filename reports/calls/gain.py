"""The gain of a client's policies: shares with their confidence intervals, beside theory and published figures."""

from matplotlib.axes import Axes

from soak.reports.data import RunData
from soak.reports.look.charts import Form
from soak.reports.plots.canvas import BLUE, GREEN, GREY, ORANGE, figure, to_svg
from soak.reports.plots.frame import named
from soak.reports.plots.scale import scale
from soak.schemas.evidence.verdict import ObjectiveResult
from soak.schemas.language.expression import Op, Unit


def plot(run: RunData) -> bytes | None:
    """A row for before and after, and one for each share with an objective."""
    gain = run.verdict.gain
    if gain is None:
        return None
    expected = [each for each in run.verdict.objectives if each.op == Op.ABOUT and each.unit == Unit.RATIO]
    fig, (axes,) = figure(1, 1.3 + 0.3 * (len(expected) + 2))
    names = ["before: the first call", "after: the task"]
    _interval(axes, 0, gain.before.share, gain.before.interval, GREY)
    _interval(axes, 1, gain.after.share, gain.after.interval, GREEN)
    for row, objective in enumerate(expected, start=2):
        names.append(_named(objective))
        _expected(axes, row, objective, labelled=row == 2)
    named(axes.yaxis, range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    scale(axes.xaxis, Form.RATIO)
    whose = " for the first two" if expected else ""
    axes.set_xlabel(f"share and its interval ({gain.confidence:.0%}{whose})")
    axes.set_title(f"Gain over {gain.tasks:,} tasks")
    return to_svg(fig, right=20.0)


def _named(objective: ObjectiveResult) -> str:
    return f"{objective.sli}, {objective.note}" if objective.note else objective.objective


def _interval(
    axes: Axes, row: int, share: float, interval: tuple[float, float] | None, color: str, label: str = ""
) -> None:
    if interval:
        axes.plot(interval, (row, row), color=color, lw=2.2, solid_capstyle="butt")
    axes.plot([share], [row], "o", color=color, ms=5, label=label or None, clip_on=False)


def _expected(axes: Axes, row: int, objective: ObjectiveResult, *, labelled: bool) -> None:
    interval, value = objective.interval, objective.value
    if value is not None and interval and interval[0] is not None and interval[1] is not None:
        _interval(axes, row, value, (interval[0], interval[1]), BLUE, "observed" if labelled else "")
    if objective.target is not None:
        axes.plot([objective.target], [row], "|", color=ORANGE, ms=13, mew=2.2, label="expected" if labelled else None)
