"""What each objective of a scenario detects: the smallest violation, and the duration that one of a given size takes."""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from soak.runner.judge.interval import quantile_ranks, wilson
from soak.runner.power.cases import Case, NoStatementError, case_of
from soak.runner.power.detection import AboutRule, EnoughDetector, QuantileRule, RatioRule, ShareDetector
from soak.runner.power.pilot import Sample
from soak.runner.power.search import shortest, smallest
from soak.runner.power.tails import binomial_at_least
from soak.runner.power.violations import ViolationRequest, check
from soak.schemas.evidence.power import CurvePoint, ObjectivePower, Scale, Violation
from soak.schemas.language.conditions import Reference
from soak.schemas.language.expression import Op
from soak.schemas.language.model import Scenario

_HOUR_S = 3600.0
_POINTS = 80
_SHORTEST_PART = 1 / 20
"""No statement about runs shorter than this part of the pilot's: what happens in them has not begun to repeat itself."""


def assess(sample: Sample, asked: Sequence[ViolationRequest], power: float, scenario: Scenario) -> ObjectivePower:
    """What one objective detects with probability `power`. Raises UsageError for a violation that is not one."""
    try:
        case = case_of(sample)
    except NoStatementError as error:
        return _described(sample, None, str(error), _doubts(sample))
    detector = case.detector
    least = smallest(detector, sample.hours, power)
    violations = list(_violations(sample, case, asked, power, scenario.warmup_s))
    return _described(
        sample,
        case,
        "",
        [*case.notes, *_doubts(sample), *_aborts(sample, scenario)],
        smallest=least,
        smallest_share=case.share_of(least) if case.share_of and least is not None else None,
        violations=violations,
        curve=_curve(sample, case, [least, *(each.size for each in violations)]),
        pass_probability=_pass_probability(sample, case),
    )


def _described(
    sample: Sample,
    case: Case | None,
    reason: str,
    notes: Iterable[str],
    *,
    smallest: float | None = None,
    smallest_share: float | None = None,
    violations: Sequence[Violation] = (),
    curve: Sequence[CurvePoint] = (),
    pass_probability: float | None = None,
) -> ObjectivePower:
    comparison = sample.objective.comparison
    return ObjectivePower(
        objective=comparison.text,
        sli=comparison.sli.name,
        labels=dict(comparison.selector),
        op=comparison.op.value,
        unit=comparison.sli.unit.value,
        aggregate=comparison.sli.aggregate.value,
        target=None if isinstance(comparison.target, Reference) else comparison.target,
        observations=sample.observations,
        design_effect=case.design_effect if case else None,
        pilot=sample.summary(),
        method=case.method if case else None,
        scale=case.scale if case else None,
        reason=reason,
        limit=case.detector.limit if case else None,
        smallest=smallest,
        smallest_share=smallest_share,
        pass_probability=pass_probability,
        violations=list(violations),
        curve=list(curve),
        notes=list(notes),
    )


def _doubts(sample: Sample) -> Iterator[str]:
    pilot = sample.summary()
    if pilot.failed:
        yield f"the pilot breaks it in {pilot.failed} of {len(sample.outcomes)} replications, without any violation"


def _aborts(sample: Sample, scenario: Scenario) -> Iterator[str]:
    for condition in scenario.aborts:
        if condition.stops and any(part.comparison.sli is sample.objective.comparison.sli for part in condition.parts):
            words = f"{condition.name} ({condition.text})"
            yield f"the abort condition {words} may end such a run first: its verdict is then ABORTED"


def _violations(
    sample: Sample, case: Case, asked: Sequence[ViolationRequest], power: float, warmup_s: float
) -> Iterator[Violation]:
    sizes = [check(each, each.on(case.scale, sample.per_hour), case.detector) for each in asked]
    default = [case.default] if case.default is not None and not sizes else []
    for size in [*sizes, *default]:
        probability = case.detector.probability(size, sample.hours)
        least_h = sample.hours * _SHORTEST_PART
        hours = shortest(case.detector, size, power, least_h) if case.any_duration else None
        yield Violation(
            size=size,
            share=case.share_of(size) if case.share_of else None,
            asked=bool(sizes),
            probability=probability,
            enough=probability >= power,
            duration_s=None if hours is None else hours * _HOUR_S + warmup_s,
            at_most=hours == least_h,
        )


def _curve(sample: Sample, case: Case, sizes: Sequence[float | None]) -> list[CurvePoint]:
    """From the limit to somewhat beyond what is of interest."""
    detector = case.detector
    known = [size for size in sizes if size is not None] or [detector.worst]
    farthest = max(known, key=lambda size: abs(size - detector.limit))
    end = detector.limit + 1.5 * (farthest - detector.limit)
    low, high = sorted((detector.limit, detector.worst))
    # The closer to the limit, the more there is to see.
    grid = (detector.limit + np.linspace(0, 1, _POINTS) ** 2 * (min(max(end, low), high) - detector.limit)).tolist()
    return [CurvePoint(size, detector.probability(size, sample.hours)) for size in grid]


def _pass_probability(sample: Sample, case: Case) -> float | None:
    """How likely a violation that is as small as can be passes: PASS is withheld where the interval reaches beyond the target."""
    share = case.detector.detector if isinstance(case.detector, EnoughDetector) else case.detector
    if not isinstance(share, ShareDetector) or case.scale is not Scale.VALUE:
        return None
    n = math.floor(sample.observations)
    effective = math.floor(sample.observations / share.design_effect)
    if effective < 1:
        return None
    comparison, rule = sample.objective.comparison, share.rule
    if sample.objective.confidence and comparison.op is not Op.ABOUT:
        if isinstance(rule, AboutRule):
            rule = RatioRule(comparison.op, rule.target, rule.good_counts)
        withheld = _least_withheld(rule, effective, sample.objective.confidence)
        return 1 - binomial_at_least(withheld, effective, rule.allowed)
    least = rule.least_bad(n)
    return 1 - binomial_at_least(math.ceil(least / n * effective), effective, rule.allowed)


def _least_withheld(rule: RatioRule | QuantileRule, n: int, confidence: float) -> int:
    """The fewest bad ones of `n` with which PASS is withheld."""
    if isinstance(rule, QuantileRule):
        return max(0, n - quantile_ranks(rule.q, n, confidence)[1] + 1)
    low, high = 0, rule.least_bad(n)
    while low < high:
        middle = (low + high) // 2
        if _passes(rule, middle, n, confidence):
            low = middle + 1
        else:
            high = middle
    return low


def _passes(rule: RatioRule, bad: int, n: int, confidence: float) -> bool:
    good = n - bad if rule.good_counts else bad
    return all(rule.op.holds(bound, rule.target) for bound in wilson(good, n, confidence))
