"""One line for the terminal: the fault that cost most, where one cost something of note."""

from soak.reports.attribution import cost_words
from soak.schemas.evidence.attribution import FaultAttribution
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.language.room import Work
from soak.schemas.units import show_duration

LEAST_SHARE = 0.01
"""Tasks that FAILED by a fault are of note from this share of all on."""


def attribution_line(verdict: Verdict, work: Work | None = None) -> str:
    """The most costly fault in words; empty where none cost anything of note. work: of a system without tasks."""
    noted = [each for each in verdict.attribution if _is_of_note(each, verdict.tasks["accepted"])]
    if not noted:
        return ""
    worst = max(noted, key=lambda each: (each.cost.lost, each.cost.duplicated, each.cost.failed, each.cost.blocked))
    words = [*cost_words(worst.cost, work), *_recovery(worst)]
    more = f" (and {len(noted) - 1} more: see the report)" if len(noted) > 1 else ""
    return f"fault {worst.fault}: {', '.join(words)}{more}"


def _is_of_note(fault: FaultAttribution, tasks: int) -> bool:
    cost = fault.cost
    return bool(cost.lost or cost.duplicated or cost.failed > LEAST_SHARE * tasks or _unrecovered(fault))


def _unrecovered(fault: FaultAttribution) -> int:
    """Windows that were over, and from which the system did not recover before the end."""
    return sum(each.cleared_s is not None and each.recovered_s is None for each in fault.occasions)


def _recovery(fault: FaultAttribution) -> list[str]:
    if count := _unrecovered(fault):
        return [f"no recovery seen from {count} of {fault.windows} windows"]
    return [f"recovered {show_duration(fault.recovered.longest_s)} after its end"] if fault.recovered else []
