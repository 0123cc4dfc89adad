"""From the observations to the verdict: PASS has to be earned."""

import math
from collections.abc import Iterable, Iterator
from typing import TypedDict

import msgspec

from soak.runner.judge.alerts import abort_result, alert_result, measured
from soak.runner.judge.applicable import with_aborts, with_alerts, with_faults, with_objectives
from soak.runner.judge.attribution import attribute
from soak.runner.judge.changepoints.find import change_points
from soak.runner.judge.checks.document import sections
from soak.runner.judge.checks.results import judge_checks, teardown_warnings
from soak.runner.judge.confidence import DEFAULT_CONFIDENCE
from soak.runner.judge.explanation.explain import explain
from soak.runner.judge.growth import Growth
from soak.runner.judge.histogram import RELATIVE_ERROR
from soak.runner.judge.judge import Judge
from soak.runner.judge.laws import judge_laws
from soak.runner.judge.objectives import judge_objectives
from soak.runner.judge.reads import LAG_QUANTILE
from soak.runner.judge.returns import tails
from soak.runner.judge.warnings import warnings_of
from soak.schemas.evidence.verdict import (
    SCHEMA_VERSION,
    AlertResult,
    End,
    FaultResult,
    GrowthResult,
    LawResult,
    Load,
    ObjectiveResult,
    Outcome,
    Reason,
    ReasonKind,
    Section,
    Status,
    Verdict,
)
from soak.schemas.language.expression import Unit
from soak.schemas.stream.identity import LEAST_LAG_REAL_S, Identity
from soak.schemas.stream.states import TaskState
from soak.schemas.units import show_duration, show_ratio


class _Sections(TypedDict):
    section: Section | msgspec.UnsetType
    sections: list[Section] | msgspec.UnsetType


def decide(judge: Judge, identity: Identity, end: End, *, with_findings: bool = True) -> Verdict:
    """The verdict on the run that `judge` observed to its end.

    with_findings: with what its faults cost, why it is broken, its tails and change points: nothing else depends on them.
    """
    not_judged = judge.not_judged or msgspec.UNSET
    marks = judge.operators.marks or msgspec.UNSET
    verdict = msgspec.structs.replace(_decided(judge, identity, end), not_judged=not_judged, marks=marks)
    if not with_findings:
        return verdict
    return msgspec.structs.replace(
        verdict,
        attribution=attribute(judge),
        explanation=explain(judge, verdict.applicable[: len(judge.scenario.objectives)], verdict.laws),
        tails=list(tails(judge, _held_back(judge, identity))),
        change_points=change_points(judge),
    )


def _decided(judge: Judge, identity: Identity, end: End) -> Verdict:
    asked, laws, alerts = judge_objectives(judge, _held_back(judge, identity)), judge_laws(judge), _alerts(judge)
    objectives = with_objectives(judge, [*asked, *judge_checks(judge, end)])
    unfinished, faults = judge.lifecycle.unfinished(), with_faults(judge, judge.faults.results(judge.until_s))
    reasons = _reasons(judge, identity, end, objectives, laws, alerts, faults)
    return Verdict(
        schema_version=SCHEMA_VERSION,
        verdict=_outcome(end, reasons),
        reasons=[reason.text for reason in reasons],
        scenario=judge.scenario.name,
        scenario_sha256=identity.scenario_sha256,
        target=identity.target,
        clock=identity.clock,
        seed=identity.seed,
        end=end,
        duration_s=judge.scenario.duration_s,
        ended_s=judge.until_s,
        tasks=_tasks(judge),
        unfinished=unfinished.tasks,
        deferred=unfinished.deferred,
        load=Load(judge.planned, judge.offered, judge.answered),
        resumes=judge.resumes,
        slis=judge.slis(),
        objectives=objectives,
        laws=laws,
        aborts=with_aborts(judge, [abort_result(guard) for guard in judge.aborts]),
        alerts=alerts,
        faults=faults,
        errors=judge.faults.errors(),
        retries_by_attempt=judge.faults.retries_by_attempt(),
        slowest=judge.lifecycle.slowest,
        growths=list(_growths(judge)),
        quantile_relative_error=round(RELATIVE_ERROR, 6),
        gain=judge.lifecycle.tracker.gain(),
        **_sections(judge, identity),
        typed_reasons=reasons,
        decided=judge.deciding.result(judge.until_s, stopped=end is End.DECIDED),
        caveats=[_caveat(each) for each in objectives if each.thin],
        warnings=_warnings(judge, identity, asked),
    )


def _sections(judge: Judge, identity: Identity) -> _Sections:
    """The tables of the system, and of checks and the teardown of a real run."""
    tracker = judge.lifecycle.tracker
    further = [*tracker.sections(), *(sections(judge) if identity.clock == "real" else ())]
    return {"section": tracker.section() or msgspec.UNSET, "sections": further or msgspec.UNSET}


def _warnings(judge: Judge, identity: Identity, objectives: list[ObjectiveResult]) -> list[str] | msgspec.UnsetType:
    """Of warning levels and of the teardown; nothing at all where the scenario has neither."""
    levels = warnings_of(judge.scenario.objectives, objectives)
    if not judge.scenario.teardown or identity.clock != "real":
        return levels
    return [*([] if levels is msgspec.UNSET else levels), *teardown_warnings(judge)]


def _caveat(objective: ObjectiveResult) -> str:
    """What an objective that holds, or is broken, by the observed value alone does not say."""
    unit, level = Unit(objective.unit), objective.confidence or DEFAULT_CONFIDENCE
    what = "holds" if objective.status is Status.PASS else "is broken"
    if not objective.interval or objective.interval == (None, None):
        why = (
            "observations depend on each other for too long"
            if objective.effective_samples
            else "there are too few observations"
        )
        return f"{objective.objective} {what} by the observed value alone: {why} for an interval"
    low, high = (
        "unbounded" if bound is None else unit.show_beside(bound, objective.target) for bound in objective.interval
    )
    return (
        f"{objective.objective} {what} by the observed value alone: its {show_ratio(level)} interval is {low} to {high}"
    )


def _alerts(judge: Judge) -> list[AlertResult]:
    found = [alert_result(alert, guard.timer.firings, judge.scenario, judge.until_s) for alert, guard in judge.alerts]
    return with_alerts(judge, found)


def _reasons(
    judge: Judge,
    identity: Identity,
    end: End,
    objectives: list[ObjectiveResult],
    laws: list[LawResult],
    alerts: list[AlertResult],
    faults: list[FaultResult],
) -> list[Reason]:
    failures = [*_abort_reason(judge), *_failures(judge, objectives, laws, alerts)]
    return _with_doubts(failures, _doubts(judge, identity, end, objectives, laws, alerts, faults))


def _outcome(end: End, reasons: list[Reason]) -> Outcome:
    if end is End.ABORTED:
        return Outcome.ABORTED
    if not end.orderly:
        return Outcome.INCONCLUSIVE
    if any(reason.status is Status.FAIL for reason in reasons):
        return Outcome.FAIL
    return Outcome.INCONCLUSIVE if reasons else Outcome.PASS


def _tasks(judge: Judge) -> dict[str, int]:
    counts = judge.lifecycle.state_counts()
    return {
        "accepted": judge.lifecycle.accepted,
        **{state.name: count for state, count in counts.items() if state >= TaskState.PENDING},
    }


def _growths(judge: Judge) -> Iterator[GrowthResult]:
    for sli in judge.scenario.slis.values() if judge.need.slis else ():
        fold = judge.folds.fold(sli)
        trend = fold.trend(sli, DEFAULT_CONFIDENCE) if isinstance(fold, Growth) else None
        if trend:
            yield trend.result(sli, fold.samples)


# Reasons.


def _failure(kind: ReasonKind, text: str, subject: str = "") -> Reason:
    return Reason(kind, subject, Status.FAIL, text)


def _doubt(kind: ReasonKind, text: str, subject: str = "") -> Reason:
    return Reason(kind, subject, Status.INCONCLUSIVE, text)


def _with_doubts(failures: list[Reason], doubts: Iterable[Reason]) -> list[Reason]:
    """All reasons; where something is broken, doubts say that they are no more than that."""
    if not failures:
        return list(doubts)
    return [*failures, *(msgspec.structs.replace(each, text=f"inconclusive: {each.text}") for each in doubts)]


def _failures(
    judge: Judge, objectives: list[ObjectiveResult], laws: list[LawResult], alerts: list[AlertResult]
) -> Iterator[Reason]:
    for objective in objectives:
        if objective.status is Status.FAIL:
            yield _failure(
                ReasonKind.OBJECTIVE,
                f"objective {objective.objective} is broken: {_observed(judge, objective)}",
                objective.objective,
            )
    for law in laws:
        if law.status is Status.FAIL:
            yield _failure(ReasonKind.LAW, f"law {law.law} is broken: {law.detail}", law.law)
    for alert in alerts:
        if alert.status is Status.FAIL:
            yield _failure(ReasonKind.ALERT, f"alert {alert.name}: {alert.detail}", alert.name)
    for guard in judge.aborts:
        if guard.held_at_s is not None and not (judge.aborting and guard.condition.stops):
            yield _failure(
                ReasonKind.ABORT,
                f"abort condition {guard.condition.name} held at {show_duration(guard.held_at_s)} (the run continued)",
                guard.condition.name,
            )


def _observed(judge: Judge, objective: ObjectiveResult) -> str:
    unit = Unit(objective.unit)
    observed = "nothing" if objective.value is None else unit.show_beside(objective.value, objective.target)
    return f"{observed} observed{', ' + objective.detail if objective.detail else ''}"


def _abort_reason(judge: Judge) -> Iterator[Reason]:
    guard = judge.aborted_by
    if guard and guard.held_at_s is not None:
        value = guard.timer.firings[0].value
        unit, target = measured(guard.condition)
        seen = f", {Unit(unit).show_beside(value, target)} observed" if math.isfinite(value) else ""
        condition = f"{guard.condition.name} ({guard.condition.text})"
        yield _failure(
            ReasonKind.ABORT,
            f"abort condition {condition} held at {show_duration(guard.held_at_s)}{seen}",
            guard.condition.name,
        )


def _doubts(
    judge: Judge,
    identity: Identity,
    end: End,
    objectives: list[ObjectiveResult],
    laws: list[LawResult],
    alerts: list[AlertResult],
    faults: list[FaultResult],
) -> Iterator[Reason]:
    if end is End.INTERRUPTED:
        asked = judge.operators.asked_to_stop
        who = f": {asked.by} asked to stop it" if asked else ""
        yield _doubt(ReasonKind.INTERRUPTED, f"the run was interrupted at {show_duration(judge.until_s)}{who}")
    if end is End.CUT:
        yield _doubt(ReasonKind.CUT, f"the event stream is incomplete: it ends at {show_duration(judge.until_s)}")
    yield from _lateness_doubts(judge, identity)
    if not objectives:
        yield _doubt(ReasonKind.NO_OBJECTIVES, "the scenario has no objectives")
    elif all(each.status is Status.NOT_APPLICABLE for each in objectives):
        yield _doubt(ReasonKind.NO_OBJECTIVES, "no objective applies to what the target promises")
    for objective in objectives:
        if objective.status is Status.INCONCLUSIVE:
            yield _doubt(
                ReasonKind.OBJECTIVE, f"objective {objective.objective}: {objective.detail}", objective.objective
            )
    for law in laws:
        if law.status is Status.INCONCLUSIVE and end.orderly:
            yield _doubt(ReasonKind.LAW, f"law {law.law}: {law.detail}", law.law)
    for alert in alerts:
        if alert.status is Status.INCONCLUSIVE and end.orderly:
            yield _doubt(ReasonKind.ALERT, f"alert {alert.name}: {alert.detail}", alert.name)
    for fault in faults:
        if fault.status is Status.INCONCLUSIVE and end.orderly:
            yield _doubt(ReasonKind.FAULT, f"fault {fault.name}: {fault.detail}", fault.name)
    yield from _telemetry_doubts(judge, identity, end)


def _lateness_doubts(judge: Judge, identity: Identity) -> Iterator[Reason]:
    """That the load generator was too slow: said before what it casts doubt on."""
    if late := _lateness(judge, identity):
        slower = f"use --speed {identity.speed / 2:g}" if identity.speed != 1 else "run it slower"
        yield _doubt(ReasonKind.LATENESS, f"{late} ({slower}, or raise telemetry.max_lag)")
    for doubt in judge.lifecycle.tracker.load_doubts():
        yield _doubt(ReasonKind.LATENESS, doubt)


def _telemetry_doubts(judge: Judge, identity: Identity, end: End) -> Iterator[Reason]:
    telemetry, limits = judge.telemetry, judge.scenario.telemetry
    if telemetry.lost_events:
        yield _doubt(ReasonKind.LOST_EVENTS, f"{telemetry.lost_events} events and samples were lost")
    if telemetry.longest_gap_s > limits.max_gap_s:
        yield _doubt(
            ReasonKind.GAP,
            f"no event or sample for {show_duration(telemetry.longest_gap_s)} (allowed: {show_duration(limits.max_gap_s)})",
        )
    if end.orderly:
        yield from (_doubt(ReasonKind.UNSEEN, each) for each in judge.lifecycle.tracker.unseen(judge.lifecycle))
    tasks = judge.scenario.workload.tasks
    if end is End.COMPLETED and tasks is not None and judge.planned is not None and judge.planned < tasks:
        yield _doubt(
            ReasonKind.TASKS,
            f"only {judge.planned} of {tasks} tasks arrived within {show_duration(judge.scenario.duration_s)} (raise duration)",
        )
    offered = judge.offered
    if end.orderly and judge.planned is not None and offered < judge.planned and not telemetry.lost_events:
        yield _doubt(ReasonKind.OFFERED, f"the load generator offered {offered} of {judge.planned} planned submissions")


def _held_back(judge: Judge, identity: Identity) -> str:
    """Why times say less of the system than of the load generator; empty if they do not."""
    return _lateness(judge, identity) or next(judge.lifecycle.tracker.load_doubts(), "").partition(" (")[0]


def _lateness(judge: Judge, identity: Identity) -> str:
    """How far the load generator fell behind its plan; empty if it did not."""
    lag_s = judge.sli_value(judge.scenario.slis[LAG_QUANTILE])
    # Overhead of a submission is multiplied by `speed` in scenario time: no limit is below that.
    allowed_s = max(judge.scenario.telemetry.max_lag_s, LEAST_LAG_REAL_S * identity.speed)
    if not lag_s > allowed_s:
        return ""
    real = f" ({show_duration(lag_s / identity.speed)} of real time)" if identity.speed != 1 else ""
    late = f"{show_duration(lag_s)} late{real}; allowed: {show_duration(allowed_s)}"
    return f"the load generator fell behind: the slowest 1 % of submissions were at least {late}"
