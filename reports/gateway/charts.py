"""Tenants beside each other: latency with its limit, and requests offered and achieved, each a small chart."""

from collections.abc import Sequence

import numpy as np

from soak.reports.data import RunData
from soak.reports.gateway.data import latency_of
from soak.reports.look.charts import Chart, Form, Limit, Line
from soak.reports.look.palette import SERIES, Role
from soak.reports.look.svg import only_value
from soak.reports.run_page.surroundings import bands, marks
from soak.schemas.evidence.verdict import Status
from soak.schemas.stream.block import Floats
from soak.schemas.systems.gateway.documents import LatencyReport, OverTime

MOST_TENANTS = 24
"""Tenants that are drawn, those with the worst latency; the table has them all."""
MOST_TOGETHER = 8
"""Tenants that are lines of one chart."""
_FEWEST = 2
_FAR = 10.0
"""One that has this many times as much as most hides them on one linear scale."""


def small_charts(run: RunData) -> Sequence[Chart]:
    """What tenants have in common, and two small charts for each of them; none of a run with one tenant or none.

    The small ones are on one scale, but for those of requests where one tenant has far more than most.
    """
    found = latency_of(run)
    if found is None or sum(bool(each.tenant) and sum(each.due) > 0 for each in found.over_time) < _FEWEST:
        return ()
    drawn = _drawn(found)
    latencies = [_latency(each) for each in drawn]
    high = max((float(np.nanmax(each)) for each in latencies if np.isfinite(each).any()), default=1.0)
    peaks = [max(each.due, default=0) / found.window_s for each in drawn]
    alike = max(peaks) <= _FAR * float(np.median(peaks))
    charts = [_latencies(run, found, drawn, latencies), _loads(run, found, drawn)]
    for place, (each, latency_s) in enumerate(zip(drawn, latencies, strict=True)):
        charts.append(_latency_chart(run, found, each, latency_s, place, high))
        charts.append(_throughput_chart(run, found, each, place, max(peaks) if alike else peaks[place]))
    return charts


def _spread(lines: Sequence[Floats]) -> bool:
    """Whether the largest of the lines hides the others on a linear scale."""
    peaks = [float(np.nanmax(each)) for each in lines if np.isfinite(each).any()]
    return bool(peaks) and max(peaks) > _FAR * float(np.median(peaks)) > 0


def _latencies(run: RunData, found: LatencyReport, drawn: Sequence[OverTime], latencies: Sequence[Floats]) -> Chart:
    chosen = list(zip(drawn, latencies, strict=True))[:MOST_TOGETHER]
    shown = [(each.tenant, np.where(latency_s > 0, latency_s, np.nan)) for each, latency_s in chosen]
    return _together(run, found, "tenants-latency", "Latency p95 of each tenant", shown, Form.SECONDS, "")


def _loads(run: RunData, found: LatencyReport, drawn: Sequence[OverTime]) -> Chart:
    shown = [(each.tenant, np.array(each.due, dtype=np.float64) / found.window_s) for each in drawn[:MOST_TOGETHER]]
    return _together(
        run, found, "tenants-load", "Requests that each tenant was to send", shown, Form.NUMBER, "requests/s"
    )


def _together(
    run: RunData,
    found: LatencyReport,
    name: str,
    title: str,
    shown: Sequence[tuple[str, Floats]],
    form: Form,
    unit: str,
) -> Chart:
    """Up to eight tenants as lines; on a logarithmic scale, which has no place for 0, where one is far above most."""
    log = _spread([values for _, values in shown])
    lines = [
        Line(tenant, SERIES[place % len(SERIES)], np.where(values > 0, values, np.nan) if log else values)
        for place, (tenant, values) in enumerate(shown)
    ]
    return Chart(
        name,
        title,
        _ends(run, found, max(len(values) for _, values in shown)),
        lines,
        form,
        unit,
        bands=bands(run),
        marks=marks(run),
        log=log,
        low=None if log else 0.0,
        stepped=True,
        span_s=(0.0, run.verdict.ended_s),
    )


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
        Limit(only_value(o.objective), o.limit, Role.BAD if o.status is Status.FAIL else Role.OK)
        for o in run.verdict.objectives
        if o.sli == "latency_p95" and o.limit and o.labels.get("tenant", "") in {"", each.tenant}
    ]
    return Chart(
        f"tenant-{place}-latency",
        f"{each.tenant}: latency p95",
        _ends(run, found, len(latency_s)),
        [Line("p95", Role.BLUE, latency_s)],
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
        f"{each.tenant}: requests/s",
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
