"""From the observations to the verdict: PASS has to be earned."""

import math
from collections.abc import Iterable, Iterator

import msgspec

from soak.runner.judge.about import DEFAULT_CONFIDENCE, about
from soak.runner.judge.alerts import alert_result, number_or_none
from soak.runner.judge.compared import target_of, value_of
from soak.runner.judge.explanation.explain import explain
from soak.runner.judge.folds import Fold
from soak.runner.judge.growth import Growth
from soak.runner.judge.histogram import RELATIVE_ERROR
from soak.runner.judge.judge import Judge
from soak.runner.judge.laws import judge_laws
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
    Status,
    Verdict,
)
from soak.schemas.language.expression import Op, Unit
from soak.schemas.language.model import Comparison, Objective
from soak.schemas.language.slis import AT_THE_END, Aggregate
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.states import TaskState
from soak.schemas.units import show_duration

LEAST_LAG_REAL_S = 0.05
"""Submissions at most this late, in real time, count as on time."""

_LAG_QUANTILE = "submission_lag_p99"


def decide(judge: Judge, identity: Identity, end: End) -> Verdict:
    """The verdict on the run that `judge` observed to its end."""
    objectives = _objectives(judge, identity)
    laws, unfinished = judge_laws(judge), judge.lifecycle.unfinished()
    alerts = [alert_result(alert, guard.timer.firings, judge.scenario, judge.until_s) for alert, guard in judge.alerts]
    faults, tracker = judge.faults.results(judge.until_s), judge.lifecycle.tracker
    failures = [*_abort_reason(judge), *_failures(judge, objectives, laws, alerts)]
    reasons = _with_doubts(failures, _doubts(judge, identity, end, objectives, laws, alerts, faults))
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
        aborts=[guard.abort_result() for guard in judge.aborts],
        alerts=alerts,
        faults=faults,
        errors=judge.faults.errors(),
        retries_by_attempt=judge.faults.retries_by_attempt(),
        slowest=judge.lifecycle.slowest,
        growths=list(_growths(judge)),
        quantile_relative_error=round(RELATIVE_ERROR, 6),
        gain=tracker.gain(),
        section=tracker.section() or msgspec.UNSET,
        typed_reasons=reasons,
        explanation=explain(judge, objectives, laws),
    )


def _outcome(end: End, reasons: list[Reason]) -> Outcome:
    if end is End.ABORTED:
        return Outcome.ABORTED
    if end is not End.COMPLETED:
        return Outcome.INCONCLUSIVE
    if any(reason.status is Status.FAIL for reason in reasons):
        return Outcome.FAIL
    return Outcome.INCONCLUSIVE if reasons else Outcome.PASS


def _tasks(judge: Judge) -> dict[str, int]:
    counts = judge.lifecycle.state_counts()
    return {
        "accepted": judge.lifecycle.accepted,
        **{state.name: counts[state] for state in TaskState if state >= TaskState.PENDING},
    }


def _growths(judge: Judge) -> Iterator[GrowthResult]:
    for sli in judge.scenario.slis.values():
        fold = judge.folds.fold(sli)
        trend = fold.trend(sli, DEFAULT_CONFIDENCE) if isinstance(fold, Growth) else None
        if trend:
            yield GrowthResult(
                sli.name, sli.unit.value, trend.slope, (trend.low, trend.high), trend.level, trend.p, fold.samples
            )


# Objectives.


def _objectives(judge: Judge, identity: Identity) -> list[ObjectiveResult]:
    late = _lateness(judge, identity)
    return [_objective(judge, objective, late) for objective in judge.scenario.objectives]


def _objective(judge: Judge, objective: Objective, late: str) -> ObjectiveResult:
    comparison = objective.comparison
    sli = comparison.sli
    fold = judge.folds.fold(sli, judge.labels.selected(comparison.selector))
    value = value_of(judge, comparison)
    target = target_of(judge, comparison)
    interval = fold.interval(sli, objective.confidence or DEFAULT_CONFIDENCE)
    status, detail = _status(judge, objective, fold, value, target, interval)
    if status is Status.FAIL and late and sli.unit is Unit.DURATION:
        status, detail = Status.INCONCLUSIVE, f"broken, but {late}"
    return ObjectiveResult(
        objective=comparison.text,
        sli=sli.name,
        labels=dict(comparison.selector),
        value=number_or_none(value),
        target=number_or_none(target),
        op=comparison.op.value,
        unit=sli.unit.value,
        status=status,
        margin=_margin(comparison.op, value, target, interval),
        samples=fold.samples,
        min_samples=objective.min_samples,
        interval=(number_or_none(interval[0]), number_or_none(interval[1])) if interval else None,
        confidence=(objective.confidence or DEFAULT_CONFIDENCE) if interval else None,
        detail=detail,
        note=objective.note,
    )


def _margin(op: Op, value: float, target: float, interval: tuple[float, float] | None) -> float | None:
    """The distance to the target in the SLI's unit, positive on the good side; for `~`, from the nearer end of the interval."""
    if op is Op.ABOUT:
        return number_or_none(min(target - interval[0], interval[1] - target)) if interval else None
    if op in {Op.EQ, Op.NE}:
        away = abs(value - target)
        return number_or_none(0.0 - away if op is Op.EQ else away)
    return number_or_none(target - value if op in {Op.LE, Op.LT} else value - target)


def _status(
    judge: Judge, objective: Objective, fold: Fold, value: float, target: float, interval: tuple[float, float] | None
) -> tuple[Status, str]:
    op, sli = objective.comparison.op, objective.comparison.sli
    if fold.samples < objective.min_samples or math.isnan(value):
        return Status.INCONCLUSIVE, f"{fold.samples} of at least {objective.min_samples} observations"
    if math.isnan(target):
        return Status.INCONCLUSIVE, "nothing was observed for the labels it is compared with"
    if op is Op.ABOUT:
        share = sli.aggregate is Aggregate.RATIO
        return about(interval, target, objective.confidence or DEFAULT_CONFIDENCE, fold.samples, share=share)
    if not op.holds(value, target):
        if sli.name == AT_THE_END and judge.telemetry.lost_events:
            return Status.INCONCLUSIVE, f"{judge.telemetry.lost_events} events were lost"
        if sli.aggregate is Aggregate.GROWTH and objective.confidence and not _surely(op, interval, target):
            return Status.INCONCLUSIVE, f"the {objective.confidence:.0%} interval includes values that meet the target"
        return Status.FAIL, ""
    if objective.confidence and not (interval and all(op.holds(bound, target) for bound in interval)):
        return Status.INCONCLUSIVE, f"the {objective.confidence:.0%} interval includes values that break the target"
    still, what = _open_observations(judge, objective.comparison)
    if still and not all(op.holds(value, target) for value in fold.extremes(sli, still)):
        return Status.INCONCLUSIVE, f"{still} unfinished {what} could still break it"
    return Status.PASS, ""


def _surely(op: Op, interval: tuple[float, float] | None, target: float) -> bool:
    """Whether every value in the confidence interval of a growth breaks its objective."""
    return interval is not None and not any(op.holds(bound, target) for bound in interval)


def _open_observations(judge: Judge, comparison: Comparison) -> tuple[int, str]:
    """How many observations of an SLI are outstanding, and of what."""
    sli = comparison.sli
    lifecycle, labels = judge.lifecycle, judge.labels.selected(comparison.selector)
    own = lifecycle.tracker.still_open(sli, lifecycle, labels)
    if own or not sli.censored:
        return own or (0, "tasks")
    unfinished = lifecycle.unfinished(labels)
    return unfinished.transient if sli.series == "recovery" else unfinished.tasks + unfinished.deferred, "tasks"


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
    if not judge.aborting:
        for guard in judge.aborts:
            if guard.held_at_s is not None:
                yield _failure(
                    ReasonKind.ABORT,
                    f"abort condition {guard.condition.name} held at {show_duration(guard.held_at_s)} (the run continued)",
                    guard.condition.name,
                )


def _observed(judge: Judge, objective: ObjectiveResult) -> str:
    unit = judge.scenario.slis[objective.sli].unit
    observed = "nothing" if objective.value is None else unit.show_beside(objective.value, objective.target)
    return f"{observed} observed{', ' + objective.detail if objective.detail else ''}"


def _abort_reason(judge: Judge) -> Iterator[Reason]:
    guard = judge.aborted_by
    if guard and guard.held_at_s is not None:
        comparison, value = guard.condition.comparison, guard.timer.firings[0].value
        assert isinstance(comparison.target, float)
        seen = f", {comparison.sli.unit.show_beside(value, comparison.target)} observed" if math.isfinite(value) else ""
        condition = f"{guard.condition.name} ({comparison.text})"
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
        yield _doubt(ReasonKind.INTERRUPTED, f"the run was interrupted at {show_duration(judge.until_s)}")
    if end is End.CUT:
        yield _doubt(ReasonKind.CUT, f"the event stream is incomplete: it ends at {show_duration(judge.until_s)}")
    if not objectives:
        yield _doubt(ReasonKind.NO_OBJECTIVES, "the scenario has no objectives")
    for objective in objectives:
        if objective.status is Status.INCONCLUSIVE:
            yield _doubt(
                ReasonKind.OBJECTIVE, f"objective {objective.objective}: {objective.detail}", objective.objective
            )
    for law in laws:
        if law.status is Status.INCONCLUSIVE and end is End.COMPLETED:
            yield _doubt(ReasonKind.LAW, f"law {law.law}: {law.detail}", law.law)
    for alert in alerts:
        if alert.status is Status.INCONCLUSIVE and end is End.COMPLETED:
            yield _doubt(ReasonKind.ALERT, f"alert {alert.name}: {alert.detail}", alert.name)
    for fault in faults:
        if fault.status is Status.INCONCLUSIVE and end is End.COMPLETED:
            yield _doubt(ReasonKind.FAULT, f"fault {fault.name}: {fault.detail}", fault.name)
    yield from _telemetry_doubts(judge, identity, end)


def _telemetry_doubts(judge: Judge, identity: Identity, end: End) -> Iterator[Reason]:
    telemetry, limits = judge.telemetry, judge.scenario.telemetry
    if telemetry.lost_events:
        yield _doubt(ReasonKind.LOST_EVENTS, f"{telemetry.lost_events} events and samples were lost")
    if telemetry.longest_gap_s > limits.max_gap_s:
        yield _doubt(
            ReasonKind.GAP,
            f"no event or sample for {show_duration(telemetry.longest_gap_s)} (allowed: {show_duration(limits.max_gap_s)})",
        )
    if late := _lateness(judge, identity):
        yield _doubt(ReasonKind.LATENESS, f"{late} (run it slower, or raise telemetry.max_lag)")
    tasks = judge.scenario.workload.tasks
    if end is End.COMPLETED and tasks is not None and judge.planned is not None and judge.planned < tasks:
        yield _doubt(
            ReasonKind.TASKS,
            f"only {judge.planned} of {tasks} tasks arrived within {show_duration(judge.scenario.duration_s)} (raise duration)",
        )
    offered = judge.offered
    if end is End.COMPLETED and judge.planned is not None and offered < judge.planned and not telemetry.lost_events:
        yield _doubt(ReasonKind.OFFERED, f"the load generator offered {offered} of {judge.planned} planned submissions")


def _lateness(judge: Judge, identity: Identity) -> str:
    """How far the load generator fell behind its plan; empty if it did not."""
    lag_s = judge.sli_value(judge.scenario.slis[_LAG_QUANTILE])
    # Overhead of a submission is multiplied by `speed` in scenario time: no limit is below that.
    allowed_s = max(judge.scenario.telemetry.max_lag_s, LEAST_LAG_REAL_S * identity.speed)
    if not lag_s > allowed_s:
        return ""
    real = f" ({show_duration(lag_s / identity.speed)} of real time)" if identity.speed != 1 else ""
    late = f"{show_duration(lag_s)} late{real}; allowed: {show_duration(allowed_s)}"
    return f"the load generator fell behind: the slowest 1 % of submissions were at least {late}"
