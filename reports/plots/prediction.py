"""What many replications gave: a histogram of each objective's values with its target, and of the times of aborts."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports.plots.canvas import BLUE, GREEN, PALETTE, RED, figure, legend, to_svg, whole_numbers
from schemas.block import Floats
from schemas.expression import Op, Unit
from schemas.prediction import Observed, Prediction

_ROW_IN, _BINS, _MOST_WHOLE = 2.1, 40, 30
_FAR = 2.0
"""A target that is farther from all values than so many times their spread would squeeze them into one bar."""
_HOUR_S = 3600.0


def objectives(prediction: Prediction, observed: Observed) -> bytes:
    """A row for each objective: how often which value was observed; what breaks it is red.

    Of an objective whose target differs from replication to replication the margins are drawn.
    """
    count = len(prediction.objectives)
    fig, rows = figure(count, _ROW_IN * count, shared=False)
    for axes, each, values, margins in zip(rows, prediction.objectives, observed.values, observed.margins, strict=True):
        made = each.holds.count + each.broken.count + each.inconclusive.count
        axes.set_title(f"{each.objective}: holds in {each.holds.count:,} of {made:,}")
        if each.target is None:
            _histogram(axes, np.array(margins), 0.0, Op.GE, Unit(each.unit), f"margin of {each.sli}")
        else:
            _histogram(axes, np.array(values), each.target, Op(each.op), Unit(each.unit), each.sli)
    return to_svg(fig, right_in=0.3)


def _histogram(axes: Axes, values: Floats, target: float, op: Op, unit: Unit, name: str) -> None:
    axes.set_xlabel(name)
    if not len(values):
        axes.text(0.5, 0.5, "nothing was observed", ha="center", va="center", transform=axes.transAxes)
        axes.set_yticks([])
        return
    axes.set_ylabel("replications")
    far = is_far(values, target)
    edges = bin_edges(values, values[0] if far else target)
    good = np.array([op.holds(value, target) for value in values.tolist()])
    counts = [np.histogram(values[side], edges)[0] for side in (good, ~good)]
    for label, color, height, bottom in (
        ("good side", GREEN, counts[0], np.zeros(len(edges) - 1)),
        ("broken side", RED, counts[1], counts[0]),
    ):
        if height.any():
            axes.bar(edges[:-1], height, np.diff(edges), bottom, align="edge", color=color, label=label, lw=0)
    _target(axes, target, f"target {unit.show(target)}", 0 if not far else 1 if target > values.max() else -1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: unit.show(value)))
    whole_numbers(axes)
    legend(axes)


def _target(axes: Axes, target: float, label: str, beyond: int) -> None:
    """A line at the target, or words at the side beyond which it lies."""
    if not beyond:
        axes.axvline(target, color=BLUE, lw=1.2, ls="--", label=label)
        return
    style: dict[str, Any] = {"transform": axes.transAxes, "va": "center", "color": BLUE, "fontsize": 8}
    if beyond > 0:
        axes.text(0.995, 0.9, f"{label} →", ha="right", **style)
    else:
        axes.text(0.005, 0.9, f"← {label}", ha="left", **style)


def is_far(values: Floats, target: float) -> bool:
    """Whether a target is too far away to be drawn beside the values."""
    low, high = float(values.min()), float(values.max())
    away = max(low - target, target - high)
    return away > _FAR * (high - low) if high > low else False


def bin_edges(values: Floats, target: float) -> Floats:
    """The edges of bins over all values and the target, which lies on an edge; whole numbers, if few, have a bin each."""
    low, high = min(float(values.min()), target), max(float(values.max()), target)
    whole = bool((values == np.round(values)).all())
    if whole and high - low <= _MOST_WHOLE:
        return np.arange(math.floor(low), math.ceil(high) + 2, dtype=np.float64) - 0.5
    width = (high - low) / _BINS or abs(target) / _BINS or 1.0
    below, above = math.ceil((target - low) / width), math.ceil((high - target) / width)
    return target + width * np.arange(-max(below, 1), max(above, 1) + 1, dtype=np.float64)


def aborts(prediction: Prediction, observed: Observed) -> bytes:
    """When which abort condition ended a replication, over the time that the scenario lasts."""
    found = {name: times for name, times in observed.abort_times_s.items() if times}
    fig, (axes,) = figure(1, _ROW_IN)
    last_s = max(prediction.duration_s, *(max(times) for times in found.values()))
    hours = last_s >= 2 * _HOUR_S
    unit_s = _HOUR_S if hours else 60.0
    edges = np.linspace(0, last_s / unit_s, _BINS + 1).tolist()
    columns = [np.array(times) / unit_s for times in found.values()]
    colors = [RED, *PALETTE] * len(columns)
    axes.hist(columns, edges, stacked=True, color=colors[: len(columns)], label=list(found), lw=0)
    axes.set_title(f"{sum(map(len, columns)):,} of {prediction.made:,} replications aborted")
    axes.set_xlabel(f"scenario time [{'h' if hours else 'min'}]")
    axes.set_ylabel("replications")
    axes.set_xlim(0, last_s / unit_s)
    whole_numbers(axes)
    legend(axes)
    return to_svg(fig)
