"""Objectives in windows of the run: from what was seen of the windows to PASS, FAIL or INCONCLUSIVE.

What must hold in every window is a statement on this run: it is broken where one window is, and has no confidence interval. A
share of the windows that follow one another is a proportion like any other, with an interval that takes the dependence of windows
into account.
"""

import math

import msgspec

from soak.runner.judge.alerts import number_or_none, times
from soak.runner.judge.compared import margin
from soak.runner.judge.judge import Judge
from soak.runner.judge.unfinished import open_observations
from soak.runner.judge.window_fold import WindowFold
from soak.schemas.evidence.verdict import ObjectiveResult, Status
from soak.schemas.evidence.windows import WindowsResult
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_duration, show_ratio, write_duration

MOST_THIN = 0.5
"""The share of windows that may hold too few observations: beyond it nothing is said."""


def judge_every_window(judge: Judge, windows: WindowFold, late: str) -> ObjectiveResult:
    """The result of an objective that must hold in every window. late: as in `judge_objectives`."""
    objective, found = windows.objective, windows.result(judge.until_s)
    comparison, sli, limit = objective.comparison, objective.comparison.sli, found.limit
    status, detail = _status(judge, windows, found)
    if status is Status.FAIL and late and sli.unit is Unit.DURATION:
        status, detail = Status.INCONCLUSIVE, f"broken, but {late}"
    worst = found.worst.value if found.worst and found.worst.value is not None else math.nan
    return ObjectiveResult(
        objective=comparison.text,
        sli=sli.name,
        labels=dict(comparison.selector),
        value=number_or_none(worst),
        target=limit,
        op=comparison.op.value,
        unit=sli.unit.value,
        status=status,
        margin=number_or_none(margin(comparison.op, worst, limit)),
        samples=judge.folds.fold(sli, judge.labels.selected(comparison.selector)).samples,
        min_samples=objective.min_samples,
        interval=None,
        confidence=None,
        detail=detail,
        note=objective.note,
        windows=found,
    )


def judge_share(judge: Judge, windows: WindowFold, result: ObjectiveResult) -> ObjectiveResult:
    """`result`, that of the share of good windows, as that of its objective."""
    objective, found = windows.objective, windows.result(judge.until_s)
    status, detail = result.status, result.detail
    if not found.consecutive:
        status, detail = Status.INCONCLUSIVE, _no_window(found)
    elif found.enough < (1 - MOST_THIN) * found.consecutive:
        few = found.consecutive - found.enough
        what = f"{few} of {found.consecutive} windows hold fewer than {objective.min_samples} observations"
        status, detail = Status.INCONCLUSIVE, what
    elif status is Status.PASS and (still := _could_break(judge, windows)) and not _holds_with_one_more(found):
        status, detail = Status.INCONCLUSIVE, still
    counted = f"{found.good} of {found.enough} windows were good" if found.enough else ""
    return msgspec.structs.replace(
        result,
        sli=objective.comparison.sli.name,
        status=status,
        thin=result.thin and status is not Status.INCONCLUSIVE,
        detail="; ".join(filter(None, [counted, detail])),
        min_samples=objective.min_samples,
        excluded=None,
        windows=found,
    )


def _holds_with_one_more(found: WindowsResult) -> bool:
    """Whether the share of good windows is met even if one more were bad."""
    assert found.share is not None
    return found.good >= found.share * (found.enough + 1)


def _status(judge: Judge, windows: WindowFold, found: WindowsResult) -> tuple[Status, str]:
    least = windows.objective.min_samples
    if not found.consecutive:
        return Status.INCONCLUSIVE, _no_window(found)
    if found.first_s is not None:
        spells = f", {times(found.spells)}" if found.spells > 1 else ""
        lasted = f"for {show_duration(found.broken_s)} in all" if found.broken_s else "for an instant"
        return Status.FAIL, f"first at {show_duration(found.first_s)}, {lasted}{spells}"
    thin = found.thin_s / found.looked_s if found.looked_s else float(found.worst is None)
    few = f"{show_ratio(thin)} of the windows hold fewer than {least} observation{'s' * (least > 1)}"
    if thin > MOST_THIN or found.worst is None:
        return Status.INCONCLUSIVE, few
    if still := _could_break(judge, windows):
        return Status.INCONCLUSIVE, still
    return Status.PASS, f"{few} and say nothing" if thin else ""


def _no_window(found: WindowsResult) -> str:
    return f"the run has no whole window of {write_duration(found.length_s)}"


def _could_break(judge: Judge, windows: WindowFold) -> str:
    """Whether work that is unfinished could break the last window, were it to end there; in words, empty if it could not."""
    comparison = windows.objective.comparison
    still, what = open_observations(judge, comparison)
    target = comparison.target
    assert isinstance(target, float)
    if still and not all(
        comparison.op.holds(value, target) for value in windows.last_window().extremes(comparison.sli, still)
    ):
        return f"{still} unfinished {what} could still break it"
    return ""
