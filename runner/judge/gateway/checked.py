"""chain_verify.json and reconcile.json: what the checks of these names answered, for each tenant."""

from collections.abc import Iterator

from soak.runner.judge.checks.expected import found_in, why
from soak.runner.judge.checks.outcomes import Answers, Outcomes
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.check import Check
from soak.schemas.language.model import Scenario
from soak.schemas.systems.gateway.documents import CHECKED, SCHEMA_VERSION, CheckReport, TenantChecked


def check_reports(scenario: Scenario, outcomes: Outcomes) -> Iterator[tuple[str, CheckReport]]:
    """The file of each check that has one, with its name."""
    for place, check in enumerate(scenario.checks):
        if check.name not in CHECKED:
            continue
        tenants = [_tenant(check, tenant, outcomes.answers.get((place, tenant))) for tenant in check.tenants]
        expected = [f"{each.field} {each.shown}" for each in check.expected]
        yield CHECKED[check.name], CheckReport(SCHEMA_VERSION, scenario.name, check.name, expected, tenants)


def _tenant(check: Check, tenant: str, answers: Answers | None) -> TenantChecked:
    last = answers.last if answers else None
    if answers is None or last is None:
        return TenantChecked(tenant, Status.INCONCLUSIVE.value, 0, None, {}, "", "it was not made")
    found = [found_in(check, expected, last) for expected in check.expected]
    worst = max(found, key=lambda each: each.badness, default=None)
    status = worst.status if worst else Status.INCONCLUSIVE if last.failed else Status.PASS
    detail = worst.detail if worst else why(last.failed, check) if last.failed else ""
    return TenantChecked(tenant, status.value, answers.count, last.t_s, dict(last.values), last.failed, detail)
