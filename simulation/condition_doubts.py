"""What objectives in windows and combined conditions cannot do: windows that hold too little, targets that exclude each other."""

import math
from collections.abc import Callable, Iterator

from soak.schemas.errors import Where
from soak.schemas.language.conditions import Combination, Comparison, Condition, Objective
from soak.schemas.language.expression import AT_LEAST, AT_MOST, Op
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate, Sli
from soak.schemas.units import show_count, show_duration, write_duration
from soak.simulation.room import Doubt

_ROUNDING = 1e-9
_FAR = 5.0
"""Standard deviations from the expectation that no window exceeds."""


def window_doubts(
    scenario: Scenario, peak_per_s: Callable[[float], float], is_sampled: Callable[[Sli], bool]
) -> Iterator[Doubt]:
    """Of objectives in windows.

    peak_per_s: the highest arrival rate over an interval of a length. is_sampled: whether an SLI is of samples.
    """
    for objective in scenario.objectives:
        if objective.window_s is not None:
            whole_s = scenario.horizon_s - scenario.warmup_s
            if objective.window_s > whole_s + _ROUNDING:
                what = (
                    f"{objective.comparison.text}: there is no whole window of {write_duration(objective.window_s)} "
                    f"in {show_duration(whole_s)}: it will be INCONCLUSIVE"
                )
                yield Doubt(("slos",), what, "write a shorter window, or lengthen the run")
            else:
                yield from _thin(scenario, objective, objective.window_s, peak_per_s, is_sampled)


def _thin(
    scenario: Scenario,
    objective: Objective,
    window_s: float,
    peak_per_s: Callable[[float], float],
    is_sampled: Callable[[Sli], bool],
) -> Iterator[Doubt]:
    sli = objective.comparison.sli
    if is_sampled(sli):
        most = math.ceil(window_s / scenario.telemetry.sample_interval_s - _ROUNDING)
    elif sli.once_a_task and not any(fault.by_time for fault in scenario.faults):
        mean = peak_per_s(window_s) * window_s
        most = math.floor(mean + _FAR * math.sqrt(mean))
    else:
        return
    if objective.min_samples > most:
        what = (
            f"{objective.comparison.text}: a window holds at most about {show_count(most)} observations, "
            f"but {objective.min_samples:,} are needed: it will be INCONCLUSIVE"
        )
        yield Doubt(("slos",), what, "write a longer window or a smaller min_samples")


def placed(where: Where, condition: Condition | Combination) -> Iterator[tuple[Where, Condition]]:
    """The conditions that one is made of, each with its place in the scenario."""
    if isinstance(condition, Condition):
        yield where, condition
        return
    mode = "all" if condition.every else "any"
    for place, member in enumerate(condition.members):
        yield from placed((*where, mode, place), member)


def trivial(where: Where, condition: Condition | Combination) -> Iterator[Doubt]:
    """Of a condition that never holds, or always, whatever happens; and of conditions that exclude each other."""
    if isinstance(condition, Condition):
        if what := _at_the_edge(condition.comparison):
            yield Doubt((*where, "when"), what, "write another target")
        return
    mode = "all" if condition.every else "any"
    for place, member in enumerate(condition.members):
        yield from trivial((*where, mode, place), member)
    parts = [each for each in condition.members if isinstance(each, Condition)]
    for place, one in enumerate(parts):
        for other in parts[place + 1 :]:
            if _same(one, other) and (what := _together(one.comparison, other.comparison, every=condition.every)):
                yield Doubt((*where, mode), what, "write targets that leave something between them")


def _at_the_edge(comparison: Comparison) -> str:
    sli, op, target = comparison.sli, comparison.op, comparison.target
    if sli.aggregate is Aggregate.GROWTH or not isinstance(target, float):
        return ""
    share = sli.aggregate is Aggregate.RATIO and not sli.filters
    if (target <= 0 and op is Op.LT) or (share and target >= 1 and op is Op.GT):
        return f"cannot hold: {sli.name} is never {'below' if op is Op.LT else 'above'} {sli.unit.show(target)}"
    if (target <= 0 and op is Op.GE) or (share and target >= 1 and op is Op.LE):
        side = "at least" if op is Op.GE else "at most"
        return f"always holds: {sli.name} is always {side} {sli.unit.show(target)}"
    return ""


def _same(one: Condition, other: Condition) -> bool:
    """Whether two conditions compare the same value."""
    return (one.comparison.sli, one.comparison.selector, one.window_s) == (
        other.comparison.sli,
        other.comparison.selector,
        other.window_s,
    )


def _together(one: Comparison, other: Comparison, *, every: bool) -> str:
    """What two comparisons of one value come to; empty if nothing is to be said."""
    low, high = (one, other) if one.op in AT_LEAST else (other, one)
    if low.op not in AT_LEAST or high.op not in AT_MOST:
        return ""
    if not isinstance(low.target, float) or not isinstance(high.target, float):
        return ""
    closed = low.op is Op.GE and high.op is Op.LE
    if every and (low.target > high.target or (low.target == high.target and not closed)):
        return f"cannot hold: {low.text} and {high.text} exclude each other"
    if not every and (
        low.target < high.target or (low.target == high.target and (low.op is Op.GE or high.op is Op.LE))
    ):
        return f"always holds: whatever the value, {low.text} or {high.text}"
    return ""
