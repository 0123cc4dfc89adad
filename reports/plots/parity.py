"""Latency of two runs of the same scenario: both distributions, and the paired differences of tasks."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from soak.reports.look.charts import Form
from soak.reports.look.ticks import show
from soak.reports.plots.canvas import BLUE, GREY, ORANGE, RED, figure, nothing, to_svg
from soak.reports.plots.marks import limits
from soak.reports.plots.scale import scale, span_axis
from soak.schemas.evidence.parity import Latencies, Parity, ParityRun
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration

_SHARES = (0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999)
_MOST_POINTS = 300
_FEWEST_PER_BUCKET = 20
_LOWEST_S = 1e-3
"""Smaller latencies are drawn here: a logarithmic scale has no zero."""


def plot(parity: Parity, latencies: Latencies) -> bytes:
    """The quantile functions on logarithmic scales, and below them the paired differences over scenario time."""
    if not len(latencies.base_s) or not len(latencies.run_s):
        return to_svg(nothing("Latency: one of the runs has no task that ended DONE or FAILED"))
    fig, (quantiles, differences) = figure(2, 6.4, (1.25, 1.0), shared=False)
    _quantile_functions(quantiles, parity, latencies)
    _paired(differences, parity, latencies)
    return to_svg(fig)


def _quantile_functions(axes: Axes, parity: Parity, latencies: Latencies) -> None:
    for name, side, values, color, width, dashes in (
        ("base", parity.base, latencies.base_s, BLUE, 2.6, "-"),
        ("run", parity.run, latencies.run_s, ORANGE, 1.3, "--"),
    ):
        nines, latency_s = _curve(values)
        axes.plot(nines, latency_s, color=color, lw=width, ls=dashes, label=f"{name}: {_words(side)}")
    last = max(_nines(1 - 0.5 / len(values)) for values in (latencies.base_s, latencies.run_s))
    shares = [share for share in _SHARES if _nines(share) <= last]
    axes.set_xlim(0, last)
    axes.xaxis.set_major_locator(FixedLocator([_nines(share) for share in shares]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{(1 - 10**-value) * 100:.6g}%"))
    scale(axes.yaxis, Form.SECONDS, log=True)
    axes.set_xlabel("share of tasks (the tail is stretched)")
    axes.set_ylabel("latency")
    axes.set_title("Latency of all tasks")


def _words(side: ParityRun) -> str:
    return f"{side.target}{f', speed {side.speed:g}' if side.speed != 1 else ''}"


def _nines(share: float) -> float:
    return float(-np.log10(1 - share))


def _curve(ascending: Floats) -> tuple[Floats, Floats]:
    """The quantile function at evenly spaced numbers of nines: x position, and latency in seconds."""
    nines = np.linspace(0, _nines(1 - 0.5 / len(ascending)), _MOST_POINTS)
    values: Floats = np.quantile(ascending, 1 - 10**-nines, method="inverted_cdf")
    return nines, np.maximum(values, _LOWEST_S)


def _paired(axes: Axes, parity: Parity, latencies: Latencies) -> None:
    ended_s = max(parity.base.ended_s, parity.run.ended_s)
    starts_s, parts = _buckets(latencies, ended_s)
    for (low, high), color, alpha, label in (
        ((0.0, 1.0), GREY, 0.25, "all tasks"),
        ((0.05, 0.95), BLUE, 0.35, "90 % of tasks"),
    ):
        axes.fill_between(
            starts_s, _each(parts, low), _each(parts, high), step="post", color=color, alpha=alpha, lw=0, label=label
        )
    axes.plot(starts_s, _each(parts, 0.5), color=BLUE, drawstyle="steps-post", label="median")
    allowed_s = next(f.allowed for f in parity.figures if f.name == "latency_paired_median") or 0.0
    words = f"allowed for the median: {show_duration(allowed_s)}"
    limits(axes, [(-allowed_s, "", RED), (allowed_s, words, RED)])
    _symmetric_log(axes, allowed_s, latencies.difference_s)
    axes.set_ylabel("run minus base")
    axes.set_title("Paired differences of tasks")
    span_axis(axes, ended_s)


def _buckets(latencies: Latencies, ended_s: float) -> tuple[Floats, list[Floats]]:
    """The paired differences by due time: the start of each bin, and its values.

    The last one is repeated at the end of the run, so that the steps extend that far.
    """
    count = max(1, min(_MOST_POINTS, len(latencies.due_s) // _FEWEST_PER_BUCKET))
    edges_s: Floats = np.linspace(0, ended_s, count + 1)
    cuts = np.searchsorted(latencies.due_s, edges_s[1:-1])
    parts = np.split(latencies.difference_s, cuts)
    return edges_s, [*parts, parts[-1]]


def _each(parts: list[Floats], q: float) -> Floats:
    return np.array([np.quantile(part, q) if len(part) else np.nan for part in parts])


def _symmetric_log(axes: Axes, linear_s: float, values: Floats) -> None:
    """A scale that is linear around zero and logarithmic beyond, with few ticks that do not touch."""
    linear_s = max(linear_s, _LOWEST_S)
    largest_s = max(float(np.abs(values).max()), linear_s)
    decades = 10.0 ** np.arange(np.ceil(np.log10(linear_s)), np.ceil(np.log10(largest_s)) + 1)
    axes.set_yscale("symlog", linthresh=linear_s)
    axes.set_ylim(-1.3 * largest_s, 1.3 * largest_s)
    beyond = decades[decades >= 3 * linear_s]
    ticks = [0.0, linear_s, -linear_s, *beyond, *(-beyond)]
    axes.yaxis.set_major_locator(FixedLocator(sorted(tick for tick in ticks if abs(tick) <= 1.3 * largest_s)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{'+' if value > 0 else '-'}{show(abs(value), Form.SECONDS)}" if value else "0")
    )
