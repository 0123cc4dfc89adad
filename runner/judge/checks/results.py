"""From what checks answered to the results of their objectives, and warnings of the teardown."""

from collections.abc import Iterator

from soak.runner.judge.checks.expected import Judged, objective_text, why
from soak.runner.judge.checks.outcomes import unanswered
from soak.runner.judge.compared import margin
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import End, ObjectiveResult, Status
from soak.schemas.language.check import Check, Exactly, Expected, When
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_duration


def judge_checks(judge: Judge, end: End) -> Iterator[ObjectiveResult]:
    """The result of each expectation for each tenant."""
    for place, check in enumerate(judge.scenario.checks):
        for number, expected in enumerate(check.expected):
            for tenant in check.tenants:
                judged = judge.checks.expectations.judged.get((place, number, tenant))
                yield _result(check, expected, tenant, judged, end)


def _result(check: Check, expected: Expected, tenant: str, judged: Judged | None, end: End) -> ObjectiveResult:
    found = judged.counts if judged else None
    status, detail = status_of(check, judged, end)
    value, target = (found.value, found.target) if found else (None, None)
    unit = Unit.ANSWER if isinstance(expected.target, Exactly) else Unit.COUNT
    return ObjectiveResult(
        objective=objective_text(check, expected, tenant),
        sli=check.sli_name(expected.field),
        labels={"tenant": tenant} if tenant else {},
        value=value,
        target=target,
        op=expected.op.value,
        unit=unit.value,
        status=status,
        margin=None if value is None or target is None or unit is Unit.ANSWER else margin(expected.op, value, target),
        samples=judged.answers if judged else 0,
        min_samples=1,
        interval=None,
        confidence=None,
        detail=detail,
    )


def status_of(check: Check, judged: Judged | None, end: End) -> tuple[Status, str]:
    """What is said of an expectation of a run that ended in this way, and why."""
    if judged is None or judged.counts is None:
        return Status.INCONCLUSIVE, f"the check {check.name} was not made{_because(check, end)}"
    found = judged.counts
    if check.when is When.EVERY and judged.open and found.status is not Status.FAIL:
        times = f"{judged.open} times: " if judged.open > 1 else "once: "
        return Status.INCONCLUSIVE, f"{times}{judged.first_open}"
    if check.when is When.SETTLED and found.status is Status.FAIL and not end.orderly:
        return Status.INCONCLUSIVE, f"it did not hold so far{_because(check, end)}"
    if check.when is When.SETTLED and found.status is not Status.PASS:
        tried = f"not within {show_duration(check.within_s)}"
        return found.status, f"{found.detail}; {tried}" if found.detail else tried
    return found.status, found.detail


def _because(check: Check, end: End) -> str:
    if end.orderly:
        return ": the run was shorter than its interval" if check.when is When.EVERY else ""
    return {
        End.ABORTED: ": the run was aborted before",
        End.INTERRUPTED: ": the run was interrupted before",
        End.CUT: ": the run failed before",
    }[end]


def teardown_warnings(judge: Judge) -> Iterator[str]:
    """What is said of steps of the teardown of a real run that failed, or were not done."""
    outcomes, steps = judge.checks.outcomes, judge.scenario.teardown
    for (place, tenant), done in outcomes.teardown.items():
        if done.failed:
            yield f"teardown {steps[place].name}{_of(tenant)} failed: {why(done.failed, steps[place])}"
    for name, tenant in unanswered(judge.scenario, outcomes):
        yield f"teardown {name}{_of(tenant)} was not done: `soak resume` does it"


def _of(tenant: str) -> str:
    return f"{{tenant={tenant}}}" if tenant else ""
