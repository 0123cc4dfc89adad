"""chain_verify.json and reconcile.json: what the checks of these names answered, for each tenant."""

from collections.abc import Iterator

from soak.runner.judge.checks.expected import Expectations, why
from soak.runner.judge.checks.outcomes import Outcomes
from soak.runner.judge.checks.results import status_of
from soak.schemas.evidence.verdict import End, Status
from soak.schemas.language.check import Check
from soak.schemas.language.model import Scenario
from soak.schemas.systems.gateway.documents import CHECKED, SCHEMA_VERSION, CheckReport, TenantChecked

_RANK = {Status.PASS: 0, Status.INCONCLUSIVE: 1, Status.FAIL: 2}


def check_reports(
    scenario: Scenario, outcomes: Outcomes, expectations: Expectations, end: End
) -> Iterator[tuple[str, CheckReport]]:
    """The file of each check that has one, with its name; its status is the worst of the check's objectives in the verdict."""
    for place, check in enumerate(scenario.checks):
        if check.name in CHECKED:
            tenants = [_tenant(place, check, tenant, outcomes, expectations, end) for tenant in check.tenants]
            expected = [f"{each.field} {each.shown}" for each in check.expected]
            yield CHECKED[check.name], CheckReport(SCHEMA_VERSION, scenario.name, check.name, expected, tenants)


def _tenant(
    place: int, check: Check, tenant: str, outcomes: Outcomes, expectations: Expectations, end: End
) -> TenantChecked:
    answers = outcomes.answers.get((place, tenant))
    last = answers.last if answers else None
    if answers is None or last is None:
        return TenantChecked(tenant, Status.INCONCLUSIVE.value, 0, None, {}, "", "it was not made")
    found = [status_of(check, expectations.judged.get((place, n, tenant)), end) for n in range(len(check.expected))]
    status, detail = max(found, key=lambda each: _RANK[each[0]])
    detail = detail or (why(last.failed, check) if last.failed else "")
    return TenantChecked(tenant, status.value, answers.count, last.t_s, dict(last.values), last.failed, detail)
