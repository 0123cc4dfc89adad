"""The table of tenants by phase, for the summary and the page."""

from msgspec import Struct

from soak.schemas.systems.gateway.documents import ComparisonReport, PhaseReport, TenantInPhase
from soak.schemas.units import show_duration, show_rate, show_rate_like, show_ratio

_UNKNOWN = "–"


class TenantLine(Struct, frozen=True):
    """A line of the table, as text."""

    phase: str
    tenant: str
    requests: str
    success: str
    offered: str
    achieved: str
    p50: str
    p95: str
    p99: str
    slowdown: str


def rows(report: ComparisonReport) -> list[TenantLine]:
    """A line for each phase and tenant."""
    return [_row(phase, tenant, report.baseline) for phase in report.phases for tenant in phase.tenants]


def _row(phase: PhaseReport, tenant: TenantInPhase, baseline: str | None) -> TenantLine:
    offered, achieved = tenant.offered_per_s, tenant.achieved_per_s
    p50, p95, p99 = (_duration(each) for each in (tenant.p50_s, tenant.p95_s, tenant.p99_s))
    return TenantLine(
        phase.phase,
        tenant.tenant or "all",
        f"{tenant.requests:,}",
        _UNKNOWN if tenant.success_rate is None else show_ratio(tenant.success_rate),
        _UNKNOWN if offered is None else show_rate(offered),
        _UNKNOWN if achieved is None else show_rate_like(achieved, offered or achieved),
        p50,
        p95,
        p99,
        "baseline" if phase.phase == baseline else _slowdown(tenant),
    )


def _duration(value_s: float | None) -> str:
    return _UNKNOWN if value_s is None else show_duration(value_s)


def _slowdown(tenant: TenantInPhase) -> str:
    if tenant.slowdown is None:
        return _UNKNOWN
    if tenant.slowdown_interval is None:
        return f"{tenant.slowdown:.3g} (no interval)"
    low, high = ("?" if each is None else f"{each:.3g}" for each in tenant.slowdown_interval)
    return f"{tenant.slowdown:.3g} ({low} to {high})"


def fairness(report: ComparisonReport) -> str:
    """Jain's index of each phase, in a sentence; empty where there is none."""
    found = [f"{each.jain_index:.3f} in {each.phase}" for each in report.phases if each.jain_index is not None]
    if report.jain_index is not None:
        found.insert(0, f"{report.jain_index:.3f} over the run")
    if not found:
        return ""
    return (
        f"Jain's index of throughput / max-min fair share: {', '.join(found)} (1: every tenant gets what it is entitled to; "
        "1 / number of tenants: one gets all)."
    )


def notes(report: ComparisonReport) -> str:
    """What the columns are."""
    return (
        "Offered: requests that were due; achieved: that succeeded, per time of the phase. Latency counts from when a request "
        f"was due. Slowdown: p99 / that in {report.baseline}, with its 95 % interval."
    )
