"""Tails: the value that is passed once in a period, against the period, with the largest peaks of the run."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from soak.reports.data import RunData
from soak.reports.look.charts import Form
from soak.reports.plots.canvas import BLUE, GREY, RED, figure, to_svg
from soak.reports.plots.scale import form_of, scale
from soak.reports.tails import name_of
from soak.schemas.evidence.tails import Tail
from soak.schemas.language.expression import Unit
from soak.schemas.stream.block import Floats

_POINTS = 60
_TICKS_S = (60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 604_800.0, 2_592_000.0)


def plot(run: RunData) -> bytes | None:
    """An axes for each statement; None without one."""
    stated = [tail for tail in run.verdict.tails if tail.levels and tail.peaks]
    if not stated:
        return None
    fig, all_axes = figure(len(stated), 0.7 + 1.7 * len(stated), shared=False)
    for axes, tail in zip(all_axes, stated, strict=True):
        _draw(axes, tail)
    all_axes[-1].set_xlabel("passed once in")
    return to_svg(fig)


def _draw(axes: Axes, tail: Tail) -> None:
    count = len(tail.peaks)
    # Of n peaks the i-th largest was passed or reached i times: once in the run / i.
    seen_s = tail.span_s / np.arange(1, count + 1)
    ends_s = [float(seen_s[-1]), tail.levels[-1].period_s]
    periods_s = np.geomspace(min(ends_s), max(ends_s), _POINTS)
    axes.plot(periods_s, _levels(tail, periods_s), color=BLUE, label="fitted")
    values = np.array([level.value for level in tail.levels])
    low, high = np.array([level.interval for level in tail.levels]).T
    at_s = [level.period_s for level in tail.levels]
    axes.errorbar(
        at_s, values, yerr=[values - low, high - values], fmt="o", color=BLUE, ms=4, capsize=3, label="95 % interval"
    )
    axes.plot(seen_s, tail.peaks, ".", color=RED, ms=5, label="peaks of the run")
    axes.axvline(tail.span_s, color=GREY, lw=1.2, ls=(0, (2, 2)), label="length of the run")
    scale(axes.xaxis, Form.SECONDS, log=True)
    axes.xaxis.set_major_locator(FixedLocator([each for each in _TICKS_S if min(ends_s) <= each <= max(ends_s)]))
    scale(axes.yaxis, form_of(Unit(tail.unit)))
    axes.set_title(f"Tail of {name_of(tail)}")


def _levels(tail: Tail, periods_s: Floats) -> Floats:
    """The fitted return level of each period (Coles 2001, 4.3.3)."""
    assert tail.threshold is not None and tail.scale is not None and tail.shape is not None
    shape = tail.shape or 1e-9
    odds = np.maximum(periods_s * tail.clusters / tail.span_s, 1.0)
    levels: Floats = tail.threshold + tail.scale * np.expm1(shape * np.log(odds)) / shape
    return levels
