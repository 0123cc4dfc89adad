"""The findings of a verdict: every check that did not pass, by name."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from soak.schemas.evidence.verdict import Status, Verdict

NEVER: Mapping[str, float] = {}
_WELL = frozenset({Status.PASS, Status.NOT_APPLICABLE})


class Finding(Struct, frozen=True):
    """A check that did not pass, and since when (seconds of scenario time; None: known at the end)."""

    check: str
    status: str
    at_s: float | None = None


def findings(verdict: Verdict, since_s: Mapping[str, float] = NEVER) -> list[Finding]:
    """All of them: abort conditions, objectives, laws, alerts, faults, and doubts of other kinds.

    `since_s`: when an objective began to be broken, by its text.
    """
    found = list(_named(verdict, since_s))
    if verdict.reasons and not found:
        found.append(Finding("doubt", verdict.verdict.value))
    return found


def _named(verdict: Verdict, since_s: Mapping[str, float]) -> Iterator[Finding]:
    for abort in verdict.aborts:
        if abort.held_at_s is not None:
            yield Finding(f"abort {abort.name}", "held", abort.held_at_s)
    for objective in verdict.objectives:
        if objective.status not in _WELL:
            at_s = since_s.get(objective.objective)
            yield Finding(f"objective {objective.objective}", objective.status.value, at_s)
    for law in verdict.laws:
        if law.status not in _WELL:
            yield Finding(f"law {law.law}", law.status.value)
    for alert in verdict.alerts:
        if alert.status not in {None, *_WELL}:
            yield Finding(f"alert {alert.name}", str(alert.status))
    for fault in verdict.faults:
        if fault.status not in _WELL:
            yield Finding(f"fault {fault.name}", fault.status.value)
