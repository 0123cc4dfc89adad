"""The success rate over a sliding window, with its objective and abort limit."""

import numpy as np
from matplotlib.ticker import FuncFormatter

from soak.reports.data import MINUTE_S, RunData
from soak.reports.plots.canvas import (
    BLUE,
    GREEN,
    RED,
    bands,
    change_marks,
    end_mark,
    figure,
    legend,
    time_axis,
    to_svg,
    within,
)
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration, show_ratio

_SLI = "success_rate"
_WINDOW_S = 1800.0


def plot(run: RunData) -> bytes | None:
    """DONE / (DONE + FAILED) over a sliding window: that of the abort condition, or half an hour."""
    if not run.has(_SLI):
        return None
    fig, (axes,) = figure(1, 3.0)
    aborts = [abort for abort in run.aborts_of(_SLI) if abort.window_s]
    window_s = aborts[0].window_s or _WINDOW_S if aborts else _WINDOW_S
    rate = moving_rate(run.metrics.get("done"), run.metrics.get("failed"), max(1, round(window_s / MINUTE_S)))
    window = f"{show_duration(window_s)} window" if run.verdict.ended_s > window_s else "since the start"
    axes.plot(*within(run, run.metrics.t_s, rate), color=BLUE, label=f"success rate, {window}")
    limits = []
    for limit in [abort.target for abort in aborts if abort.target is not None]:
        limits.append(limit)
        axes.axhline(limit, color=RED, ls="--", lw=1.1, label=f"abort below {show_ratio(limit)}")
    for objective in run.verdict.objectives:
        if objective.sli == _SLI and objective.limit is not None:
            limits.append(objective.limit)
            axes.axhline(objective.limit, color=GREEN, ls=":", lw=1.1, label=f"objective {objective.objective}")
    known = rate[np.isfinite(rate)]
    lowest = min([*limits, *([float(known.min())] if len(known) else []), 0.99])
    axes.set_ylim(max(0.0, lowest - 0.15 * (1 - lowest)), 1 + 0.1 * (1 - lowest))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:g}%" if value <= 1 else ""))
    axes.set_ylabel("success rate")
    axes.set_title("Success")
    bands(axes, run)
    end_mark(axes, run)
    change_marks(axes, run, _SLI)
    legend(axes)
    time_axis(axes, run)
    return to_svg(fig)


def moving_rate(good: Floats, bad: Floats, minutes: int) -> Floats:
    """good / (good + bad) over the last `minutes` rows; NaN without data."""
    minutes = min(minutes, len(good))

    def moving(values: Floats) -> Floats:
        total = np.concatenate([[0.0], np.cumsum(values)])
        last = np.arange(1, len(total))
        result: Floats = total[last] - total[np.maximum(last - minutes, 0)]
        return result

    with np.errstate(invalid="ignore"):
        rate: Floats = moving(good) / (moving(good) + moving(bad))
    return rate
