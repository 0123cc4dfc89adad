"""A picture of a run for a message: latency and success over scenario time, with limits and scheduled faults."""

import io
from collections.abc import Callable

import numpy as np

from soak.runner.judge.samples import Facts
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats

PARTS = 120
"""Into how many parts a run is divided."""
_MOST_KEPT = 2_000
"""Latencies kept of a part: enough for its 95th percentile to within a percent of the tasks."""
_QUANTILE = 0.95


class Pictured:
    """Keeps of each part of a run the latencies and how many tasks succeeded."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._part_s = max(scenario.horizon_s / PARTS, 1.0)
        self._latencies: list[list[Floats]] = [[] for _ in range(PARTS + 1)]
        self._kept = np.zeros(PARTS + 1, dtype=np.int64)
        self._counts = np.zeros((2, PARTS + 1))

    def append(self, facts: Facts) -> None:
        """Take what a block says."""
        latency, success = facts.get("latency"), facts.get("success")
        if len(latency):
            parts = self._part(latency.t)
            for part in np.unique(parts).tolist():
                if self._kept[part] < _MOST_KEPT:
                    values = latency.value[parts == part][: _MOST_KEPT - int(self._kept[part])]
                    self._latencies[part].append(values)
                    self._kept[part] += len(values)
        if len(success):
            parts = self._part(success.t)
            self._counts[0] += np.bincount(parts, minlength=PARTS + 1)
            self._counts[1] += np.bincount(parts, weights=success.value, minlength=PARTS + 1)

    def _part(self, t: Floats) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        return np.minimum(t / self._part_s, PARTS).astype(np.int64)

    def drawn(self) -> tuple[bytes, str] | None:
        """A PNG and what it shows; None where no task ended, or it cannot be drawn."""
        known = np.flatnonzero(self._kept)
        if len(known) < 2:
            return None
        ends_s = np.minimum((known + 1) * self._part_s, self._scenario.horizon_s)
        p95 = np.array([np.quantile(np.concatenate(self._latencies[part]), _QUANTILE) for part in known.tolist()])
        total = self._counts[0][known]
        share = np.divide(self._counts[1][known], total, out=np.full(len(known), np.nan), where=total > 0)
        try:
            return _png(self._scenario, ends_s, p95, share), "95th percentile of latency and success rate over the run"
        except (OSError, RuntimeError, ValueError):
            # Drawing needs a writable directory for temporary files; the message goes without.
            return None


def _limit(scenario: Scenario, sli: str) -> float | None:
    found = [
        each.comparison.target
        for each in scenario.objectives
        if each.comparison.sli.name == sli and isinstance(each.comparison.target, float)
    ]
    return found[0] if found else None


def _png(scenario: Scenario, ends_s: Floats, p95: Floats, share: Floats) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from soak.reports.look.palette import SHADES, Role

    unit_s, unit = (3600.0, "hours") if ends_s[-1] > 2 * 3600 else (60.0, "minutes")
    times = ends_s / unit_s
    colour: Callable[[Role], str] = lambda role: SHADES[role].light  # noqa: E731
    figure = Figure(figsize=(8, 4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    for axes, values, sli, label, role in (
        (above, p95, "latency_p95", "latency p95, s", Role.BLUE),
        (below, 100 * share, "success_rate", "success rate, %", Role.GREEN),
    ):
        axes.plot(times, values, color=colour(role), linewidth=1.5)
        limit = _limit(scenario, sli)
        if limit is not None:
            at = limit if axes is above else 100 * limit
            axes.axhline(at, color=colour(Role.BAD), linestyle="--", linewidth=1)
            axes.annotate("limit", (times[-1], at), color=colour(Role.BAD), fontsize=8, ha="right", va="bottom")
        for fault in scenario.faults:
            for window in fault.windows[:200]:
                axes.axvspan(window.start_s / unit_s, window.end_s / unit_s, color=colour(Role.ORANGE), alpha=0.15)
        axes.set_ylabel(label)
        axes.grid(color=colour(Role.LINE), linewidth=0.5)
    below.set_xlim(0, times[-1])
    below.set_xlabel(f"scenario time, {unit}")
    written = io.BytesIO()
    figure.savefig(written, format="png")
    return written.getvalue()
