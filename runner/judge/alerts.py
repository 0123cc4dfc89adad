"""Alerts: conditions that fire and resolve, and whether they met their expectations."""

import math
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from soak.runner.judge.combined import AnyGuard, Combined
from soak.runner.judge.guard import Guard
from soak.runner.judge.timer import Firing
from soak.schemas.evidence.verdict import AbortResult, AlertResult, FiringResult, Status
from soak.schemas.evidence.windows import PartResult
from soak.schemas.language.conditions import Alert, Combination, Condition, Expectation
from soak.schemas.language.model import Scenario
from soak.schemas.language.windows import Window
from soak.schemas.units import show_duration


def number_or_none(value: float) -> float | None:
    """A value for JSON, which knows neither NaN nor infinity."""
    return value if math.isfinite(value) else None


def measured(condition: Condition | Combination) -> tuple[str, float | None]:
    """Unit and target of what a condition compares; conditions that are combined have neither."""
    if isinstance(condition, Combination):
        return "", None
    assert isinstance(condition.comparison.target, float)
    return condition.comparison.sli.unit.value, condition.comparison.target


def abort_result(guard: AnyGuard) -> AbortResult:
    """Result of an abort condition."""
    condition, held_s = guard.condition, guard.held_at_s
    unit, target = measured(condition)
    return AbortResult(
        name=condition.name,
        when=condition.text,
        window_s=condition.window_s if isinstance(condition, Condition) else None,
        held_at_s=held_s,
        value=None if held_s is None else number_or_none(guard.timer.firings[0].value),
        unit=unit,
        target=target,
        then=msgspec.UNSET if condition.stops else "fail",
        parts=[_part(each, held_s) for each in guard.parts] if isinstance(guard, Combined) else msgspec.UNSET,
    )


def _part(guard: Guard, held_s: float | None) -> PartResult:
    """One of several conditions, as it was when they held together."""
    unit, target = measured(guard.condition)
    at_s = -math.inf if held_s is None else held_s
    holding = [
        each for each in guard.timer.firings if each.fired_s <= at_s and not (each.resolved_s or math.inf) <= at_s
    ]
    since_s, value = (holding[-1].fired_s, holding[-1].value) if holding else (None, math.nan)
    return PartResult(guard.condition.text, guard.condition.window_s, since_s, number_or_none(value), unit, target)


def alert_result(alert: Alert, firings: list[Firing], scenario: Scenario, ended_s: float) -> AlertResult:
    """Result of an alert."""
    unit, target = measured(alert.condition)
    missed = list(_missed(alert.expect, firings, scenario, ended_s)) if alert.expect else []
    status = None if alert.expect is None else _worst(missed)
    return AlertResult(
        name=alert.condition.name,
        when=alert.condition.text,
        window_s=alert.condition.window_s if isinstance(alert.condition, Condition) else None,
        severity=alert.severity.value,
        unit=unit,
        target=target,
        firings=[FiringResult(f.fired_s, f.resolved_s, number_or_none(f.value)) for f in firings],
        expected=_words(alert.expect) if alert.expect else "",
        status=status,
        detail="; ".join(what for what, _ in missed),
    )


Missed: TypeAlias = tuple[str, Status]
"""What an alert failed to do; INCONCLUSIVE if the run ended before the deadline."""


def _worst(missed: list[Missed]) -> Status:
    statuses = {status for _, status in missed}
    return Status.FAIL if Status.FAIL in statuses else Status.INCONCLUSIVE if statuses else Status.PASS


def _words(expect: Expectation) -> str:
    after = f" of {expect.of}" if expect.of else ""
    words = []
    if expect.fires_within_s is not None:
        words.append(f"fires within {show_duration(expect.fires_within_s)}{after or ' of the start'}")
    if expect.resolves_within_s is not None:
        words.append(
            f"resolves within {show_duration(expect.resolves_within_s)}{' of the end' + after if after else ''}"
        )
    if expect.max_flaps is not None:
        words.append(f"flaps at most {expect.max_flaps} times")
    if expect.at_least is not None:
        words.append(f"fires at least {times(expect.at_least)}")
    if expect.never:
        words.append("never fires")
    return ", ".join(words)


def _missed(expect: Expectation, firings: list[Firing], scenario: Scenario, ended_s: float) -> Iterator[Missed]:
    """Unmet expectations of an alert, for each window of its fault."""
    if expect.of is None:
        yield from _missed_once(expect, firings, Window(0.0, ended_s), "", ended_s)
        yield from _too_few(expect, firings, "", scenario.duration_s, ended_s)
        return
    [windows] = [fault.windows for fault in scenario.faults if fault.name == expect.of]
    for window in windows:
        if window.start_s < ended_s:
            own = [firing for firing in firings if window.start_s <= firing.fired_s <= _answers_until(expect, window)]
            place = f" of {expect.of} at {show_duration(window.start_s)}"
            yield from _missed_once(expect, own, window, place, ended_s)
            yield from _too_few(expect, own, place, _answers_until(expect, window), ended_s)


def _answers_until(expect: Expectation, window: Window) -> float:
    """A later firing does not respond to the fault of this window: it has another cause."""
    fires_s = window.start_s + (expect.fires_within_s or 0.0)
    return max(fires_s, window.end_s + (expect.resolves_within_s or 0.0))


def _missed_once(
    expect: Expectation, own: list[Firing], window: Window, place: str, ended_s: float
) -> Iterator[Missed]:
    if expect.fires_within_s is not None:
        limit_s = window.start_s + expect.fires_within_s
        if not any(firing.fired_s <= limit_s for firing in own):
            yield _late(f"did not fire within {show_duration(expect.fires_within_s)}{place}", limit_s, ended_s)
    if expect.resolves_within_s is not None:
        for firing in own if not place else own[-1:]:
            limit_s = (window.end_s if place else firing.fired_s) + expect.resolves_within_s
            if firing.resolved_s is None or firing.resolved_s > limit_s:
                since = place or f" of firing at {show_duration(firing.fired_s)}"
                what = f"did not resolve within {show_duration(expect.resolves_within_s)}{since}"
                yield _late(what, limit_s, firing.resolved_s or ended_s)
    if expect.max_flaps is not None and len(own) - 1 > expect.max_flaps:
        allowed = f"{expect.max_flaps + 1} allowed"
        yield f"fired {len(own)} times{place.replace(' of ', ' around ', 1)}, {allowed}", Status.FAIL
    if expect.never and own:
        first = show_duration(own[0].fired_s)
        yield (
            f"fired at {first}{f' and {times(len(own) - 1)} more' if len(own) > 1 else ''}, never expected",
            Status.FAIL,
        )


def _too_few(expect: Expectation, own: list[Firing], place: str, limit_s: float, ended_s: float) -> Iterator[Missed]:
    if expect.at_least is not None and len(own) < expect.at_least:
        asked = "" if expect.at_least == 1 else f" ({expect.at_least} at least)"
        fired = f"fired {times(len(own))}{asked}" if own else f"never fired{asked}"
        yield _late(f"{fired}{place.replace(' of ', ' around ', 1)}", limit_s, ended_s)


def times(count: int) -> str:
    """A number of times, in words."""
    return "once" if count == 1 else f"{count} times"


def _late(what: str, limit_s: float, seen_s: float) -> Missed:
    return (what, Status.FAIL) if seen_s >= limit_s else (f"{what}: the run ended earlier", Status.INCONCLUSIVE)
