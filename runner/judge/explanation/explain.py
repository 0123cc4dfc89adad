"""Explanations of what is broken: of objectives, laws, and abort conditions that held."""

import math
from collections.abc import Iterator

from msgspec.structs import replace

from soak.runner.judge.combined import AnyGuard
from soak.runner.judge.compared import target_of, value_of
from soak.runner.judge.explanation import growth, windows, words
from soak.runner.judge.explanation.history import History, side_of
from soak.runner.judge.explanation.losses import conservation, losses
from soak.runner.judge.explanation.wanted import wanted_by_abort, wanted_by_objective
from soak.runner.judge.judge import Judge
from soak.runner.judge.violations import law
from soak.schemas.evidence.explanation import Broken, Cases, Circumstances, Explanation, Spread, Stretch
from soak.schemas.evidence.verdict import LawResult, ObjectiveResult, Status
from soak.schemas.evidence.windows import WindowsResult
from soak.schemas.language.conditions import Comparison, Condition
from soak.schemas.language.expression import Op, Unit
from soak.schemas.language.registry import language_of
from soak.schemas.language.room import TaskWords
from soak.schemas.language.slis import AT_THE_END, ILLEGAL_TRANSITIONS, Aggregate
from soak.schemas.language.windows import Window

_LAW_SERIES = {"legal_transitions": ILLEGAL_TRANSITIONS.series}
"""Laws that are told by a series."""

_SO_FAR = frozenset({Aggregate.RATIO, Aggregate.MEAN, Aggregate.QUANTILE})
"""Indicators that may come back to the right side of their target."""

_SEVERAL = 5
"""Fewer events in one stretch are not worth a word."""


def explain(judge: Judge, objectives: list[ObjectiveResult], laws: list[LawResult]) -> list[Explanation]:
    """One for each broken objective and law and each abort condition that held, if there is something to say."""
    found = [*_objectives(judge, objectives), *_laws(judge, laws), *(_abort(judge, each) for each in judge.aborts)]
    return [each for each in found if each and each.text]


def _objectives(judge: Judge, results: list[ObjectiveResult]) -> Iterator[Explanation | None]:
    for objective, result in zip(judge.scenario.objectives, results, strict=True):
        if result.status is Status.FAIL and isinstance(result.windows, WindowsResult):
            yield windows.explained(judge, objective.comparison, result.windows, _around)
        elif result.status is Status.FAIL:
            yield _objective(judge, objective.comparison, objective.min_samples)


def _objective(judge: Judge, comparison: Comparison, least: int) -> Explanation | None:
    sli = comparison.sli
    if sli.name == AT_THE_END:
        return losses(judge, Broken.OBJECTIVE, comparison.text, AT_THE_END)
    if sli.at_the_end and (known := losses(judge, Broken.OBJECTIVE, comparison.text, sli.series)):
        return known
    if sli.aggregate is Aggregate.LONGEST:
        return _longest(judge, comparison)
    if sli.aggregate is Aggregate.GROWTH:
        return growth.explained(judge, comparison, _around)
    return _observed(judge, comparison, least)


def _observed(judge: Judge, comparison: Comparison, least: int) -> Explanation:
    """Of what has observations: since when, worst where, and the first cases."""
    history = _history(judge, comparison, least)
    since_s = history.since() if history and comparison.op not in {Op.ABOUT, Op.NE} else None
    places = history.places() if history else None
    worst = places.worst if places and _tells(comparison, history, places.worst) else None
    spread = (
        judge.records.calendar.spread(places.length_s, places.seen, places.broken) if places and places.broken else None
    )
    cases = _cases(judge, comparison, wanted_by_objective(comparison))
    if cases and _allows_none(comparison, target_of(judge, comparison)):
        since_s = min(each.first[0].t_s for each in cases)
    around = _around(judge, worst, _lookback_s(comparison, worst)) if worst else None
    parts = tuple(_told(judge, comparison, history, since_s, worst, spread, around)) if history else ()
    text = words.sentences(*parts, *words.first_cases(cases, _called(judge)), named=bool(parts))
    first = places.broken[0] if places and places.broken else None
    return Explanation(Broken.OBJECTIVE, comparison.text, text, since_s, first, worst, spread, around, cases)


def _called(judge: Judge) -> TaskWords | None:
    return language_of(judge.scenario.system).tasks


def _allows_none(comparison: Comparison, target: float) -> bool:
    """Whether a single violation breaks an objective: a number below one, a share of all."""
    if comparison.sli.aggregate is Aggregate.COUNT:
        return target < 1
    return comparison.sli.aggregate is Aggregate.RATIO and target >= 1


def _tells(comparison: Comparison, history: History | None, worst: Stretch) -> bool:
    """Whether the worst stretch says more than the first cases do: of a number of events, that several were close together."""
    if comparison.sli.aggregate is not Aggregate.COUNT or history is None:
        return True
    return _SEVERAL <= (worst.value or 0.0) < float(history.course.total.sum())


def _cases(judge: Judge, comparison: Comparison, series: str) -> list[Cases]:
    return judge.records.cases.cases(series, judge.labels.selected(comparison.selector)) if series else []


def _history(judge: Judge, comparison: Comparison, least: int) -> History | None:
    course, target = judge.course_of(comparison), target_of(judge, comparison)
    side = side_of(comparison.op, value_of(judge, comparison), target)
    if course is None or not len(course) or math.isnan(target):
        return None
    begin_s, end_s = judge.scenario.warmup_s, judge.until_s
    if comparison.sli.aggregate is Aggregate.RATE:
        # When no more work arrives, less ends.
        end_s = min(end_s, judge.scenario.duration_s)
    return History(course, comparison.sli, comparison.op, target, side, least, begin_s, end_s)


def _lookback_s(comparison: Comparison, worst: Stretch | None) -> float:
    """How long before durations were observed something may have made them long."""
    if comparison.sli.unit is not Unit.DURATION or worst is None or worst.value is None:
        return 0.0
    # What took long began that much earlier, behind what had come in about as long before.
    return 2 * max(0.0, worst.value)


def _around(judge: Judge, stretch: Stretch | Window, lookback_s: float = 0.0) -> Circumstances:
    calendar, span = judge.records.calendar, Window(stretch.start_s, stretch.end_s)
    earlier = replace(span, start_s=max(0.0, span.start_s - lookback_s))
    return Circumstances(
        start_s=span.start_s,
        end_s=span.end_s,
        phases=calendar.phases(span),
        bursts=calendar.bursts_in(earlier),
        burst_count=len(calendar.bursts),
        faults=calendar.faults(earlier),
        load=list(judge.records.load.between(span.start_s, span.end_s)),
    )


def _told(
    judge: Judge,
    comparison: Comparison,
    history: History,
    since_s: float | None,
    worst: Stretch | None,
    spread: Spread | None,
    around: Circumstances | None,
) -> Iterator[str]:
    """Since when, in how many stretches, and worst where, each a sentence."""
    name = words.name(comparison)
    target = words.beside(comparison, history.target, history.target)
    if since_s is not None:
        so_far = " of the run so far" if comparison.sli.aggregate in _SO_FAR else ""
        yield f"{name}{so_far} was {words.side(comparison.op, history.side)} {target} from {words.moment(since_s)} on"
    if spread:
        yield words.spread(spread)
    if worst:
        called = _called(judge)
        lead = "worst" if since_s is not None else f"{name} was worst"
        then = words.circumstances(around, scheduled=judge.records.calendar.scheduled) if around else ""
        what = words.observed(comparison, worst, history.target, called.units if called else "tasks")
        yield ", ".join(filter(None, [f"{lead} {words.span(worst.start_s, worst.end_s)}: {what}", then]))


def _longest(judge: Judge, comparison: Comparison) -> Explanation | None:
    """Of the longest stretch in which something did not happen."""
    target = target_of(judge, comparison)
    longest, since_s = judge.records.longest.of(comparison.sli.series, target)
    if longest is None or side_of(comparison.op, longest.length_s, target) < 1:
        return None
    worst = Stretch(longest.start_s, longest.end_s, longest.length_s, 1)
    around = _around(judge, worst)
    name, limit = words.name(comparison), words.beside(comparison, target, target)
    then = words.circumstances(around, scheduled=judge.records.calendar.scheduled)
    text = words.sentences(
        f"{name} was above {limit} from {words.moment(since_s)} on" if since_s is not None else "",
        ", ".join(filter(None, [f"longest {words.span(worst.start_s, worst.end_s)}", then])),
    )
    return Explanation(Broken.OBJECTIVE, comparison.text, text, since_s, None, worst, None, around, [])


def _laws(judge: Judge, results: list[LawResult]) -> Iterator[Explanation | None]:
    for result in results:
        if result.status is not Status.FAIL:
            continue
        if result.law == "conservation":
            yield conservation(judge, result.law)
        elif end := losses(judge, Broken.LAW, result.law, law(result.law)):
            yield end
        else:
            cases = judge.records.cases.cases(_LAW_SERIES.get(result.law, law(result.law)))
            since_s = min((each.first[0].t_s for each in cases), default=None)
            text = words.sentences(*words.first_cases(cases, _called(judge)), named=False)
            yield Explanation(Broken.LAW, result.law, text, since_s, None, None, None, None, cases)


def _abort(judge: Judge, guard: AnyGuard) -> Explanation | None:
    """What went on while an abort condition came to hold: in its window, or while it held, or while nothing happened."""
    held_s, condition = guard.held_at_s, guard.condition
    if held_s is None:
        return None
    began_s = held_s - condition.for_s
    back_s = max(map(_looks_back_s, condition.parts))
    around = _around(judge, Window(max(0.0, began_s - back_s), held_s))
    compared = {part.comparison.sli.series: part.comparison for part in condition.parts}
    cases = [case for each in compared.values() for case in _cases(judge, each, wanted_by_abort(each))]
    held = f"{condition.text} held from {words.moment(began_s)} on"
    over = f"over the time {words.span(around.start_s, around.end_s)}" if back_s else ""
    then = words.circumstances(around, scheduled=judge.records.calendar.scheduled)
    text = words.sentences(", ".join(filter(None, [held, over, then])), *words.first_cases(cases, _called(judge)))
    return Explanation(Broken.ABORT, condition.name, text, began_s, None, None, None, around, cases)


def _looks_back_s(condition: Condition) -> float:
    """How long before it began to hold what a condition looks at began."""
    comparison = condition.comparison
    assert isinstance(comparison.target, float)
    return condition.window_s or (comparison.target if comparison.sli.aggregate is Aggregate.LONGEST else 0.0)
