"""The same tasks in two runs: their difference in latency, and its mean over scenario time."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from msgspec import Struct

from soak.reports.look.charts import Form
from soak.reports.plots.canvas import BLUE, GREEN, GREY, RED, figure, nothing, to_svg
from soak.reports.plots.frame import named
from soak.reports.plots.scale import scale, span_axis
from soak.schemas.evidence.changes import Differences, TaskChanges
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration

_BINS_PER_DECADE = 6
_SMALLEST_S = 1e-3


def plot(tasks: TaskChanges, differences: Differences) -> bytes:
    """Distribution of the differences above; below, the mean difference over scenario time with its confidence interval."""
    if not len(differences.due_s) or tasks.latency is None:
        return to_svg(nothing("No task ended DONE or FAILED in both runs"))
    fig, (sizes, means) = figure(2, 5.4, (1.1, 1.0), shared=False)
    _sizes(sizes, differences.latency_s)
    _means(means, tasks, differences)
    return to_svg(fig)


def _sizes(axes: Axes, longer_s: Floats) -> None:
    sizes_s = np.abs(longer_s[longer_s != 0])
    scale = _Scale(10.0 ** _decade(sizes_s.min() if len(sizes_s) else 1.0))
    bins_s = scale.nearest_s * 10 ** (np.arange(_decades(sizes_s, scale) * _BINS_PER_DECADE + 1) / _BINS_PER_DECADE)
    unchanged = int((longer_s == 0).sum())
    axes.bar([0.0], [unchanged], [0.3], color=GREY, label=f"unchanged: {unchanged:,}")
    highest, places, names = max(unchanged, 1), [0.0], ["0"]
    for sign, color, word in ((-1, GREEN, "faster"), (1, RED, "slower")):
        values = sign * longer_s[longer_s * sign > 0]
        if not len(values):
            continue
        counts, _ = np.histogram(np.maximum(values, bins_s[0]), bins_s)
        highest = max(highest, int(counts.max()))
        edges = scale.places(sign * bins_s)
        axes.bar(
            np.minimum(edges[:-1], edges[1:]), counts, np.abs(np.diff(edges)), align="edge", color=color,
            label=f"{word}: {len(values):,}",
        )  # fmt: skip
        places += scale.places(sign * bins_s[::_BINS_PER_DECADE]).tolist()
        names += [f"{'+' if sign > 0 else '-'}{show_duration(tick)}" for tick in bins_s[::_BINS_PER_DECADE]]
    named(axes.xaxis, *zip(*sorted(zip(places, names, strict=True)), strict=True))
    axes.set_xlim(min(*places, -0.25) - 0.35, max(*places, 0.25) + 0.35)
    _counts_axis(axes, highest)
    axes.set_xlabel("difference in latency: run minus base")
    axes.set_title("Paired differences of tasks")


class _Scale(Struct, frozen=True):
    """Positions on an axis that is logarithmic on both sides of zero; `nearest_s` is at 1, ten times as much at 2."""

    nearest_s: float

    def places(self, seconds: npt.NDArray[Any]) -> Floats:
        placed: Floats = np.sign(seconds) * (1 + np.log10(np.abs(seconds) / self.nearest_s))
        return placed


def _decade(seconds: float) -> int:
    """The power of ten at or below a time, at least a millisecond."""
    return int(np.floor(np.log10(max(seconds, _SMALLEST_S)) + 1e-9))


def _decades(sizes_s: Floats, scale: _Scale) -> int:
    largest_s = float(sizes_s.max()) if len(sizes_s) else 1.0
    return max(1, _decade(largest_s) + 1 - _decade(scale.nearest_s))


def _counts_axis(axes: Axes, highest: int) -> None:
    scale(axes.yaxis, Form.NUMBER, log=True)
    axes.set_ylim(0.7, 2 * highest)
    axes.set_ylabel("tasks")


def _means(axes: Axes, tasks: TaskChanges, differences: Differences) -> None:
    latency = tasks.latency
    assert latency is not None
    if len(differences.batch_means_s):
        held = np.append(differences.batch_means_s, differences.batch_means_s[-1])
        label = f"mean of {len(differences.latency_s) // len(differences.batch_means_s):,} tasks"
        axes.plot(differences.edges_s, held, drawstyle="steps-post", color=BLUE, label=label)
    axes.axhline(latency.difference, color=BLUE, lw=1.0, ls="--", label="mean of all")
    if latency.low is not None and latency.high is not None:
        axes.axhspan(latency.low, latency.high, color=BLUE, alpha=0.18, lw=0, label=f"{tasks.confidence:.0%} interval")
    axes.axhline(0, color=GREY, lw=0.8)
    axes.set_ylabel("run minus base")
    scale(axes.yaxis, Form.SECONDS)
    axes.set_title("Mean difference over time")
    span_axis(axes, tasks.until_s)
