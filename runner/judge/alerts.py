"""Alerts: conditions that fire and resolve, and whether they met their expectations."""

import math
from collections.abc import Iterator
from typing import TypeAlias

from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts
from soak.runner.judge.timer import Firing, Timer, Transition
from soak.runner.judge.watch import Watch
from soak.schemas.evidence.verdict import AbortResult, AlertResult, FiringResult, Status
from soak.schemas.language.model import Alert, Condition, Expectation, Scenario
from soak.schemas.language.windows import Window
from soak.schemas.units import show_duration


def number_or_none(value: float) -> float | None:
    """A value for JSON, which knows neither NaN nor infinity."""
    return value if math.isfinite(value) else None


class Guard:
    """A condition with its timer."""

    def __init__(self, condition: Condition, labels: LabelNumbers, keep_firing_for_s: float = 0.0) -> None:
        self.condition = condition
        self._watch = Watch(condition, labels.selected(condition.comparison.selector))
        self.timer = Timer(condition.for_s, keep_firing_for_s)
        self._changes: list[Transition] = []

    def look(self, facts: Facts) -> None:
        """Evaluate the condition over a block; `advance` then advances time."""
        self._changes += self._watch.observe(facts)

    def advance(self, until_s: float) -> None:
        """Advance time to `until_s`."""
        self.timer.feed(self._changes, until_s)
        self._changes = [change for change in self._changes if change.t_s > until_s]

    @property
    def value(self) -> float:
        """The current value compared with the target; NaN with too few observations."""
        return self._watch.value()

    @property
    def held_at_s(self) -> float | None:
        """When the condition had first held for the required time."""
        return self.timer.firings[0].fired_s if self.timer.firings else None

    def abort_result(self) -> AbortResult:
        """As an abort condition."""
        comparison = self.condition.comparison
        assert isinstance(comparison.target, float)
        value = number_or_none(self.timer.firings[0].value) if self.timer.firings else None
        return AbortResult(
            self.condition.name,
            comparison.text,
            self.condition.window_s,
            self.held_at_s,
            value,
            comparison.sli.unit.value,
            comparison.target,
        )


def alert_result(alert: Alert, firings: list[Firing], scenario: Scenario, ended_s: float) -> AlertResult:
    """Result of an alert."""
    comparison = alert.condition.comparison
    assert isinstance(comparison.target, float)
    missed = list(_missed(alert.expect, firings, scenario, ended_s)) if alert.expect else []
    status = None if alert.expect is None else _worst(missed)
    return AlertResult(
        name=alert.condition.name,
        when=comparison.text,
        window_s=alert.condition.window_s,
        severity=alert.severity.value,
        unit=comparison.sli.unit.value,
        target=comparison.target,
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
    return ", ".join(words)


def _missed(expect: Expectation, firings: list[Firing], scenario: Scenario, ended_s: float) -> Iterator[Missed]:
    """Unmet expectations of an alert, for each window of its fault."""
    if expect.of is None:
        yield from _missed_once(expect, firings, Window(0.0, ended_s), "", ended_s)
        return
    [windows] = [fault.windows for fault in scenario.faults if fault.name == expect.of]
    for window in windows:
        if window.start_s < ended_s:
            own = [firing for firing in firings if window.start_s <= firing.fired_s <= _answers_until(expect, window)]
            place = f" of {expect.of} at {show_duration(window.start_s)}"
            yield from _missed_once(expect, own, window, place, ended_s)


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


def _late(what: str, limit_s: float, seen_s: float) -> Missed:
    return (what, Status.FAIL) if seen_s >= limit_s else (f"{what}: the run ended earlier", Status.INCONCLUSIVE)
