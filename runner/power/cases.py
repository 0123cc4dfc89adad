"""From an objective and its pilot to the detector that knows it, or to the reason why nothing can be said."""

import math
from collections.abc import Callable, Iterator
from statistics import fmean, stdev

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.runner.judge.confidence import DEFAULT_CONFIDENCE
from soak.runner.judge.histogram import bucket_of, upper_edge, value_of
from soak.runner.power.detection import (
    AboutRule,
    CountDetector,
    Detector,
    EnoughDetector,
    QuantileRule,
    RarityDetector,
    RatioRule,
    ShareDetector,
    SpreadDetector,
)
from soak.runner.power.pilot import PooledDistribution, Sample, design_effect, index_of_dispersion, share_beyond
from soak.schemas.evidence.power import Method, Scale
from soak.schemas.language.conditions import Objective, Reference
from soak.schemas.language.expression import AT_LEAST, AT_MOST, Op
from soak.schemas.language.slis import Aggregate, Better

FEW = 0.0001
"""The default violation of an objective that allows nothing: so many of the opportunities."""
MORE = 1.25
"""The default violation of an objective that allows something: so much more of it."""
RARE_PER_HOUR = 1 / 24
"""The default violation where a single event breaks the objective."""

_FAR = 1000.0
"""So many times its limit is as bad as anybody looks for."""
_BEYOND = 10
"""Observations beyond a quantile from which on a change of it by a fifth shows, as a rule."""
_OF_SLOPES = 1.5
"""The power of time with which the spread of slopes falls: half for the number of observations, one for the time they span."""
_EXTREMES = (Aggregate.MAX, Aggregate.GAUGE, Aggregate.LONGEST)


class NoStatementError(Exception):
    """Nothing sound can be said of an objective: the message says why."""


class Case(Struct, frozen=True):
    """An objective of which something can be said; `default`: the violation to look for where nobody names one.

    `share_of`: the share of observations beyond the target that a size stands for, of a quantile. `any_duration`: whether more
    of the same time is more of the same observations, so that a duration can be named.
    """

    detector: Detector
    method: Method
    scale: Scale
    default: float | None
    design_effect: float | None = None
    share_of: Callable[[float], float] | None = None
    any_duration: bool = True
    notes: tuple[str, ...] = ()


def case_of(sample: Sample) -> Case:
    """What is known of an objective. Raises NoStatementError."""
    comparison = sample.objective.comparison
    if sample.objective.window_s is not None:
        raise NoStatementError("it is about windows: soak predict counts how often they are good")
    if not sample.observed:
        raise NoStatementError("no replication observes anything of it: that takes other faults, or a real system")
    if comparison.op is Op.ABOUT and comparison.sli.aggregate is not Aggregate.RATIO:
        raise NoStatementError("whether an interval holds its target is worked out for shares only")
    if comparison.op is Op.NE:
        raise NoStatementError("it excludes one value: that has no size")
    if comparison.sli.aggregate is Aggregate.EVENNESS:
        raise NoStatementError("how uneven a violation would be is not known")
    target = comparison.target
    case = (
        _relative(sample, target.factor)
        if isinstance(target, Reference)
        else _CASES[comparison.sli.aggregate](sample, target)
    )
    least = sample.objective.min_samples
    if least > 1 and comparison.sli.aggregate is not Aggregate.GROWTH:
        enough = EnoughDetector(case.detector, least, sample.per_hour, sample.dispersion)
        case = replace(
            case, detector=enough, notes=(*case.notes, f"with fewer than {least} observations it is INCONCLUSIVE")
        )
    return _phased(sample, case)


def scale_of(objective: Objective) -> Scale:
    """What the sizes of its violations are measured in."""
    comparison = objective.comparison
    if isinstance(comparison.target, Reference):
        return Scale.FACTOR
    if comparison.sli.aggregate is Aggregate.COUNT:
        return Scale.HOURLY if comparison.sli.filters else Scale.SHARE
    return Scale.HOURLY if comparison.sli.aggregate in _EXTREMES else Scale.VALUE


# Ratios and quantiles.


def _ratio(sample: Sample, target: float) -> Case:
    op = sample.objective.comparison.op
    if max(sample.values) > 1:
        raise NoStatementError("it was above 100 % in the pilot: it is no share of anything")
    if op is Op.EQ and target not in {0.0, 1.0}:
        raise NoStatementError("it wants one value exactly, and is broken on both sides of it")
    rule = _ratio_rule(sample.objective, target)
    if not 0 <= rule.allowed < 1:
        raise NoStatementError("it holds whatever happens")
    effect = design_effect(sample.values, [each.samples for each in sample.observed])
    bad = MORE * rule.allowed if rule.allowed > 0 else FEW

    def size_of(share: float) -> float:
        return 1 - share if rule.good_counts else share

    detector = ShareDetector(rule, size_of, target, size_of(1.0), sample.per_hour, effect or 1.0)
    notes = () if effect else ("observations are taken to be independent: the pilot saw nothing to tell by",)
    if op is Op.ABOUT:
        notes = (*notes, "only what is worse than the target counts as a violation")
    return Case(detector, Method.BINOMIAL, Scale.VALUE, size_of(min(bad, 1.0)), effect or 1.0, notes=notes)


def _ratio_rule(objective: Objective, target: float) -> RatioRule | AboutRule:
    op, sli = objective.comparison.op, objective.comparison.sli
    if op is Op.ABOUT:
        return AboutRule(target, sli.better is Better.HIGHER, objective.confidence or DEFAULT_CONFIDENCE)
    good_counts = op in AT_LEAST or (op is Op.EQ and target == 1)
    # With a confidence FAIL takes the whole interval, too.
    return (
        AboutRule(target, good_counts, objective.confidence)
        if objective.confidence
        else RatioRule(op, target, good_counts)
    )


def _quantile(sample: Sample, target: float) -> Case:
    comparison = sample.objective.comparison
    _only_upper(sample)
    if target <= 0:
        raise NoStatementError("its target is not above 0: no size can be a multiple of it")
    pooled = PooledDistribution(sample.observed)
    pilot_value = pooled.value_with_above(1 - comparison.sli.q)
    if pilot_value <= 0:
        raise NoStatementError("it is 0 in the pilot: a system slower by a factor would show the same")
    shares = [share_beyond(each, pilot_value) for each in sample.observed]
    effect = design_effect(shares, [each.samples for each in sample.observed]) or 1.0
    edge = _edge_at(target, comparison.op)

    def share_of(size: float) -> float:
        return pooled.share_above(edge * pilot_value / size)

    rule = QuantileRule(comparison.sli.q, sample.objective.confidence)
    detector = ShareDetector(rule, share_of, target, target * _FAR, sample.per_hour, effect)
    wanted = MORE * (1 - comparison.sli.q)
    default = target * pilot_value / pooled.value_with_above(wanted)
    notes = ("sizes are those of a system that is slower by a common factor than the pilot",)
    return Case(detector, Method.BINOMIAL, Scale.VALUE, default, effect, share_of, notes=notes)


def _edge_at(target: float, op: Op) -> float:
    """The value from which on the judge's histogram calls one above `target`: within its relative error of it."""
    bucket = int(bucket_of(np.array([target]))[0])
    while op.holds(value_of(bucket), target):
        bucket += 1
    return upper_edge(bucket - 1) if bucket else 0.0


# Counts, and what one event breaks.


def _count(sample: Sample, target: float) -> Case:
    comparison = sample.objective.comparison
    op = comparison.op
    if op not in AT_MOST and not (op is Op.EQ and target == 0):
        raise NoStatementError("it wants many, or one number exactly: a run of another length has others")
    least = math.floor(target) + 1 if op is not Op.LT else math.ceil(target)
    if least < 1:
        raise NoStatementError("no count can keep it")
    known = not comparison.sli.filters
    effect = index_of_dispersion(sample.values)
    per_hour = sample.per_hour if known else None
    chances = sample.observations if known else sample.hours
    allowed = (least - 1) / chances
    default = MORE * allowed if allowed else FEW if known else RARE_PER_HOUR
    detector = CountDetector(least, allowed, 1.0 if known else 1e6 + _FAR * allowed, per_hour, effect or 1.0)
    method, scale = (Method.BINOMIAL, Scale.SHARE) if known else (Method.POISSON, Scale.HOURLY)
    return Case(detector, method, scale, default, effect or 1.0)


def _rarity(sample: Sample, target: float) -> Case:
    _only_upper(sample)
    notes = ["the size is how often an event comes that breaks it"]
    if sample.objective.comparison.sli.aggregate is Aggregate.GAUGE:
        notes.append("one that is over between two samples is not seen")
    return Case(RarityDetector(), Method.POISSON, Scale.HOURLY, RARE_PER_HOUR, notes=tuple(notes))


# What varies normally between replications.


def _mean(sample: Sample, target: float) -> Case:
    mean, sd = fmean(sample.values), _sd(sample.values)
    if mean <= 0:
        raise NoStatementError("its mean is not above 0 in the pilot: nothing to scale")
    return _normal(sample, target, lambda size: sd * size / mean)


def _rate(sample: Sample, target: float) -> Case:
    sd = _sd(sample.values)
    return _normal(sample, target, lambda size: sd)


def _normal(sample: Sample, target: float, sd_of: Callable[[float], float]) -> Case:
    higher, (beyond, varied) = _broken_above(sample), _beyond(sample)
    if target <= 0:
        raise NoStatementError("its target is not above 0: no size can be a multiple of it")
    worst = target * _FAR if higher else target / _FAR
    detector = SpreadDetector(target, worst, sample.hours, lambda size: math.hypot(sd_of(size), varied), beyond=beyond)
    return Case(detector, Method.NORMAL, Scale.VALUE, target * (MORE if higher else 2 - MORE))


def _growth(sample: Sample, target: float) -> Case:
    higher, sd = _broken_above(sample), _sd(sample.values)
    beyond, varied = _beyond(sample)
    sd = math.hypot(sd, varied)
    far = target + (1 if higher else -1) * (abs(target) + beyond + sd) * _FAR
    default = target * (MORE if higher else 2 - MORE) if target > 0 else None
    detector = SpreadDetector(target, far, sample.hours, lambda size: sd, _OF_SLOPES, beyond)
    return Case(detector, Method.NORMAL, Scale.VALUE, default)


def _beyond(sample: Sample) -> tuple[float, float]:
    """How far beyond its limit a value must lie for the whole interval to do so, and how much that varies.

    0 where the observed value decides.
    """
    if not sample.objective.confidence:
        return 0.0, 0.0
    if sample.half_widths is None:
        raise NoStatementError("the pilot has too few independent observations for an interval: make the run longer")
    return sample.half_widths


def _relative(sample: Sample, factor: float) -> Case:
    """The logarithm of value over reference, as both vary together between replications (the delta method).

    With a confidence FAIL takes the whole interval of the ratio, which is taken to be even around the logarithm of its value.
    """
    if sample.objective.comparison.sli.aggregate in {*_EXTREMES, Aggregate.GROWTH}:
        raise NoStatementError("both sides are extremes or slopes: their ratio follows no distribution we know")
    if len(sample.relative) < len(sample.outcomes):
        raise NoStatementError("one of its sides was 0 or not observed in the pilot: there is no ratio")
    higher = _broken_above(sample)
    beyond, varied = _beyond(sample)
    sd = math.hypot(_sd([math.log(each) for each in sample.relative]), varied)
    worst = factor * (_FAR if higher else 1 / _FAR)
    # A quarter more than the distance that it allows its sides to have.
    default = 1 + MORE * (factor - 1) if (factor > 1) == higher and factor != 1 else None
    detector = SpreadDetector(factor, worst, sample.hours, lambda size: sd, beyond=beyond, logarithmic=True)
    return Case(detector, Method.NORMAL, Scale.FACTOR, default, notes=tuple(_few_beyond(sample)))


def _few_beyond(sample: Sample) -> Iterator[str]:
    """A quantile that hardly any observations lie beyond jumps from run to run."""
    sli = sample.objective.comparison.sli
    if sli.aggregate is Aggregate.QUANTILE and sample.observations * (1 - sli.q) < _BEYOND:
        wanted = f"about {_BEYOND / (1 - sli.q):,.0f} are needed for a change of a fifth to show"
        yield f"of about {sample.observations:,.0f} observations, few lie beyond the quantile: {wanted}"


def _broken_above(sample: Sample) -> bool:
    """Whether it is broken by values above its target."""
    op = sample.objective.comparison.op
    if op is Op.EQ:
        raise NoStatementError("it wants one value exactly, and is broken on both sides of it")
    return op in AT_MOST


def _only_upper(sample: Sample) -> None:
    comparison = sample.objective.comparison
    if comparison.op not in AT_MOST and not (comparison.op is Op.EQ and comparison.target == 0):
        raise NoStatementError("it is broken by small values: only too large ones are understood here")


def _sd(values: list[float]) -> float:
    sd = stdev(values) if len(values) > 1 else 0.0
    if sd <= 0:
        raise NoStatementError("it was the same in all replications: there is no spread to tell a violation from")
    return sd


def _phased(sample: Sample, case: Case) -> Case:
    """An objective about a phase gets no more observations from a longer run."""
    comparison = sample.objective.comparison
    selectors = [comparison.selector, comparison.target.selector if isinstance(comparison.target, Reference) else ()]
    if any(label == "phase" for selector in selectors for label, _ in selector):
        note = "no duration is named: a longer run has no more of a phase"
        return replace(case, any_duration=False, notes=(*case.notes, note))
    return case


_CASES: dict[Aggregate, Callable[[Sample, float], Case]] = {
    Aggregate.RATIO: _ratio,
    Aggregate.QUANTILE: _quantile,
    Aggregate.COUNT: _count,
    Aggregate.MAX: _rarity,
    Aggregate.GAUGE: _rarity,
    Aggregate.LONGEST: _rarity,
    Aggregate.MEAN: _mean,
    Aggregate.RATE: _rate,
    Aggregate.GROWTH: _growth,
}
