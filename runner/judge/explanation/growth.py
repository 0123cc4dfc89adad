"""What is said of a series that grows: over which levels, and from when on it lay above all that it began with."""

from collections.abc import Callable, Iterator

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.runner.judge.compared import target_of, value_of
from soak.runner.judge.course import Course
from soak.runner.judge.explanation import words
from soak.runner.judge.explanation.history import side_of
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.explanation import Broken, Circumstances, Explanation, Stretch
from soak.schemas.language.conditions import Comparison
from soak.schemas.language.expression import Unit
from soak.schemas.language.slis import Aggregate
from soak.schemas.stream.block import Floats

_PARTS = 10
_OUTSTANDING = 3.0
"""A step between two parts stands out if it is that many times as large as the mean of all."""

_LEAST = 4
"""Stretches of the course that are needed to tell a beginning from an end."""

_LEVEL = {
    Unit.SIZE_PER_HOUR: Unit.SIZE,
    Unit.COUNT_PER_HOUR: Unit.COUNT,
    Unit.DURATION_PER_HOUR: Unit.DURATION,
}


def explained(
    judge: Judge, comparison: Comparison, around: Callable[[Judge, Stretch], Circumstances]
) -> Explanation | None:
    """From which level to which it went. around: what went on in a stretch."""
    course, target = judge.course_of(comparison), target_of(judge, comparison)
    side = side_of(comparison.op, value_of(judge, comparison), target)
    if course is None or len(course) < _LEAST or not side:
        return None
    parts = _parts(course, comparison)
    if parts is None:
        return None
    edges_s, mean, samples = parts
    first = Stretch(float(edges_s[0]), float(edges_s[1]), float(mean[0]), int(samples[0]))
    last = Stretch(float(edges_s[-2]), float(edges_s[-1]), float(mean[-1]), int(samples[-1]))
    since_s = _left_for_ever(course, float(edges_s[1]), side)
    steps = _steps(edges_s, mean, samples, side)
    then = around(judge, steps.steepest) if steps.steepest else None
    shown = words.circumstances(then, scheduled=judge.records.calendar.scheduled) if then else ""
    text = words.sentences(*_told(comparison, first, last, since_s, steps, side, shown))
    return Explanation(Broken.OBJECTIVE, comparison.text, text, since_s, first, steps.steepest, None, then, [])


def _parts(course: Course, comparison: Comparison) -> tuple[Floats, Floats, Floats] | None:
    """The series in equal parts: their edges, mean level and samples; None where one has no sample."""
    begin_s, end_s = float(course.first_s[0]), float(course.last_s[-1])
    count = min(_PARTS, len(course) // 2)
    if end_s <= begin_s:
        return None
    edges_s = np.linspace(begin_s, end_s, count + 1)
    # The last edge belongs to the last part.
    upper_s = np.append(edges_s[:-1], np.nextafter(edges_s[-1], np.inf))
    windows = course.windows(replace(comparison.sli, aggregate=Aggregate.MEAN), upper_s)
    return (edges_s, windows.value, windows.samples.astype(np.float64)) if (windows.samples > 0).all() else None


def _left_for_ever(course: Course, until_s: float, side: int) -> float | None:
    """From when on all lay above (or below) what there was until a time; None where it never left that."""
    extreme = course.largest if side > 0 else course.total / np.maximum(course.weight, 1)
    level = extreme * side
    early = course.last_s <= until_s
    if not early.any():
        return None
    mean = course.total / np.maximum(course.weight, 1) * side
    inside = np.flatnonzero(mean <= level[early].max())
    place = int(inside[-1]) + 1
    return float(course.first_s[place]) if place < len(course) else None


class _Steps(Struct, frozen=True):
    """Changes of the mean from part to part: how many, how many of them along with the growth, and the one that stands out."""

    count: int
    along: int
    steepest: Stretch | None


def _steps(edges_s: Floats, mean: Floats, samples: Floats, side: int) -> _Steps:
    rise = np.diff(mean) * side
    place = int(np.argmax(rise))
    stands_out = rise[place] > _OUTSTANDING * max(0.0, float(rise.mean()))
    change = float(mean[place + 1] - mean[place])
    seen = int(samples[place] + samples[place + 1])
    steepest = Stretch(float(edges_s[place]), float(edges_s[place + 2]), change, seen) if stands_out else None
    return _Steps(len(rise), int(np.count_nonzero(rise > 0)), steepest)


def _told(
    comparison: Comparison,
    first: Stretch,
    last: Stretch,
    since_s: float | None,
    steps: _Steps,
    side: int,
    then: str,
) -> Iterator[str]:
    """Between which levels it moved, since when for ever, and fastest where, each a sentence."""
    unit = _LEVEL.get(comparison.sli.unit, Unit.COUNT)
    series, low, high = comparison.sli.series, first.value or 0.0, last.value or 0.0
    moved = "rose" if side > 0 else "fell"
    yield (
        f"{series} {moved} from {unit.show(low)} (mean of the first {words.moment(first.end_s - first.start_s)})"
        f" to {unit.show(high)} (of the last {words.moment(last.end_s - last.start_s)})"
    )
    if since_s is not None:
        than = "the highest" if side > 0 else "the mean level"
        yield (
            f"it stayed {'above' if side > 0 else 'below'} {than} of those first {words.moment(first.end_s - first.start_s)}"
            f" from {words.moment(since_s)} on"
        )
    steepest = steps.steepest
    if steepest and steepest.value is not None:
        change = f"fastest {words.span(steepest.start_s, steepest.end_s)}: {unit.show_difference(steepest.value)}"
        yield ", ".join(filter(None, [change, then]))
    else:
        parts = f"in {steps.along} of the {steps.count} steps between {steps.count + 1} equal parts of the run"
        yield f"the mean {moved} {parts}; no step stands out"
