"""Tenants beside each other: latency with its limit, and requests offered and achieved, each a small chart."""

from collections.abc import Sequence

import numpy as np

from soak.reports.data import RunData
from soak.reports.gateway.data import latency_of
from soak.reports.look.charts import Chart, Fold, Form, Limit, Line
from soak.reports.look.palette import Role
from soak.reports.run_page.surroundings import bands, marks
from soak.schemas.evidence.verdict import Status
from soak.schemas.stream.block import Floats
from soak.schemas.systems.gateway.documents import LatencyReport, OverTime

MOST_TENANTS = 24
"""Tenants that are drawn, those with the worst latency; the table has them all."""


def small_charts(run: RunData) -> Sequence[Chart]:
    """Two charts for each tenant, on one scale for all; none of a run without tenants, whose charts are those of the run."""
    found = latency_of(run)
    if found is None or not any(sum(each.due) for each in found.over_time if each.tenant):
        return ()
    drawn = _drawn(found)
    latencies = [_latency(each) for each in drawn]
    high = max((float(np.nanmax(each)) for each in latencies if np.isfinite(each).any()), default=1.0)
    most = max(max(each.due, default=0) for each in drawn) / found.window_s
    charts = []
    for place, (each, latency_s) in enumerate(zip(drawn, latencies, strict=True)):
        charts.append(_latency_chart(run, found, each, latency_s, place, high))
        charts.append(_throughput_chart(run, found, each, place, most))
    return charts


def _drawn(found: LatencyReport) -> list[OverTime]:
    """Those with the worst latency, in their order."""
    worst = sorted(found.over_time, key=lambda each: -max((value or 0.0 for value in each.p95_s), default=0.0))
    return [each for each in found.over_time if each in worst[:MOST_TENANTS]]


def left_out(found: LatencyReport | None) -> str:
    """Which tenants are not drawn."""
    more = len(found.over_time) - MOST_TENANTS if found else 0
    return f"The {MOST_TENANTS} with the worst latency; {more:,} more are in the table." if more > 0 else ""


def _latency(each: OverTime) -> Floats:
    unknown = float("nan")
    return np.array([unknown if value is None else value for value in each.p95_s], dtype=np.float64)


def _ends(run: RunData, found: LatencyReport, count: int) -> Floats:
    ends_s: Floats = np.minimum(found.window_s * np.arange(1, count + 1), run.verdict.ended_s or np.inf)
    return ends_s


def _latency_chart(
    run: RunData, found: LatencyReport, each: OverTime, latency_s: Floats, place: int, high: float
) -> Chart:
    limits = [
        Limit(o.objective, o.limit, Role.BAD if o.status is Status.FAIL else Role.OK)
        for o in run.verdict.objectives
        if o.is_of_latency and o.limit and o.labels.get("tenant", "") in {"", each.tenant}
    ]
    return Chart(
        f"tenant-{place}-latency",
        f"{each.tenant}: latency p95",
        _ends(run, found, len(latency_s)),
        [Line("p95", Role.BLUE, latency_s, Fold.PEAK)],
        Form.SECONDS,
        limits=limits,
        bands=bands(run),
        marks=marks(run),
        low=0.0,
        high=1.06 * max([high, *(limit.value for limit in limits)]),
        stepped=True,
        small=True,
        span_s=(0.0, run.verdict.ended_s),
    )


def _throughput_chart(run: RunData, found: LatencyReport, each: OverTime, place: int, most: float) -> Chart:
    lines = [
        Line(name, role, np.array(counts, dtype=np.float64) / found.window_s)
        for name, role, counts in (
            ("offered", Role.GREY, each.due),
            ("achieved", Role.BLUE, each.done),
            ("failed", Role.BAD, each.failed),
        )
        if name != "failed" or any(counts)
    ]
    return Chart(
        f"tenant-{place}-requests",
        f"{each.tenant}: requests per second",
        _ends(run, found, len(each.due)),
        lines,
        unit="requests/s",
        bands=bands(run),
        marks=marks(run),
        low=0.0,
        high=1.06 * most or 1.0,
        stepped=True,
        small=True,
        span_s=(0.0, run.verdict.ended_s),
    )
