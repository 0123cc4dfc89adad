"""What many replications gave: a histogram of each objective's values with its target, and of the times of aborts."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from soak.reports.look.charts import Form
from soak.reports.plots.canvas import BLUE, GREEN, GREY, PALETTE, RED, figure, to_svg
from soak.reports.plots.frame import SMALL_PT
from soak.reports.plots.scale import Round, form_of, span_axis, whole_numbers
from soak.schemas.evidence.prediction import ObjectivePrediction, Observed, Prediction
from soak.schemas.language.expression import Op, Unit
from soak.schemas.stream.block import Floats

_ROW_IN, _SAME_IN, _BINS, _MOST_BARS = 2.1, 0.75, 40, 40
_FEW_VALUES = 7
_FAR = 2.0
"""A target that is farther from all values than so many times their spread would squeeze them into one bar."""


def objectives(prediction: Prediction, observed: Observed) -> bytes:
    """A row for each objective: how often which value was observed; what breaks it is red.

    Of an objective whose target differs from replication to replication the margins are drawn.
    """
    drawn = [
        (each, np.array(margins if each.target is None else values, dtype=np.float64))
        for each, values, margins in zip(prediction.objectives, observed.values, observed.margins, strict=True)
    ]
    heights_in = [_ROW_IN if len(np.unique(values)) > 1 else _SAME_IN for _, values in drawn]
    ratios = [1.0 if height_in == _ROW_IN else 0.15 for height_in in heights_in]
    fig, rows = figure(len(drawn), sum(heights_in), ratios, shared=False)
    for axes, (each, values) in zip(rows, drawn, strict=True):
        axes.set_title(f"{each.objective}: holds in {each.holds.count:,} of {prediction.made:,}")
        if len(np.unique(values)) > 1:
            _histogram(axes, each, values)
        else:
            _same(axes, each, values)
    return to_svg(fig, right=20.0)


def _same(axes: Axes, each: ObjectivePrediction, values: Floats) -> None:
    """Words where there is nothing to draw."""
    what = "margin" if each.target is None else each.sli
    told = (
        f"{what} is {Unit(each.unit).show(values[0])} in all {len(values):,}" if len(values) else "nothing was observed"
    )
    axes.set_axis_off()
    axes.text(0.0, 0.5, f"    {told}", va="center", color=GREY, transform=axes.transAxes)


def _histogram(axes: Axes, each: ObjectivePrediction, values: Floats) -> None:
    unit, op = Unit(each.unit), Op.GE if each.target is None else Op(each.op)
    target = each.target or 0.0
    far = is_far(values, target)
    places, widths, counts = bars(values, target, op, aligned=not far)
    for label, color, height, bottom in (
        ("observed" if op is Op.ABOUT else "good", GREEN, counts[0], np.zeros(len(places))),
        ("broken", RED, counts[1], counts[0]),
    ):
        if height.any():
            axes.bar(places, height, widths, bottom, color=color, label=label, lw=0)
    _target(axes, target, f"target {unit.show(target)}", 0 if not far else 1 if target > values.max() else -1)
    axes.set_xlabel(f"margin of {each.sli}" if each.target is None else each.sli)
    axes.set_ylabel("replications")
    _ticks(axes, unit, values)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(unit, value)))
    whole_numbers(axes)
    axes.set_ylim(top=1.08 * float((counts[0] + counts[1]).max()))


def _ticks(axes: Axes, unit: Unit, values: Floats) -> None:
    """Round values along the axis, or the very ones that came where they are few; of shares nothing above 100 %."""
    different = np.unique(values)
    apart = _FEW_VALUES * float(np.diff(different).min()) >= float(different[-1] - different[0])
    if len(different) <= _FEW_VALUES and apart:
        axes.xaxis.set_major_locator(FixedLocator(different.tolist()))
        return
    axes.xaxis.set_major_locator(Round(form_of(unit), 7, whole=_whole(values)))
    if unit is Unit.RATIO and different[-1] <= 1:
        low, high = axes.get_xlim()
        ticks = Round(Form.RATIO, 7).tick_values(low, min(high, 1.0))
        axes.xaxis.set_major_locator(FixedLocator(list(ticks)))


def _tick(unit: Unit, value: float) -> str:
    # Shares that differ in the fifth figure would all read the same.
    return f"{100 * value:.6g}%" if unit is Unit.RATIO else unit.show(value)


def _target(axes: Axes, target: float, label: str, beyond: int) -> None:
    """A line at the target, or words at the side beyond which it lies."""
    if not beyond:
        axes.axvline(target, color=BLUE, lw=1.2, ls="--", label=label)
        return
    style: dict[str, Any] = {"transform": axes.transAxes, "va": "center", "color": BLUE, "fontsize": SMALL_PT}
    if beyond > 0:
        axes.text(0.995, 0.92, f"{label} →", ha="right", **style)
    else:
        axes.text(0.005, 0.92, f"← {label}", ha="left", **style)


def is_far(values: Floats, target: float) -> bool:
    """Whether a target is too far away to be drawn beside the values."""
    low, high = float(values.min()), float(values.max())
    return max(low - target, target - high) > _FAR * (high - low)


def bars(values: Floats, target: float, op: Op, *, aligned: bool) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
    """Middles and widths of bars, and how many values of each hold and do not: each side by the value itself.

    Few different values have a bar each; others share bins, the target on an edge of one when `aligned`.
    """
    low, high = float(values.min()), float(values.max())
    # Whether an interval holds its target is no matter of the value alone.
    good = np.array([op is Op.ABOUT or op.holds(value, target) for value in values.tolist()])
    different = np.unique(values)
    if len(different) <= _MOST_BARS:
        width = max(0.8 * float(np.diff(different).min()), (high - low) / 120)
        sides = [np.array([np.count_nonzero(values[side] == value) for value in different]) for side in (good, ~good)]
        return different, np.full(len(different), width), (sides[0].astype(float), sides[1].astype(float))
    width = (high - low) / min(_BINS, math.ceil(2 * len(values) ** (1 / 3)) + 4)
    anchor = target if aligned else low
    if _whole(values):
        # Between two whole numbers, so that the target itself is on its own side.
        width, anchor = math.ceil(width), math.floor(anchor) + (0.5 if op in {Op.LE, Op.GT} else -0.5)
    start = anchor - width * math.ceil((anchor - low) / width)
    edges = start + width * np.arange(math.floor((high - start) / width) + 2)
    counts = [np.histogram(values[side], edges)[0].astype(float) for side in (good, ~good)]
    return (edges[:-1] + edges[1:]) / 2, np.diff(edges), (counts[0], counts[1])


def _whole(values: Floats) -> bool:
    return bool((values == np.round(values)).all())


def aborts(prediction: Prediction, observed: Observed) -> bytes:
    """When which abort condition ended a replication, over the time that the scenario lasts."""
    found = {name: times for name, times in observed.abort_times_s.items() if times}
    fig, (axes,) = figure(1, _ROW_IN)
    last_s = max(prediction.duration_s, *(max(times) for times in found.values()))
    edges = np.linspace(0, last_s, _BINS + 1).tolist()
    columns = [np.array(times) for times in found.values()]
    colors = [RED, *PALETTE] * len(columns)
    axes.hist(columns, edges, stacked=True, color=colors[: len(columns)], label=list(found), lw=0)
    axes.set_title(f"{sum(map(len, columns)):,} of {prediction.made:,} replications aborted")
    axes.set_ylabel("replications")
    span_axis(axes, last_s)
    whole_numbers(axes)
    return to_svg(fig)
