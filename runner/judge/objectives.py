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
from dataclasses import dataclass, field

from soak.runner.judge.about import about
from soak.runner.judge.alerts import number_or_none
from soak.runner.judge.compared import target_of, value_of
from soak.runner.judge.confidence import DEFAULT_CONFIDENCE, Evidence, Interval, Statement
from soak.runner.judge.folds import Fold
from soak.runner.judge.judge import Judge
from soak.runner.judge.ratio import ratio_interval
from soak.schemas.evidence.verdict import ObjectiveResult, Status
from soak.schemas.language.comparison import may_be_excluded
from soak.schemas.language.expression import Op, Unit
from soak.schemas.language.model import Comparison, Objective, Reference
from soak.schemas.language.slis import AT_THE_END, Aggregate
from soak.schemas.units import show_duration, show_ratio

_TOO_LONG = "observations depend on each other too long for an interval; one that is far too wide"

_LONGEST_ADVICE = 1_000.0
"""Longer runs, in multiples of this one, are not worth advising."""


@dataclass(slots=True)
class _Case:
    """An objective with what was observed; `fails`: its target is excluded, at the level that its family asks for."""

    judge: Judge
    objective: Objective
    fold: Fold = field(init=False)
    value: float = field(init=False)
    target: float = field(init=False)
    evidence: Evidence = field(init=False)
    reference: Evidence | None = field(init=False)
    family: int = 1
    fails: bool = False

    def __post_init__(self) -> None:
        judge, comparison = self.judge, self.objective.comparison
        sli = comparison.sli
        self.fold = judge.folds.fold(sli, judge.labels.selected(comparison.selector))
        self.value, self.target = value_of(judge, comparison), target_of(judge, comparison)
        self.evidence = Evidence(sli, self.fold, judge.course_of(comparison), judge.schedule)
        self.reference = None
        if isinstance(comparison.target, Reference):
            labels = judge.labels.selected(comparison.target.selector)
            self.reference = Evidence(
                sli, judge.folds.fold(sli, labels), judge.folds.course(sli, labels), judge.schedule
            )

    @property
    def op(self) -> Op:
        return self.objective.comparison.op

    @property
    def demanded(self) -> float | None:
        """The confidence level by which it is judged; None: the observed value decides."""
        return self.level if self.op is Op.ABOUT else self.objective.confidence

    @property
    def level(self) -> float:
        """The confidence level of the interval that is shown."""
        return self.objective.confidence or DEFAULT_CONFIDENCE

    def statement(self, confidence: float) -> Statement:
        """What can be said of the value; of one relative to another, as if that were known."""
        own = self.evidence.statement(confidence)
        if self.reference is None:
            return own
        if own.interval is None:
            return Statement(None, own.effective, own.longer)
        other = self.reference.statement(confidence)
        if other.interval is None:
            return Statement(None, own.effective, max(own.longer, other.longer))
        factor = self.objective.comparison.target
        assert isinstance(factor, Reference)
        known = self.target / factor.factor
        interval = ratio_interval(self.value, own.interval, known, other.interval)
        if self.objective.comparison.sli.aggregate is Aggregate.RATIO and math.isfinite(interval[1]):
            interval = interval[0], min(1.0, interval[1])
        return Statement(interval, own.effective, max(own.longer, other.longer))

    @property
    def observed(self) -> bool:
        """Whether enough was observed to compare the value at all."""
        return (
            self.fold.samples >= self.objective.min_samples
            and not math.isnan(self.value)
            and not math.isnan(self.target)
        )

    def excluded(self, confidence: float) -> bool:
        """Whether no value in the interval at this level meets the target."""
        statement = self.statement(confidence)
        interval = statement.interval or (None if self.op is Op.ABOUT else statement.cautious)
        if interval is None:
            return False
        if self.op is Op.ABOUT:
            return not interval[0] <= self.target <= interval[1]
        return not self.op.holds(self.value, self.target) and not any(
            self.op.holds(each, self.target) for each in interval
        )


def judge_objectives(judge: Judge, late: str) -> list[ObjectiveResult]:
    """The results of all objectives; `late`: how far the load generator fell behind, in words, empty if it did not."""
    cases = [_Case(judge, objective) for objective in judge.scenario.objectives]
    _find_failures(cases)
    return [_result(case, late) for case in cases]


def _find_failures(cases: Sequence[_Case]) -> None:
    """Holm's method over the objectives of each entry that are judged by their intervals."""
    families: dict[int, list[_Case]] = defaultdict(list)
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


def _strength(case: _Case, most: int) -> int:
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


def _result(case: _Case, late: str) -> ObjectiveResult:
    objective, comparison = case.objective, case.objective.comparison
    sli = comparison.sli
    statement = case.statement(case.level)
    status, detail, thin = _status(case, statement)
    if status is Status.FAIL and late and sli.unit is Unit.DURATION:
        status, detail = Status.INCONCLUSIVE, f"broken, but {late}"
    interval = statement.interval
    return ObjectiveResult(
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


def _margin(op: Op, value: float, target: float, interval: Interval | None) -> float | None:
    """The distance to the target in the SLI's unit, positive on the good side; for `~`, from the nearer end of the interval."""
    if op is Op.ABOUT:
        return number_or_none(min(target - interval[0], interval[1] - target)) if interval else None
    if op in {Op.EQ, Op.NE}:
        away = abs(value - target)
        return number_or_none(0.0 - away if op is Op.EQ else away)
    return number_or_none(target - value if op in {Op.LE, Op.LT} else value - target)


def _status(case: _Case, statement: Statement) -> tuple[Status, str, bool]:
    """Result, why, and whether it says more than its interval does."""
    samples, least = case.fold.samples, case.objective.min_samples
    if samples < least or math.isnan(case.value):
        return Status.INCONCLUSIVE, f"{samples} of at least {least} observations", False
    if math.isnan(case.target):
        return Status.INCONCLUSIVE, "nothing was observed for the labels it is compared with", False
    if case.op is Op.ABOUT:
        return *_about(case, statement), False
    if case.demanded:
        return *_by_interval(case, statement, case.demanded), False
    return _by_value(case, statement)


def _about(case: _Case, statement: Statement) -> tuple[Status, str]:
    if statement.longer > 1:
        return Status.INCONCLUSIVE, _dependent(case, statement)
    sli = case.objective.comparison.sli
    count = statement.effective or case.fold.samples
    status, detail = about(statement.interval, case.target, case.level, count, share=sli.aggregate is Aggregate.RATIO)
    if status is Status.FAIL and not case.fails:
        return Status.INCONCLUSIVE, _not_for_all(case)
    return status, detail


def _by_interval(case: _Case, statement: Statement, confidence: float) -> tuple[Status, str]:
    interval = statement.interval
    if case.fails:
        return Status.FAIL, "" if interval else f"{_TOO_LONG} breaks it"
    if statement.cautious and all(case.op.holds(bound, case.target) for bound in (*statement.cautious, case.value)):
        status, detail = _unless_unfinished(case)
        return (
            status,
            detail or f"{_TOO_LONG} holds",
        )
    if interval is None:
        if statement.longer > 1:
            return Status.INCONCLUSIVE, _dependent(case, statement)
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
        return Status.INCONCLUSIVE, _not_for_all(case)
    if statement.longer > 1:
        return Status.INCONCLUSIVE, _dependent(case, statement)
    what = "break" if holds[-1] else "meet"
    return (
        Status.INCONCLUSIVE,
        f"the {show_ratio(confidence)} interval includes values that {what} the target{_advice(case, interval)}",
    )


def _by_value(case: _Case, statement: Statement) -> tuple[Status, str, bool]:
    op, target, sli = case.op, case.target, case.objective.comparison.sli
    thin = _is_thin(case, statement)
    if op.holds(case.value, target):
        return *_unless_unfinished(case), thin
    lost = case.judge.telemetry.lost_events
    if sli.name == AT_THE_END and lost:
        return Status.INCONCLUSIVE, f"{lost} events were lost", False
    return Status.FAIL, "", thin


def _is_thin(case: _Case, statement: Statement) -> bool:
    """Whether the interval holds values on both sides of the target, or none can be given of an indicator that has one."""
    if not may_be_excluded(case.objective.comparison):
        return False
    interval = statement.interval or statement.cautious
    return interval is None or len({case.op.holds(each, case.target) for each in (*interval, case.value)}) > 1


def _unless_unfinished(case: _Case) -> tuple[Status, str]:
    comparison = case.objective.comparison
    still, what = _open_observations(case.judge, comparison)
    if still and not all(case.op.holds(value, case.target) for value in case.fold.extremes(comparison.sli, still)):
        return Status.INCONCLUSIVE, f"{still} unfinished {what} could still break it"
    return Status.PASS, ""


def _open_observations(judge: Judge, comparison: Comparison) -> tuple[int, str]:
    """How many observations of an SLI are outstanding, and of what."""
    sli = comparison.sli
    lifecycle, labels = judge.lifecycle, judge.labels.selected(comparison.selector)
    own = lifecycle.tracker.still_open(sli, lifecycle, labels)
    if own or not sli.censored:
        return own or (0, "tasks")
    unfinished = lifecycle.unfinished(labels)
    return unfinished.transient if sli.series == "recovery" else unfinished.tasks + unfinished.deferred, "tasks"


def _excluded_rate(case: _Case) -> float | None:
    """The rate of what was never seen that 95 % confidence excludes: 1 - 0.05^(1/n) (Hanley and Lippman-Hand 1983).

    Of ratios that were 100 % (or 0 %) and counts that were 0, with the number of opportunities; None where it is not known.
    """
    sli, fold = case.objective.comparison.sli, case.fold
    if sli.aggregate is Aggregate.RATIO:
        never = case.value in {0.0, 1.0}
    else:
        never = sli.aggregate is Aggregate.COUNT and not sli.filters and case.value == 0
    return -math.expm1(math.log(1 - DEFAULT_CONFIDENCE) / fold.samples) if never and fold.samples else None


# Words.


def _dependent(case: _Case, statement: Statement) -> str:
    worth = f"{case.fold.samples:,} count as about {max(1, round(statement.effective or 0)):,}"
    return f"no statement: observations depend on each other for too long ({worth}){_times(case, statement.longer)}"


def _not_for_all(case: _Case) -> str:
    return f"broken by itself, but that may be chance among {case.family} objectives (Holm)"


def _advice(case: _Case, interval: Interval) -> str:
    """How much longer the run would have to be, were the value to stay: widths shrink with the root of time.

    Those of a ratio of which all or none are good shrink with time itself (Wilson's interval of 0 or 1).
    """
    away, bound = case.target - case.value, interval[0] if case.target < case.value else interval[1]
    perfect = case.objective.comparison.sli.aggregate is Aggregate.RATIO and case.value in {0.0, 1.0}
    return _times(case, ((bound - case.value) / away) ** (1 if perfect else 2)) if away and math.isfinite(bound) else ""


def _times(case: _Case, longer: float) -> str:
    if not 1 < longer <= _LONGEST_ADVICE:
        return ""
    digits = max(0, 1 - math.floor(math.log10(longer)))
    times = math.ceil(longer * 10**digits) / 10**digits
    length_s = case.judge.scenario.duration_s * times
    step_s = 3600 if length_s > 7200 else 60 if length_s > 120 else 1
    return f"; about {times:g} times as long a run would tell ({show_duration(math.ceil(length_s / step_s) * step_s)})"
