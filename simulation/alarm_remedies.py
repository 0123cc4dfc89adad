"""False alarms of a scenario, each with the smallest change of its condition that makes it rare."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from soak.schemas.evidence.false_alarms import LIMIT, FalseAlarm, Remedy
from soak.schemas.language.model import Scenario
from soak.simulation.alarm_chance import Chance, NotComputedError, chance, is_too_long
from soak.simulation.false_alarms import Alarm, Scan, alarms, at_least

T = TypeVar("T")

_QUICK, _CAREFUL = (200, 100), (800, 200)
"""Paths and cells (see `chance`): enough to search by, and for what is found."""
_FEW = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 35, 40, 45, 50, 55)
_HOURS = (1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 22)
_DAYS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 14, 20, 30)
_LENGTHS = ((1.0, _FEW), (60.0, _FEW), (3600.0, _HOURS), (86_400.0, _DAYS))
"""Windows that are tried: a unit in seconds and its multiples."""
_MOST_TRIES = 6
"""Values beyond that which the search finds, before it is given up: the search is not exact."""


def false_alarms(
    scenario: Scenario, observations: Mapping[str, float] | None = None, before: Sequence[FalseAlarm] = ()
) -> list[FalseAlarm]:
    """Of every condition beside an objective (see `alarms`). Deterministic.

    before: the same without observations, if that is known; what observations change nothing of is not computed again.
    """
    known = list(zip(alarms(scenario), before, strict=True)) if before else []
    return [
        next((found for alarm, found in known if _alike(alarm, each)), None) or _false_alarm(each)
        for each in alarms(scenario, observations)
    ]


def _alike(one: Alarm, other: Alarm) -> bool:
    """Whether both are the same, of one scenario: its rate is made anew for each."""
    if one.scan is None or other.scan is None:
        return one == other
    rate = one.scan.load.rate
    return one == other._replace(scan=other.scan._replace(load=other.scan.load._replace(rate=rate)))


def _false_alarm(alarm: Alarm) -> FalseAlarm:
    reason, found, remedies = alarm.reason, None, []
    if alarm.scan:
        try:
            found = chance(alarm.scan)
            remedies = _remedies(alarm.scan) if found.probability > LIMIT else []
        except NotComputedError as error:
            reason = str(error)
    return _told(alarm, found, reason, remedies)


def _told(alarm: Alarm, found: Chance | None, reason: str, remedies: list[Remedy]) -> FalseAlarm:
    condition = alarm.condition
    return FalseAlarm(
        name=condition.name,
        when=condition.comparison.text,
        objective=alarm.objective.comparison.text,
        severity=alarm.severity,
        window_s=condition.window_s,
        for_s=condition.for_s,
        min_samples=condition.min_samples,
        chance=found.probability if found else None,
        standard_error=found.standard_error if found else None,
        reason=reason,
        remedies=remedies,
    )


def _remedies(scan: Scan) -> list[Remedy]:
    number = _smallest(_numbers(scan), lambda value: scan._replace(min_samples=value))
    windows = _windows(scan)
    window_s = _smallest(windows, lambda value: scan._replace(window_s=value))
    single = [
        *([Remedy(number[0], None, number[1])] if number else []),
        *([Remedy(None, window_s[0], window_s[1])] if window_s else []),
    ]
    return single or _both(scan, windows)


def _both(scan: Scan, windows: Sequence[float]) -> list[Remedy]:
    """The shortest window for which some number of observations is enough, and the smallest such number."""
    longer = [scan._replace(window_s=window_s) for window_s in windows]
    able = [each for each in longer if _most_needed(each) > scan.min_samples]
    found = _smallest(able, lambda each: each._replace(min_samples=_most_needed(each)))
    if not found:
        return []
    widened = found[0]
    number = _smallest(_numbers(widened), lambda value: widened._replace(min_samples=value))
    least, then = number or (_most_needed(widened), found[1])
    return [Remedy(least, widened.window_s, then)]


def _smallest(values: Sequence[T], changed: Callable[[T], Scan]) -> tuple[T, float] | None:
    """The first of ascending values with which the chance is small enough, and the chance; None: not even with the last."""
    if not values or not _rare(changed(values[-1])):
        return None
    low, high = 0, len(values) - 1
    while low < high:
        middle = (low + high) // 2
        if _rare(changed(values[middle])):
            high = middle
        else:
            low = middle + 1
    for value in values[low : low + _MOST_TRIES]:
        found = _probability(changed(value), *_CAREFUL)
        if found <= LIMIT:
            return value, found
    return None


def _rare(scan: Scan) -> bool:
    return at_least(scan) <= LIMIT and _probability(scan, *_QUICK) <= LIMIT


def _probability(scan: Scan, paths: int, cells: int) -> float:
    """1 where it cannot be computed: what is not known is not rare."""
    try:
        return chance(scan, paths, cells).probability
    except NotComputedError:
        return 1.0


def _most_needed(scan: Scan) -> int:
    """The most observations, in two figures, that nearly every window holds: beyond that the condition would often be off."""
    fewest = scan.fewest
    most = math.floor(fewest if scan.load.regular else fewest - math.sqrt(fewest))
    return most - most % _scale(most)


def _numbers(scan: Scan) -> list[int]:
    """Values of min_samples above the scenario's, of two figures."""
    return [value for value in range(scan.min_samples + 1, _most_needed(scan) + 1) if value % _scale(value) == 0]


def _scale(value: int) -> int:
    return int(10 ** max(0, len(str(value)) - 2))


def _windows(scan: Scan) -> list[float]:
    """Windows that are longer than the scenario's, and shorter than the run, of a few round figures."""
    lengths = [step * unit for unit, steps in _LENGTHS for step in steps]
    longer = [each for each in lengths if scan.window_s < each < scan.load.length_s]
    return [each for each in longer if not is_too_long(scan._replace(window_s=each))]
