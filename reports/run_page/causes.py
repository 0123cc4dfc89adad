"""Since when, where it was worst, what probably caused it and what it cost: what the evidence explains, in four short lines.

A cause is called likely only where stretches with it were broken more often than those without it, or where the worst of
them lies in a fault or in the time until the system had recovered from it.
"""

from dataclasses import dataclass

from soak.reports.attribution import cost_words
from soak.reports.data import RunData
from soak.schemas.evidence.attribution import FaultAttribution, Occasion
from soak.schemas.evidence.explanation import Broken, Explanation, Spread, Stretch
from soak.schemas.evidence.verdict import ObjectiveResult
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_duration


@dataclass(frozen=True, slots=True)
class Account:
    """What is said of one thing that is broken; empty where nothing sound can be said."""

    what: str
    kind: str
    since: str
    worst: str
    cause: str
    cost: str


def accounts(run: RunData) -> list[Account]:
    """An account of everything that is broken, in the order of the evidence."""
    return [_account(run, each) for each in run.verdict.explanation]


def _account(run: RunData, found: Explanation) -> Account:
    return Account(
        what=found.subject,
        kind={Broken.OBJECTIVE: "objective", Broken.LAW: "integrity law", Broken.ABORT: "abort condition"}[found.kind],
        since=_since(run, found),
        worst=_worst(run, found),
        cause=_cause(run, found),
        cost=_cost(run, _about(run, found)),
    )


def _since(run: RunData, found: Explanation) -> str:
    if found.since_s is not None:
        return show_duration(round(found.since_s))
    first = min((case.t_s for cases in found.cases for case in cases.first), default=None)
    if first is not None:
        return show_duration(round(first))
    return show_duration(round(found.first.start_s)) if found.first else ""


def _worst(run: RunData, found: Explanation) -> str:
    stretch = found.worst
    if stretch is None:
        return ""
    when = f"{show_duration(round(stretch.start_s))} to {show_duration(round(stretch.end_s))}"
    objective = _objective(run, found)
    if stretch.value is None or objective is None or objective.limit is None:
        return when
    unit = Unit(objective.unit)
    return f"{when}: {unit.show(stretch.value)}"


def _objective(run: RunData, found: Explanation) -> ObjectiveResult | None:
    if found.kind is not Broken.OBJECTIVE:
        return None
    return next((each for each in run.verdict.objectives if each.objective == found.subject), None)


def _about(run: RunData, found: Explanation) -> list[tuple[FaultAttribution, Occasion]]:
    """The windows of faults that overlap the worst stretch, or from which the system had not recovered when it began."""
    stretch = found.worst or found.first or _before(found)
    if stretch is None:
        return []
    return [
        (fault, occasion)
        for fault in run.verdict.attribution
        for occasion in fault.occasions
        if occasion.injected_s is not None
        and occasion.injected_s < stretch.end_s
        and _over_s(run, occasion) > stretch.start_s
    ]


def _before(found: Explanation) -> Stretch | None:
    around = found.around
    return Stretch(around.start_s, around.end_s, None, 0) if around else None


def _over_s(run: RunData, occasion: Occasion) -> float:
    """When the system had recovered from a fault, as far as that was seen."""
    if occasion.recovered_s is not None:
        return occasion.recovered_s
    return run.verdict.ended_s if occasion.not_recovered else occasion.cleared_s or run.verdict.ended_s


def _cause(run: RunData, found: Explanation) -> str:
    """The likely cause in words; empty where nothing stands out."""
    about, stretch = _about(run, found), found.worst or found.first or _before(found)
    if about and stretch:
        fault, occasion = about[0]
        cleared_s = occasion.cleared_s
        during = cleared_s is None or cleared_s > stretch.start_s
        began = show_duration(round(occasion.injected_s or occasion.start_s))
        until = "the end" if cleared_s is None else show_duration(round(cleared_s))
        if during:
            return f"fault {fault.fault} ({began} to {until})"
        recovered = _over_s(run, occasion)
        return f"aftermath of fault {fault.fault} ({began} to {until}; recovered at {show_duration(round(recovered))})"
    if by_cause := _by_cases(found):
        return by_cause
    return _by_spread(found.spread)


def _by_cases(found: Explanation) -> str:
    """What most of the single cases carry as their cause."""
    counted = sorted(found.cases, key=lambda each: -each.count)
    if counted and counted[0].cause:
        total = sum(each.count for each in counted)
        return f"{counted[0].cause} ({counted[0].count:,} of {total:,} cases)"
    return ""


def _by_spread(spread: Spread | None) -> str:
    if spread is None:
        return ""
    for what, with_it, broken in (
        ("scheduled faults", spread.with_fault, spread.broken_with_fault),
        ("bursts", spread.with_burst, spread.broken_with_burst),
    ):
        others, broken_others = spread.stretches - with_it, spread.broken - broken
        if with_it and others and broken and broken / with_it > 2 * broken_others / others:
            return (
                f"{what}: broken in {broken:,} of {with_it:,} stretches with, {broken_others:,} of {others:,} without"
            )
    return ""


def _cost(run: RunData, about: list[tuple[FaultAttribution, Occasion]]) -> str:
    """What the fault of the cause cost in this window."""
    if not about:
        return ""
    _, occasion = about[0]
    work = run.work
    words = [*cost_words(occasion.cost, work)]
    if occasion.late:
        words.append(f"{occasion.late:,} of {occasion.ended:,} {work.units if work else 'tasks'} late")
    if occasion.breach_s:
        words.append(f"{show_duration(occasion.breach_s)} in breach")
    return ", ".join(words)
