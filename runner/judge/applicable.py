"""What of a scenario does not apply to a target: indicators of what it does not promise, and faults that were left out.

The judge follows the rest as if the scenario said no more; what does not apply is shown in the verdict, in its place.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from soak.runner.judge.alerts import abort_result, alert_result, number_or_none
from soak.runner.judge.combined import guard_of
from soak.runner.judge.faults import asked
from soak.runner.judge.labels import LabelNumbers
from soak.schemas.evidence.verdict import AbortResult, AlertResult, FaultResult, ObjectiveResult, Status
from soak.schemas.language.conditions import Alert, Combination, Condition, Expectation, Objective
from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.language.slis import Sli
from soak.schemas.stream.identity import Identity

if TYPE_CHECKING:
    from soak.runner.judge.judge import Judge

T = TypeVar("T")

GONE = "left_out"
"""The type of a fault that the scenario of a run does not have any more."""


class Inapplicable(Struct, frozen=True):
    """By its place in the scenario as written, why an objective, abort condition, alert or fault does not apply.

    expected: why nothing is expected of an alert that is watched all the same. gone: by name, why a fault does not apply that
    the scenario of the run does not have any more.
    """

    written: Scenario
    objectives: Mapping[int, str] = field(default_factory=dict)
    aborts: Mapping[int, str] = field(default_factory=dict)
    alerts: Mapping[int, str] = field(default_factory=dict)
    expected: Mapping[int, str] = field(default_factory=dict)
    faults: Mapping[int, str] = field(default_factory=dict)
    gone: Mapping[str, str] = field(default_factory=dict)


def not_promised(needed: Sequence[str], promises: Sequence[str] | None) -> str:
    """Why what needs one of these promises does not apply; empty where it does. promises: None for all of them."""
    if promises is None or not needed or not set(needed).isdisjoint(promises):
        return ""
    return f"not applicable: nobody promises {' or '.join(needed)}"


def applicable(scenario: Scenario, identity: Identity | None) -> tuple[Scenario, Inapplicable]:
    """The scenario with what applies to the target of a run, and the rest."""
    if identity is None or (identity.promises is None and not identity.left_out):
        return scenario, Inapplicable(scenario)
    return _Division(scenario, identity).divided()


class _Division:
    """Divides a scenario by what the target of a run promises."""

    def __init__(self, scenario: Scenario, identity: Identity) -> None:
        self._scenario, self._promises = scenario, identity.promises
        self._left_out = identity.left_out or {}
        self._needed = language_of(scenario.system).promised

    def divided(self) -> tuple[Scenario, Inapplicable]:
        """What applies, and the rest."""
        scenario = self._scenario
        objectives = _by_place([self._of_sli(each.comparison.sli) for each in scenario.objectives])
        aborts = _by_place([self._of_condition(each) for each in scenario.aborts])
        alerts = _by_place([self._of_condition(each.condition) for each in scenario.alerts])
        faults = _by_place([self._of_fault(each.name) for each in scenario.faults])
        expected = _by_place([self._of_fault((each.expect and each.expect.of) or "") for each in scenario.alerts])
        watched = [
            replace(each, condition=self._rest(each.condition), expect=None if place in expected else each.expect)
            for place, each in enumerate(scenario.alerts)
        ]
        rest = replace(
            scenario,
            objectives=_without(scenario.objectives, objectives),
            aborts=tuple(self._rest(each) for each in _without(scenario.aborts, aborts)),
            alerts=_without(watched, alerts),
            faults=_without(scenario.faults, faults),
        )
        known = {each.name for each in scenario.faults}
        gone = {name: why for name, why in self._left_out.items() if name not in known}
        return rest, Inapplicable(scenario, objectives, aborts, alerts, expected, faults, gone)

    def _of_sli(self, sli: Sli) -> str:
        return not_promised(self._needed.get(sli.source or sli.series, ()), self._promises)

    def _of_fault(self, name: str) -> str:
        return self._left_out.get(name, "")

    def _of_condition(self, condition: Condition | Combination) -> str:
        """Why a condition cannot hold: of several that must hold together, that one of them cannot."""
        if isinstance(condition, Condition):
            return self._of_sli(condition.comparison.sli)
        why = [self._of_condition(each) for each in condition.members]
        lacks = any(why) if condition.every else all(why)
        return next(each for each in why if each) if lacks else ""

    def _rest(self, condition: Condition | Combination) -> Condition | Combination:
        """Of conditions of which one must hold, those that can."""
        if isinstance(condition, Condition) or self._of_condition(condition):
            return condition
        members = tuple(self._rest(each) for each in condition.members if not self._of_condition(each))
        return replace(condition, members=members)


def _by_place(why: Sequence[str]) -> dict[int, str]:
    return {place: each for place, each in enumerate(why) if each}


def _without(all_of_them: Sequence[T], places: Mapping[int, str]) -> tuple[T, ...]:
    return tuple(each for place, each in enumerate(all_of_them) if place not in places)


def _in_place(found: Sequence[T], others: Mapping[int, T]) -> list[T]:
    """Results with those of what does not apply in their places; what is found beyond those of the scenario comes last."""
    rest = iter(found)
    count = len(found) + len(others)
    return [others[place] if place in others else next(rest) for place in range(count)]


# Their results.


def with_objectives(judge: "Judge", results: Sequence[ObjectiveResult]) -> list[ObjectiveResult]:
    """The results of objectives with those that do not apply."""
    beside = judge.beside
    others = {
        place: _objective(judge, beside.written.objectives[place], why) for place, why in beside.objectives.items()
    }
    return _in_place(results, others)


def _objective(judge: "Judge", objective: Objective, why: str) -> ObjectiveResult:
    comparison, sli = objective.comparison, objective.comparison.sli
    plain = not comparison.selector and not comparison.is_quotient and objective.window_s is None
    known = plain and sli.name in judge.scenario.slis
    return ObjectiveResult(
        objective=comparison.text,
        sli=sli.name,
        labels=dict(comparison.selector),
        value=number_or_none(judge.sli_value(sli)) if known else None,
        target=objective.target if isinstance(objective.target, float) else None,
        op=objective.op.value,
        unit=objective.unit.value,
        status=Status.NOT_APPLICABLE,
        margin=None,
        samples=judge.folds.fold(sli).samples if known else 0,
        min_samples=objective.min_samples,
        interval=None,
        confidence=None,
        detail=why,
        note=objective.note,
    )


def with_aborts(judge: "Judge", results: Sequence[AbortResult]) -> list[AbortResult]:
    """The results of abort conditions with those that cannot hold."""
    beside = judge.beside
    others = {place: _abort(judge.labels, beside.written.aborts[place], why) for place, why in beside.aborts.items()}
    return _in_place(results, others)


def _abort(labels: LabelNumbers, condition: Condition | Combination, why: str) -> AbortResult:
    return msgspec.structs.replace(abort_result(guard_of(condition, labels)), not_applicable=why)


def with_alerts(judge: "Judge", results: Sequence[AlertResult]) -> list[AlertResult]:
    """The results of alerts with those that cannot fire, and those of which nothing is expected for want of their fault."""
    beside = judge.beside
    others = {place: _alert(judge, beside.written.alerts[place], why) for place, why in beside.alerts.items()}
    found = _in_place(results, others)
    for place, why in beside.expected.items():
        if place not in others:
            fault = (beside.written.alerts[place].expect or Expectation()).of
            detail = f"not applicable: fault {fault} is left out: {why}"
            found[place] = msgspec.structs.replace(found[place], status=Status.NOT_APPLICABLE, detail=detail)
    return found


def _alert(judge: "Judge", alert: Alert, why: str) -> AlertResult:
    result = alert_result(replace(alert, expect=None), [], judge.scenario, judge.until_s)
    return msgspec.structs.replace(result, status=Status.NOT_APPLICABLE, detail=why)


def with_faults(judge: "Judge", results: Sequence[FaultResult]) -> list[FaultResult]:
    """The results of faults with those that were left out."""
    beside = judge.beside
    others = {place: _fault(beside.written.faults[place], why) for place, why in beside.faults.items()}
    gone = [FaultResult(name, GONE, "", 0.0, 0, 0, Status.NOT_APPLICABLE, why) for name, why in beside.gone.items()]
    return [*_in_place(results, others), *gone]


def _fault(fault: Fault, why: str) -> FaultResult:
    return FaultResult(fault.name, fault.type, asked(fault), 0.0, 0, 0, Status.NOT_APPLICABLE, why)
