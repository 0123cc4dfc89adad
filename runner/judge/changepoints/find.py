"""The change points of a run: every objective's indicator is searched, and each change is held against what else happened.

They change no verdict.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from soak.runner.judge.changepoints.divisive import Division, divide
from soak.runner.judge.changepoints.near import Happening, happenings, near
from soak.runner.judge.changepoints.place import Placed, place_all
from soak.runner.judge.changepoints.series import Series, level_of, searchable, series_of
from soak.runner.judge.course import Course
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.changepoints import FAMILY_ERROR, LEAST_EFFECTIVE, ChangePoint, SeriesChanges
from soak.schemas.language.conditions import Comparison
from soak.schemas.language.model import Scenario
from soak.schemas.units import show_duration

CAUTION = 5.0
"""A permutation test takes values as independent. With dependent ones, corrected as they are, its error was up to five times
as large when it was tried (`benchmarks/coverage_steps.py`): the level of the tests is smaller by this factor."""


class Recorded(Struct, frozen=True):
    """What is searched: the course of the series of an objective."""

    comparison: Comparison
    course: Course


class _Run(Struct, frozen=True):
    """What changes are held against: all that happened from `begin_s` to `end_s`."""

    known: Sequence[Happening]
    begin_s: float
    end_s: float


def change_points(judge: Judge) -> list[SeriesChanges]:
    """Of every objective's indicator, in their order, each once; left out is what cannot step."""
    known = list(happenings(judge.scenario, judge.marks, judge.resumes, judge.until_s))
    return changes_of(list(_recorded(judge)), judge.scenario, known, judge.until_s)


def _recorded(judge: Judge) -> Iterator[Recorded]:
    seen = set()
    for objective in judge.scenario.objectives:
        comparison = objective.comparison
        course = judge.course_of(comparison) if searchable(comparison.sli) else None
        key = level_of(comparison.sli), judge.labels.selected(comparison.selector)
        if course is not None and key not in seen:
            seen.add(key)
            yield Recorded(comparison, course)


def changes_of(
    recorded: Sequence[Recorded], scenario: Scenario, known: Sequence[Happening], until_s: float
) -> list[SeriesChanges]:
    """The change points of these, up to `until_s`; `known`: what else happened. All that can be searched share the error."""
    found = [(each.comparison, series_of(each.course, each.comparison.sli, scenario, until_s)) for each in recorded]
    level = FAMILY_ERROR / CAUTION / max(1, sum(1 for _, series in found if not series.short))
    run = _Run(known, scenario.warmup_s, min(scenario.duration_s, until_s))
    return [_changes(comparison, series, level, run) for comparison, series in found]


def _changes(comparison: Comparison, series: Series, level: float, run: _Run) -> SeriesChanges:
    division = Division(0.0) if series.short else divide(series.windows.value, level)
    placed = place_all(series, division.splits, straight=division.straight) if division.splits else []
    return SeriesChanges(
        objective=comparison.text,
        indicator=comparison.observed if comparison.is_quotient else series.sli.name,
        labels=dict(comparison.selector),
        unit=series.sli.unit.value,
        window_s=float(series.window_s),
        windows=len(series.windows),
        effective=round(division.effective, 1),
        detail=series.short or _withheld(series, division),
        points=[_point(each, series, run) for each in placed],
    )


def _withheld(series: Series, division: Division) -> str:
    if division.stated:
        return ""
    windows = f"{len(series.windows)} windows of {show_duration(series.window_s)}"
    return f"{windows} depend on each other and are worth {division.effective:.2g} (at least {LEAST_EFFECTIVE:g} are needed)"


def _point(placed: Placed, series: Series, run: _Run) -> ChangePoint:
    # The last bits of a variance differ between processors; a verdict does not.
    at_s, low_s, high_s = (round(each, 3) for each in (placed.at_s, *placed.interval))
    reach_s = series.window_s
    found, throughout = near(low_s - reach_s, high_s + reach_s, run.known, (run.begin_s, run.end_s), reach_s)
    return ChangePoint(
        placed.kind,
        at_s,
        (low_s, high_s),
        _number(placed.before),
        _number(placed.after),
        placed.p,
        found,
        throughout,
    )


def _number(value: float) -> float | None:
    return value if value == value else None
