"""The service times of a run, and the distribution that was fitted to them."""

import math

import numpy as np
from matplotlib.axes import Axes

from soak.reports.look.charts import Form
from soak.reports.plots.canvas import BLUE, GREY, ORANGE, figure, to_svg
from soak.reports.plots.scale import scale
from soak.schemas.evidence.calibration import Calibration
from soak.schemas.language.distributions import Constant, Distribution, Empirical, Exponential, LogNormal, Uniform
from soak.schemas.stream.block import Floats

_POINTS = 300
_LOWEST_S = 1e-3
_LOG_FROM = 20.0
"""Values that spread over more than this go on a logarithmic axis."""


def plot(calibration: Calibration, held_s: Floats, chosen: Distribution) -> bytes:
    """The share of attempts that took no longer, observed and fitted, with a band that holds the true share at 95 %."""
    fig, (axes,) = figure(1, 3.4)
    values = np.sort(np.maximum(held_s, _LOWEST_S))
    share = np.arange(1, len(values) + 1) / len(values)
    # Dvoretzky, Kiefer and Wolfowitz (1956) with the constant of Massart (1990).
    half = math.sqrt(math.log(2 / 0.05) / (2 * len(values)))
    axes.fill_between(
        values,
        np.clip(share - half, 0, 1),
        np.clip(share + half, 0, 1),
        step="post",
        color=GREY,
        alpha=0.2,
        lw=0,
        label="95 % band",
    )
    axes.step(values, share, where="post", color=BLUE, lw=1.6, label=f"{len(values):,} attempts")
    _draw_fit(axes, values, calibration.chosen, chosen)
    scale(axes.xaxis, Form.SECONDS)
    scale(axes.yaxis, Form.RATIO)
    if values[-1] > _LOG_FROM * values[0]:
        scale(axes.xaxis, Form.SECONDS, log=True)
    axes.set_ylim(0, 1)
    axes.set_xlabel("service time")
    axes.set_ylabel("took no longer")
    axes.set_title("Service times")
    return to_svg(fig)


def _draw_fit(axes: Axes, values: Floats, name: str, chosen: Distribution) -> None:
    if isinstance(chosen, Empirical):
        return
    at_s = np.geomspace(values[0] / 1.2, values[-1] * 1.2, _POINTS)
    axes.plot(at_s, [share_below(chosen, float(t_s)) for t_s in at_s], color=ORANGE, lw=1.6, ls="--", label=name)


def share_below(chosen: Distribution, t_s: float) -> float:
    """The share of a distribution below a time, in seconds."""
    match chosen:
        case LogNormal(median_s, _):
            return math.erfc(-math.log(t_s / median_s) / chosen.sigma / math.sqrt(2)) / 2
        case Exponential(mean_s):
            return -math.expm1(-t_s / mean_s)
        case Uniform(low_s, high_s):
            return min(1.0, max(0.0, (t_s - low_s) / (high_s - low_s)))
        case Constant(value_s):
            return float(t_s >= value_s)
        case Empirical(_, values_s):
            return sum(value <= t_s for value in values_s) / len(values_s)
