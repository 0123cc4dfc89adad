"""Since when, where it was worst, what probably caused it and what it cost: what the evidence explains, in four short lines.

A cause is called likely only where stretches with it were broken more often than those without it, or where the worst of
them lies in a fault or in the time until the system had recovered from it.
"""

from msgspec import Struct

from soak.reports.attribution import cost_words
from soak.reports.data import RunData
from soak.reports.summary import wall_time
from soak.schemas.evidence.attribution import FaultAttribution, Occasion
from soak.schemas.evidence.explanation import Broken, Explanation, Spread, Stretch
from soak.schemas.evidence.verdict import ObjectiveResult
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_duration

_SATURATED = 0.95
"""Of a limit, on average: more waits than can be worked off."""


class Account(Struct, frozen=True):
    """What is said of one thing that is broken; empty where nothing sound can be said. clock: `since` as
    a time of day."""

    what: str
    kind: str
    since: str
    worst: str
    cause: str
    cost: str
    clock: str = ""


def accounts(run: RunData) -> list[Account]:
    """An account of everything that is broken, in the order of the evidence."""
    return [_account(run, each) for each in run.verdict.explanation]


def _account(run: RunData, found: Explanation) -> Account:
    about, since_s = _about(run, found), _since(found)
    return Account(
        what=found.subject,
        kind={Broken.OBJECTIVE: "objective", Broken.LAW: "integrity law", Broken.ABORT: "abort condition"}[found.kind],
        since="" if since_s is None else moment(since_s),
        worst=_worst(run, found),
        cause=_cause(run, found),
        cost=_cost(run, about),
        clock="" if since_s is None else wall_time(run, since_s),
    )


def moment(t_s: float) -> str:
    """A moment of scenario time that cannot be taken for another: hours, minutes and seconds."""
    hours, rest = divmod(round(t_s), 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours}h {minutes:02d}m" + (f" {seconds:02d}s" if seconds else "")
    return f"{minutes}m {seconds:02d}s" if minutes else f"{seconds}s"


def _since(found: Explanation) -> float | None:
    """Since when; of an abort condition, which holds after its whole window, since that began."""
    if found.kind is Broken.ABORT and found.around is not None:
        return found.around.start_s
    if found.since_s is not None:
        return found.since_s
    first = min((case.t_s for cases in found.cases for case in cases.first), default=None)
    return first if first is not None else found.first.start_s if found.first else None


def _worst(run: RunData, found: Explanation) -> str:
    stretch = found.worst
    if stretch is None:
        return ""
    when = f"{moment(stretch.start_s)} to {moment(stretch.end_s)}"
    objective = _objective(run, found)
    # The value of a stretch is that of the indicator: what is compared in a quotient is one of its parts.
    sli = run.scenario.slis.get(objective.sli) if objective else None
    if stretch.value is None or objective is None or objective.limit is None or sli is None or sli.over:
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
        began = moment(occasion.injected_s or occasion.start_s)
        until = "the end" if cleared_s is None else moment(cleared_s)
        if during:
            return f"fault {fault.fault} ({began} to {until})"
        recovered = _over_s(run, occasion)
        return f"aftermath of fault {fault.fault} ({began} to {until}; recovered at {moment(recovered)})"
    return _by_cases(found) or _by_spread(found.spread) or _by_phase(run, found) or _by_load(found)


def _by_phase(run: RunData, found: Explanation) -> str:
    """The phase of the worst stretch, where the run has others."""
    around = found.around
    if around is None or len(around.phases) != 1 or len(run.scenario.phases) < 2:
        return ""
    began = next((each.window.start_s for each in run.scenario.phases if each.name == around.phases[0]), 0.0)
    return f"phase {around.phases[0]} (from {moment(began)})"


def _by_load(found: Explanation) -> str:
    """What was used up to its limit in the worst stretch."""
    for level in found.around.load if found.around else ():
        if level.limit and level.mean >= _SATURATED * level.limit:
            return f"saturation: {level.mean:.2g} of {level.limit:g} {level.what} on average"
    return ""


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
