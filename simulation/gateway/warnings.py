"""What of a plan is more than a gateway can carry, or less than an objective needs."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from soak.schemas.language.conditions import Reference
from soak.schemas.language.expression import Selector
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate
from soak.schemas.systems.gateway.settings import gateway_of
from soak.schemas.units import show_duration, show_rate, show_ratio
from soak.simulation.closed import COORDINATED_OMISSION
from soak.simulation.plan import Plan
from soak.simulation.segments import shortfall

if TYPE_CHECKING:
    from soak.simulation.gateway.forecast import Load, Stretch, Tenant

BEYOND = 10
"""Requests beyond a quantile from which on a change of it by a fifth shows: 1,000 requests for a p99."""

_ROUNDING = 1e-9
_THROTTLED = 0.01
_FULL = 0.99
"""Of a closed workload: nothing is ever busier than this share but what holds the rest up."""


def warnings(plan: Plan, load: "Load", stretches: "Sequence[Stretch]", drawn: int | None) -> Iterator[str]:
    """All of a plan."""
    scenario = plan.scenario
    for stretch in stretches:
        yield from _overloaded(plan, load, stretch)
        yield from _limited(stretch)
        yield from _slow(scenario, stretch)
        if stretch.outbox > 1 + _ROUNDING:
            yield f"{_where(stretch)}the outbox gets {stretch.outbox:.2f} rows for each that is worked off: it grows"
    yield from dict.fromkeys(_few(scenario, stretches))
    if drawn is None:
        yield COORDINATED_OMISSION
    else:
        yield from shortfall(scenario, drawn)


def _where(stretch: "Stretch") -> str:
    return f"phase {stretch.phase}: " if stretch.phase else ""


def _overloaded(plan: Plan, load: "Load", stretch: "Stretch") -> Iterator[str]:
    """Parts that hold the rest up; one that all tenants share is named once."""
    closed = plan.scenario.workload.users is not None
    above = _FULL if closed else 1 + _ROUNDING
    seen: set[str] = set()
    for tenant, path in zip(stretch.tenants, load.paths(), strict=True):
        of = f" of {tenant.name}" if tenant.name else ""
        apart = of if load.apart else ""
        parts = (
            (f"the workers{apart}", tenant.workers, path.workers),
            (f"the connections{apart} to the store", tenant.store, path.store),
            (f"the lock of the chain{of}", tenant.chain, path.lock),
        )
        for name, busy, station in parts:
            if busy > above and name not in seen:
                seen.add(name)
                most = show_rate(station.servers / station.need_s)
                more = "saturated by design: " if closed else ""
                what = "are" if name.startswith(("the workers", "the connections")) else "is"
                yield f"{_where(stretch)}{more}{name} {what} {show_ratio(round(busy, 4))} busy: at most {most} can end"


def _limited(stretch: "Stretch") -> Iterator[str]:
    for tenant in stretch.tenants:
        if tenant.sent_per_s and tenant.admitted_per_s < tenant.sent_per_s * (1 - _THROTTLED):
            share = show_ratio(round(1 - tenant.admitted_per_s / tenant.sent_per_s, 3))
            who = f"{tenant.name} sends" if tenant.name else "users send"
            rates = f"{show_rate(tenant.sent_per_s)}, and {show_rate(tenant.admitted_per_s)} are let through"
            yield f"{_where(stretch)}{who} about {rates}: about {share} is throttled"


def _slow(scenario: Scenario, stretch: "Stretch") -> Iterator[str]:
    timeout_s = gateway_of(scenario).timeout_s
    for tenant in stretch.tenants:
        if scenario.workload.users and tenant.response_s is not None and tenant.response_s > timeout_s:
            of = f" of {tenant.name}" if tenant.name else ""
            takes = show_duration(round(tenant.response_s, 1))
            limit = show_duration(timeout_s)
            yield f"{_where(stretch)}a request{of} takes about {takes}, but http.timeout is {limit}: most time out"


# Objectives that compare a quantile with that of another phase.


def _few(scenario: Scenario, stretches: "Sequence[Stretch]") -> Iterator[str]:
    for objective in scenario.objectives:
        comparison = objective.comparison
        if comparison.sli.aggregate is not Aggregate.QUANTILE or not isinstance(comparison.target, Reference):
            continue
        wanted = BEYOND / (1 - comparison.sli.q)
        selectors = comparison.selector, comparison.target.selector
        requests, selector = min((expected_requests(scenario, stretches, each), each) for each in selectors)
        if requests < wanted:
            labels = ", ".join(f"{label}={value}" for label, value in selector)
            what = f"about {requests:,.0f} requests of {{{labels}}} are expected"
            enough = f"about {wanted:,.0f} are needed for a change of 20 % to show"
            yield f"{comparison.text}: {what}, and {enough}: lengthen the phase, or write more users"


def expected_requests(scenario: Scenario, stretches: "Sequence[Stretch]", selector: Selector) -> float:
    """Requests that labels select, as they are expected; those that are throttled do not end well and are left out."""
    wanted = dict(selector)
    kinds = [
        kind.share for kind in scenario.workload.kinds if kind.has({k: v for k, v in wanted.items() if k == "kind"})
    ]
    share = sum(kinds) if scenario.workload.kinds else 1.0
    return share * sum(
        _well(tenant, stretch)
        for stretch in stretches
        if wanted.get("phase", stretch.phase) == stretch.phase
        for tenant in stretch.tenants
        if wanted.get("tenant", tenant.name) == tenant.name
    )


def _well(tenant: "Tenant", stretch: "Stretch") -> float:
    return min(tenant.sent_per_s, tenant.admitted_per_s) * (stretch.end_s - stretch.start_s)
