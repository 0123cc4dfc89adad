"""Objectives: from what was observed to PASS, FAIL or INCONCLUSIVE.

With a confidence level an objective is judged by its interval: PASS where all of it meets the target, FAIL where none of it
does. Without one, the observed value decides, and where the interval says less than that, the result is marked as thin.

A verdict is PASS only if every objective is: that all must hold makes a false PASS no likelier (an intersection-union test,
Berger 1982). But any FAIL makes the verdict FAIL, so that of objectives written as one, such as `{tenant=*}`, FAIL is by Holm's
method (Holm 1979): the chance of any false FAIL among them is at most what each alone would have.
"""

import math
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from soak.runner.judge.about import about
from soak.runner.judge.alerts import number_or_none
from soak.runner.judge.case import TOO_LONG, Case, advice, dependent, not_for_all
from soak.runner.judge.compared import margin, shown
from soak.runner.judge.confidence import DEFAULT_CONFIDENCE, Interval, Statement
from soak.runner.judge.judge import Judge
from soak.runner.judge.unfinished import open_observations
from soak.runner.judge.warnings import with_warnings
from soak.runner.judge.window_fold import WindowFold
from soak.runner.judge.windowed import judge_every_window, judge_share
from soak.schemas.evidence.verdict import ObjectiveResult, Status
from soak.schemas.language.comparison import may_be_excluded
from soak.schemas.language.expression import Op, Unit
from soak.schemas.language.slis import AT_THE_END, Aggregate
from soak.schemas.units import show_ratio


def judge_objectives(judge: Judge, late: str) -> list[ObjectiveResult]:
    """The results of all objectives; `late`: how far the load generator fell behind, in words, empty if it did not."""
    windows, placed = judge.windows, list(enumerate(judge.scenario.objectives))
    every = {place for place, objective in placed if objective.window_s is not None and objective.share is None}
    cases = {
        place: Case(judge, each, windows.get(place), late=bool(late)) for place, each in placed if place not in every
    }
    _find_failures(list(cases.values()))
    results = (
        judge_every_window(judge, windows[place], late) if place in every else _result(cases[place], late)
        for place, _ in placed
    )
    return with_warnings(judge, results)


def standings(judge: Judge) -> list[Status]:
    """How every objective stands so far, as the verdict would have it were nothing open.

    INCONCLUSIVE where its interval says neither, or too little was observed. What must hold in every window holds until one
    window is broken.
    """
    windows, placed = judge.windows, list(enumerate(judge.scenario.objectives))
    every = {place for place, each in placed if each.window_s is not None and each.share is None}
    cases = {place: Case(judge, each, windows.get(place), so_far=True) for place, each in placed if place not in every}
    _find_failures(list(cases.values()))
    return [_by_windows(windows[place]) if place in every else _standing(cases[place]) for place, _ in placed]


def _by_windows(windows: WindowFold) -> Status:
    met = windows.so_far()[2]
    return Status.INCONCLUSIVE if met is None else Status.PASS if met else Status.FAIL


def _standing(case: Case) -> Status:
    if case.demanded or not case.observed:
        return _status(case, case.statement(case.level))[0]
    return Status.PASS if case.op.holds(case.value, case.target) else Status.FAIL


def _find_failures(cases: Sequence[Case]) -> None:
    """Holm's method over the objectives of each entry that are judged by their intervals."""
    families: dict[int, list[Case]] = defaultdict(list)
    for case in cases:
        if case.demanded and case.observed:
            families[case.objective.entry].append(case)
    for family in families.values():
        strength = [(_strength(case, len(family)), case) for case in family]
        for rank, (found, case) in enumerate(sorted(strength, key=lambda each: -each[0])):
            if found < len(family) - rank:
                break
            case.fails = True
        for case in family:
            case.family = len(family)


def _strength(case: Case, most: int) -> int:
    """The largest share of the error, 1 / k of it with k up to `most`, at which its target is excluded; 0: at none."""
    demanded = case.demanded
    assert demanded
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if case.excluded(1 - (1 - demanded) / middle):
            low = middle
        else:
            high = middle - 1
    return low


def _result(case: Case, late: str) -> ObjectiveResult:
    objective, comparison = case.objective, case.comparison
    sli = comparison.sli
    statement = case.statement(case.level)
    status, detail, thin = _status(case, statement)
    if status is Status.FAIL and late and sli.unit is Unit.DURATION:
        status, detail = Status.INCONCLUSIVE, f"broken, but {late}"
    interval = statement.interval
    result = ObjectiveResult(
        objective=comparison.text,
        sli=sli.name,
        labels=dict(comparison.selector),
        value=number_or_none(case.value),
        target=number_or_none(case.target),
        op=comparison.op.value,
        unit=sli.unit.value,
        status=status,
        margin=_margin(comparison.op, case.value, case.target, interval),
        samples=case.fold.samples,
        min_samples=objective.min_samples,
        interval=(number_or_none(interval[0]), number_or_none(interval[1])) if interval else None,
        confidence=case.level if interval else None,
        detail=detail,
        note=objective.note,
        effective_samples=statement.effective,
        thin=thin and status is not Status.INCONCLUSIVE,
        family=case.family,
        excluded=_excluded_rate(case),
    )
    if comparison.is_quotient:
        return _divided(case, result, interval)
    return result if case.windows is None else judge_share(case.judge, case.windows, result)


def _divided(case: Case, result: ObjectiveResult, interval: Interval | None) -> ObjectiveResult:
    """`result`, in the unit of the values that a quotient is of, as that of the quotient."""
    value, factor = shown(case.judge, case.comparison)
    other = case.target / factor if factor else math.nan
    bounds = tuple(number_or_none(each / other) for each in interval) if interval and other > 0 else None
    return msgspec.structs.replace(
        result,
        value=number_or_none(value),
        target=factor,
        unit=case.objective.unit.value,
        margin=number_or_none(margin(case.op, value, factor)),
        interval=(bounds[0], bounds[1]) if bounds else None,
    )


def _margin(op: Op, value: float, target: float, interval: Interval | None) -> float | None:
    """The distance to the target in the SLI's unit, positive on the good side; for `~`, from the nearer end of the interval."""
    if op is Op.ABOUT:
        return number_or_none(min(target - interval[0], interval[1] - target)) if interval else None
    return number_or_none(margin(op, value, target))


def _status(case: Case, statement: Statement) -> tuple[Status, str, bool]:
    """Result, why, and whether it says more than its interval does."""
    samples, least = case.fold.samples, case.least
    if samples < least or math.isnan(case.value):
        return Status.INCONCLUSIVE, f"{samples} of at least {least} observations", False
    if case.compared_with < least:
        what = f"{case.compared_with} of at least {least} observations in what it is compared with"
        return Status.INCONCLUSIVE, what, False
    if math.isnan(case.target):
        return Status.INCONCLUSIVE, "nothing was observed for the labels it is compared with", False
    if case.op is Op.ABOUT:
        return *_about(case, statement), False
    if case.demanded:
        return *_by_interval(case, statement, case.demanded), False
    return _by_value(case, statement)


def _about(case: Case, statement: Statement) -> tuple[Status, str]:
    if statement.longer > 1:
        return Status.INCONCLUSIVE, dependent(case, statement)
    sli = case.comparison.sli
    count = statement.effective or case.fold.samples
    status, detail = about(statement.interval, case.target, case.level, count, share=sli.aggregate is Aggregate.RATIO)
    if status is Status.FAIL and not case.fails:
        return Status.INCONCLUSIVE, not_for_all(case)
    return status, detail


def _by_interval(case: Case, statement: Statement, confidence: float) -> tuple[Status, str]:
    interval = statement.interval
    if case.fails:
        return Status.FAIL, "" if interval else f"{TOO_LONG} breaks it"
    if statement.cautious and all(case.op.holds(bound, case.target) for bound in (*statement.cautious, case.value)):
        status, detail = _unless_unfinished(case)
        return (
            status,
            detail or f"{TOO_LONG} holds",
        )
    if interval is None:
        if statement.longer > 1:
            return Status.INCONCLUSIVE, dependent(case, statement)
        return Status.INCONCLUSIVE, f"too few observations for a {show_ratio(confidence)} interval"
    if not any(map(math.isfinite, interval)):
        return (
            Status.INCONCLUSIVE,
            "the interval has no bounds: there are too few observations, or one side of the ratio is 0",
        )
    holds = [case.op.holds(bound, case.target) for bound in (*interval, case.value)]
    if all(holds):
        return _unless_unfinished(case)
    if not any(holds):
        return Status.INCONCLUSIVE, not_for_all(case)
    if statement.longer > 1:
        return Status.INCONCLUSIVE, dependent(case, statement)
    what = "break" if holds[-1] else "meet"
    return (
        Status.INCONCLUSIVE,
        f"the {show_ratio(confidence)} interval includes values that {what} the target{advice(case, interval)}",
    )


def _by_value(case: Case, statement: Statement) -> tuple[Status, str, bool]:
    op, target, sli = case.op, case.target, case.comparison.sli
    thin = _is_thin(case, statement)
    if op.holds(case.value, target):
        return *_unless_unfinished(case), thin
    lost = case.judge.telemetry.lost_events
    if sli.name == AT_THE_END and lost:
        return Status.INCONCLUSIVE, f"{lost} events were lost", False
    return Status.FAIL, "", thin


def _is_thin(case: Case, statement: Statement) -> bool:
    """Whether the interval holds values on both sides of the target, or none can be given of an indicator that has one."""
    if not may_be_excluded(case.comparison):
        return False
    interval = statement.interval or statement.cautious
    return interval is None or len({case.op.holds(each, case.target) for each in (*interval, case.value)}) > 1


def _unless_unfinished(case: Case) -> tuple[Status, str]:
    if case.so_far:
        return Status.PASS, ""
    comparison = case.comparison
    still, what = open_observations(case.judge, comparison)
    if still and not all(case.op.holds(value, case.target) for value in case.fold.extremes(comparison.sli, still)):
        return Status.INCONCLUSIVE, f"{still} unfinished {what} could still break it"
    return Status.PASS, ""


def _excluded_rate(case: Case) -> float | None:
    """The rate of what was never seen that 95 % confidence excludes: 1 - 0.05^(1/n) (Hanley and Lippman-Hand 1983).

    Of ratios that were 100 % (or 0 %) and counts that were 0, with the number of opportunities; None where it is not known.
    """
    sli, fold = case.comparison.sli, case.fold
    if sli.aggregate is Aggregate.RATIO:
        never = case.value in {0.0, 1.0}
    else:
        never = sli.aggregate is Aggregate.COUNT and not sli.filters and case.value == 0
    return -math.expm1(math.log(1 - DEFAULT_CONFIDENCE) / fold.samples) if never and fold.samples else None
