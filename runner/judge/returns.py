"""What can be said of the tail of a series: the value that is passed once a day, a week or a month, or why nothing is said.

Peaks over a threshold (Davison and Smith 1990; Coles 2001, chapters 4 and 5): peaks of clusters are independent, come at a
constant rate, and exceed the threshold by amounts with a generalised Pareto distribution. Each of the three is checked first.
"""

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from soak.runner.judge.clusters import LEAST_CLUSTERS, Clusters, find_clusters
from soak.runner.judge.goodness import anderson_darling, clumping, evenness, largest_gap
from soak.runner.judge.judge import Judge
from soak.runner.judge.pareto import Pareto, fit
from soak.runner.judge.tail_quantile import tail_quantile
from soak.runner.judge.tails import Largest, Tailed
from soak.schemas.evidence.tails import ReturnLevel, Tail
from soak.schemas.stream.block import Floats

_PERIODS_S = (3600.0, 86_400.0, 7 * 86_400.0, 30 * 86_400.0)
_SHORTEST, _LONGEST = 0.25, 100.0
"""Periods that are stated, in lengths of the run."""

_POOR_FIT, _GAP, _CLUMPED, _UNEVEN = 0.05, 0.05, 0.05, 0.01
"""p-values below which nothing is stated."""

_UNSTABLE = 2.6
"""Standard errors between the shapes above two thresholds, beyond which nothing is stated: p = 0.01."""

_MOST_SHAPE, _LEAST_SHAPE = 1.0, -0.5
_CONFIDENCE, _UPPER_CONFIDENCE = 0.95, 0.9
_DIGITS = 6
_MOST_PEAKS = 20


def tails(judge: Judge, late: str) -> Iterator[Tail]:
    """A statement for each series that has observations, or why there is none; `late`: how the load generator fell behind."""
    begin_s = judge.scenario.warmup_s
    end_s = min(judge.until_s, judge.scenario.duration_s)
    for each in judge.tails:
        if each.largest.samples and end_s > begin_s:
            yield stated(each, begin_s, end_s, _obstacle(judge, each, late))


def _obstacle(judge: Judge, tailed: Tailed, late: str) -> str:
    """What keeps the largest observations from being known."""
    if judge.telemetry.lost_events:
        return f"{judge.telemetry.lost_events} events were lost"
    sli, lifecycle, numbers = tailed.sli, judge.lifecycle, tailed.numbers
    own = lifecycle.tracker.still_open(sli, lifecycle, numbers)
    unfinished = lifecycle.unfinished(numbers) if own is None and sli.censored else None
    still = own[0] if own else unfinished.tasks + unfinished.deferred if unfinished else 0
    if still:
        return f"{still} unfinished {own[1] if own else 'tasks'} could have the largest values"
    return late


def stated(tailed: Tailed, begin_s: float, end_s: float, obstacle: str = "") -> Tail:
    """The statement on a series observed from `begin_s` to `end_s`; `obstacle`: why its largest observations are not known."""
    clusters = find_clusters(tailed.largest)
    result = Tail(
        tailed.sli.name,
        dict(tailed.selector),
        tailed.sli.unit.value,
        tailed.largest.samples,
        _round(end_s - begin_s),
        len(clusters) if clusters else 0,
        obstacle,
    )
    if obstacle:
        return result
    if clusters is None or len(clusters) < LEAST_CLUSTERS:
        return _with(
            result, withheld=f"{result.clusters} of at least {LEAST_CLUSTERS} independent peaks among the largest 5 %"
        )
    even = evenness(clusters.times, begin_s, end_s)
    if even < _UNEVEN:
        return _with(result, withheld=f"large values are not spread evenly over the run (p = {even:.2g})")
    peaks = fit(clusters.peaks - clusters.threshold)
    if peaks is None or peaks.shape <= _LEAST_SHAPE:
        return _with(result, withheld="the largest values lie close to an upper bound, or in separate groups")
    return _checked(result, tailed.largest, clusters, peaks)


def _checked(result: Tail, largest: Largest, clusters: Clusters, peaks: Pareto) -> Tail:
    higher = _higher(clusters.peaks)
    fit_p = anderson_darling(peaks)
    result = _with(result, shape=_round(peaks.shape), fit_p=float(f"{fit_p:.2g}"), threshold=_round(clusters.threshold))
    gap = largest_gap(peaks)
    clumped = clumping(clusters.peaks, clusters.places[clusters.starts], largest.samples)
    if fit_p < _POOR_FIT:
        return _with(result, withheld=f"a generalised Pareto distribution does not fit (p = {fit_p:.2g})")
    if peaks.shape > _MOST_SHAPE:
        return _with(result, withheld=f"the fitted distribution has no mean (shape {peaks.shape:.2g})")
    if gap < _GAP:
        return _with(result, withheld=f"a gap between large values: they come in separate groups (p = {gap:.2g})")
    if clumped < _CLUMPED:
        return _with(result, withheld=f"the largest values come in clumps, unlike smaller ones (p = {clumped:.2g})")
    if len(higher[1]) < LEAST_CLUSTERS // 2:
        return _with(result, withheld="too many of the largest values are equal")
    above = fit(higher[1]) if len(higher[1]) < len(clusters) else peaks
    if above is None or _shift(peaks, above) > _UNSTABLE:
        return _with(result, withheld="the fitted shape changes with the threshold")
    return _with_levels(result, largest, clusters, peaks, (higher[0], above))


def _higher(peaks: Floats) -> tuple[float, Floats]:
    """A threshold that half of the peaks pass (50 at least), and by how much: the tail there is closer to its limit."""
    descending = np.sort(peaks)[::-1]
    threshold = float(descending[min(max(LEAST_CLUSTERS, len(peaks) // 2), len(peaks) - 1)])
    return threshold, peaks[peaks > threshold] - threshold


def _shift(peaks: Pareto, above: Pareto) -> float:
    """Standard errors between the two shapes; that of the shape is (1 + shape) / sqrt(n) (Smith 1985)."""
    more = 1 / len(above.excesses) - 1 / len(peaks.excesses)
    return abs(above.shape - peaks.shape) / ((1 + peaks.shape) * math.sqrt(more)) if more > 0 else 0.0


def _with_levels(
    result: Tail, largest: Largest, clusters: Clusters, peaks: Pareto, higher: tuple[float, Pareto]
) -> Tail:
    region = peaks.region(_CONFIDENCE)
    low, high = region.shapes()
    quantile = tail_quantile(largest, clusters, peaks)
    upper = higher[1].region(_UPPER_CONFIDENCE)
    levels = []
    for period_s in _PERIODS_S:
        runs = period_s / result.span_s
        if not _SHORTEST <= runs <= _LONGEST:
            continue
        odds = len(clusters) * runs
        ends = region.level(odds)
        # The upper end is the larger of two: a tail that gets heavier further out is seen from the higher threshold first.
        top = max(clusters.threshold + ends[1], higher[0] + upper.level(len(higher[1].excesses) * runs)[1])
        if math.isfinite(top):
            value = clusters.threshold + peaks.level(odds)
            levels.append(ReturnLevel(period_s, _round(value), (_round(clusters.threshold + ends[0]), _round(top))))
    return _with(
        result,
        extremal_index=_round(clusters.index),
        scale=_round(peaks.scale),
        shape_interval=(_round(low), _round(high)),
        end=None if peaks.end is None else _round(clusters.threshold + peaks.end),
        p999=_round(quantile[0]) if quantile else None,
        p999_interval=(_round(quantile[1]), _round(quantile[2])) if quantile else None,
        levels=levels,
        peaks=np.sort(clusters.peaks)[::-1][:_MOST_PEAKS].tolist(),
    )


def _with(tail: Tail, **fields: object) -> Tail:
    return msgspec.structs.replace(tail, **fields)


def _round(value: float) -> float:
    """To six significant digits: what differs between processors lies beyond them."""
    return float(f"{value:.{_DIGITS}g}")
