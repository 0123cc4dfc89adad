"""The success rate over a sliding window, with its objective and abort limit."""

import numpy as np

from soak.reports.data import MINUTE_S, RunData
from soak.reports.look.charts import Form
from soak.reports.plots.canvas import BLUE, GREEN, RED, bucketed, figure, per_bucket, to_svg, within
from soak.reports.plots.marks import bands, change_marks, end_mark, limits
from soak.reports.plots.scale import scale, span_axis
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
    edges_s, step = bucketed(run)
    lowest_rate = -per_bucket(-rate, step, largest=True)
    axes.plot(*within(run, edges_s, lowest_rate), color=BLUE, label=f"success rate, {window}")
    found = [(each.target, f"abort below {show_ratio(each.target)}", RED) for each in aborts if each.target is not None]
    of_rate = [each for each in run.verdict.objectives if each.sli == _SLI]
    found += [(each.limit, f"objective {each.objective}", GREEN) for each in of_rate if each.limit is not None]
    limits(axes, found)
    known = rate[np.isfinite(rate)]
    lowest = min([*(value for value, _, _ in found), *([float(known.min())] if len(known) else []), 0.99])
    axes.set_ylim(max(0.0, lowest - 0.15 * (1 - lowest)), 1 + 0.1 * (1 - lowest))
    scale(axes.yaxis, Form.RATIO)
    axes.set_ylabel("success rate")
    axes.set_title("Success")
    bands(axes, run)
    end_mark(axes, run)
    change_marks(axes, run, _SLI)
    span_axis(axes, run.verdict.ended_s)
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
