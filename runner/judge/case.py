"""An objective with what was observed, and what can be said of it at a confidence level."""

import math
from dataclasses import dataclass, field

from soak.runner.judge.compared import target_of, value_of
from soak.runner.judge.confidence import DEFAULT_CONFIDENCE, Evidence, Interval, Statement
from soak.runner.judge.folds import Fold
from soak.runner.judge.judge import Judge
from soak.runner.judge.ratio import ratio_interval
from soak.runner.judge.reads import has_interval
from soak.runner.judge.window_fold import WindowFold, share_of_windows
from soak.schemas.language.conditions import Comparison, Objective, Reference
from soak.schemas.language.expression import Op
from soak.schemas.language.slis import Aggregate
from soak.schemas.units import show_duration

TOO_LONG = "observations depend on each other too long for an interval; one that is far too wide"

_LONGEST_ADVICE = 1_000.0
"""Longer runs, in multiples of this one, are not worth advising."""


@dataclass(slots=True)
class Case:
    """An objective with what was observed; `fails`: its target is excluded, at the level that its family asks for."""

    judge: Judge
    objective: Objective
    windows: WindowFold | None = None
    so_far: bool = False
    """Whether the run goes on: what is open is left aside."""
    late: bool = False
    """Whether the load generator fell behind: a longer run cures nothing."""
    comparison: Comparison = field(init=False)
    fold: Fold = field(init=False)
    value: float = field(init=False)
    target: float = field(init=False)
    evidence: Evidence | None = field(init=False)
    """None where nobody asks for an interval."""
    reference: Evidence | None = field(init=False)
    family: int = 1
    fails: bool = False

    def __post_init__(self) -> None:
        judge, comparison = self.judge, self.objective.comparison
        self.comparison, self.evidence, self.reference = comparison, None, None
        sli = comparison.sli
        if self.windows is not None:
            self.comparison, self.fold = share_of_windows(self.objective), self.windows.good
            sli, self.target = self.comparison.sli, self.objective.share or 0.0
            self.value = self.fold.value(sli, math.nan)
            if has_interval(self.objective, judge.need):
                self.evidence = Evidence(sli, self.fold, self.windows.course, judge.schedule)
            return
        self.fold = judge.folds.fold(sli, judge.labels.selected(comparison.selector))
        self.value, self.target = value_of(judge, comparison), target_of(judge, comparison)
        if not has_interval(self.objective, judge.need):
            return
        self.evidence = Evidence(sli, self.fold, judge.course_of(comparison), judge.schedule)
        if isinstance(comparison.target, Reference):
            labels = judge.labels.selected(comparison.target.selector)
            self.reference = Evidence(
                sli, judge.folds.fold(sli, labels), judge.folds.course(sli, labels), judge.schedule
            )

    @property
    def op(self) -> Op:
        """How value and target must compare."""
        return self.comparison.op

    @property
    def least(self) -> int:
        """The least number of observations: of windows, one; of the quantiles of a quotient, one beyond either."""
        if self.windows is not None:
            return 1
        beyond = math.ceil(1 / (1 - self.comparison.sli.q) - 1e-9) if self.comparison.is_quotient else 1
        return max(beyond, self.objective.min_samples)

    @property
    def compared_with(self) -> int:
        """Observations of what the value is compared with; as many as are needed where that is a number."""
        target = self.comparison.target
        if not isinstance(target, Reference) or not target.quotient:
            return self.least
        return self.judge.folds.fold(self.comparison.sli, self.judge.labels.selected(target.selector)).samples

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
        if self.evidence is None:
            return Statement(None, None)
        own = self.evidence.statement(confidence)
        if self.reference is None:
            return own
        other = self.reference.statement(confidence)
        if own.interval is None or other.interval is None:
            longer = own.longer if own.interval is None else max(own.longer, other.longer)
            wide = own.interval or own.cautious, other.interval or other.cautious
            cautious = self._relative(wide[0], wide[1]) if wide[0] and wide[1] else None
            return Statement(None, own.effective, longer, cautious)
        interval = self._relative(own.interval, other.interval)
        return Statement(interval, own.effective, max(own.longer, other.longer))

    def _relative(self, own: Interval, other: Interval) -> Interval:
        """The interval of the value as if what it is relative to were known, from those of both."""
        factor = self.comparison.target
        assert isinstance(factor, Reference)
        if not factor.factor:
            return -math.inf, math.inf
        known = self.target / factor.factor
        interval = ratio_interval(self.value, own, known, other)
        if self.comparison.sli.aggregate is Aggregate.RATIO and math.isfinite(interval[1]):
            interval = interval[0], min(1.0, interval[1])
        return interval

    @property
    def observed(self) -> bool:
        """Whether enough was observed to compare the value at all."""
        return (
            min(self.fold.samples, self.compared_with) >= self.least
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


# Words.


def dependent(case: Case, statement: Statement) -> str:
    """That observations depend on each other for too long."""
    worth = f"{case.fold.samples:,} count as about {max(1, round(statement.effective or 0)):,}"
    return f"no statement: observations depend on each other for too long ({worth}){_times(case, statement.longer)}"


def not_for_all(case: Case) -> str:
    """That one broken objective among several may be chance."""
    return f"broken by itself, but that may be chance among {case.family} objectives (Holm)"


def advice(case: Case, interval: Interval) -> str:
    """How much longer the run would have to be, were the value to stay: widths shrink with the root of time.

    Those of a ratio of which all or none are good shrink with time itself (Wilson's interval of 0 or 1).
    """
    away, bound = case.target - case.value, interval[0] if case.target < case.value else interval[1]
    perfect = case.comparison.sli.aggregate is Aggregate.RATIO and case.value in {0.0, 1.0}
    return _times(case, ((bound - case.value) / away) ** (1 if perfect else 2)) if away and math.isfinite(bound) else ""


def _times(case: Case, longer: float) -> str:
    if case.late or not 1 < longer <= _LONGEST_ADVICE:
        return ""
    digits = max(0, 1 - math.floor(math.log10(longer)))
    times = math.ceil(longer * 10**digits) / 10**digits
    length_s = case.judge.scenario.duration_s * times
    step_s = 3600 if length_s > 7200 else 60 if length_s > 120 else 1
    return f"; about {times:g} times as long a run would tell ({show_duration(math.ceil(length_s / step_s) * step_s)})"
