"""A forecast in words."""

from collections.abc import Iterator

from soak.schemas.language.model import Scenario
from soak.schemas.systems.gateway.settings import gateway_of
from soak.schemas.units import show_duration, show_rate, show_ratio
from soak.simulation.gateway.forecast import GatewayForecast, Stretch, Tenant

_MOST_TENANTS = 12


def figures(scenario: Scenario, f: GatewayForecast) -> list[str]:
    """The forecast, a line each."""
    users = scenario.workload.users
    lines = []
    if users:
        lines.append(
            f"  users       {users.count:,}; think time {show_duration(round(users.think.mean_s, 3))} on average"
        )
    requests = f"about {f.expected:,.0f}" if f.drawn is None else f"{f.drawn:,} ({f.expected:,.0f} expected)"
    lines.append(
        f"  requests    {requests}, {show_duration(round(scenario.workload.service.mean_s, 6))} of service on average"
    )
    for stretch in f.stretches:
        lines += _stretch(scenario, stretch)
    return lines


def _stretch(scenario: Scenario, stretch: Stretch) -> Iterator[str]:
    gateway = gateway_of(scenario)
    of = [f"{stretch.users:,.0f} users"] if scenario.workload.users else []
    what = [*of, show_rate(stretch.sent_per_s), *_busy(scenario, stretch.tenants, shared=True)]
    if gateway.outbox:
        what.append(f"outbox {show_ratio(round(stretch.outbox, 3))}")
    name = stretch.phase or "busy"
    yield f"  {name:11} {', '.join(what)}"
    for tenant in stretch.tenants[:_MOST_TENANTS] if len(stretch.tenants) > 1 else ():
        own = [f"{tenant.users:,.0f} users"] if scenario.workload.users else []
        sent = [*own, show_rate(tenant.sent_per_s), f"{tenant.requests:,.0f} requests"]
        took = "" if tenant.response_s is None else f"about {show_duration(round(tenant.response_s, 4))} each"
        words = [*sent, *([took] if took else []), *_busy(scenario, (tenant,), shared=False)]
        yield f"    {tenant.name:9} {', '.join(words)}"


def _busy(scenario: Scenario, tenants: tuple[Tenant, ...], *, shared: bool) -> Iterator[str]:
    """How busy the parts are that all tenants share, or those that one has for itself."""
    gateway = gateway_of(scenario)
    alone = len(scenario.workload.tenants) < 2
    pooled = len(gateway.parts(gateway.workers, len(scenario.workload.tenants) or 1)) == 1
    if alone or pooled == shared:
        yield f"workers {show_ratio(round(tenants[0].workers, 3))} busy"
        if gateway.store:
            yield f"store {show_ratio(round(tenants[0].store, 3))}"
    if gateway.chain and (alone or not shared):
        yield f"chain {show_ratio(round(tenants[0].chain, 3))}"
