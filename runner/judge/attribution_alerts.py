"""Which alert answered a fault: the first that fired from its injection to the recovery."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from msgspec import Struct

from soak.runner.judge.combined import AnyGuard
from soak.schemas.language.conditions import Alert


class Answer(Struct, frozen=True, order=True):
    """An alert at the time of a fault, the best first: one that fired then, of the fault by its expectation, and early."""

    before: bool
    """It had fired before and had not resolved."""
    other: bool
    """Nobody expects it of the fault."""
    fired_s: float
    name: str
    resolved_s: float | None


class Answers:
    """The alerts of a run, with their firings."""

    def __init__(self, alerts: Sequence[tuple[Alert, AnyGuard]]) -> None:
        self._alerts = [
            (alert, guard.timer.firings, [firing.fired_s for firing in guard.timer.firings]) for alert, guard in alerts
        ]

    def to(self, fault: str, start_s: float, end_s: float, next_s: float) -> Answer | None:
        """The alert that answered a fault, followed from `start_s` to `end_s`; its next window begins at `next_s`.

        One that is expected of the fault may fire later than `end_s`, until the next window.
        """
        return min(self._answers(fault, start_s, end_s, next_s), default=None)

    def _answers(self, fault: str, start_s: float, end_s: float, next_s: float) -> Iterator[Answer]:
        for alert, firings, fired_s in self._alerts:
            expected = alert.expect is not None and alert.expect.of == fault
            place, name = bisect_left(fired_s, start_s), alert.condition.name
            if place < len(firings) and (fired_s[place] <= end_s or (expected and fired_s[place] < next_s)):
                yield Answer(False, not expected, fired_s[place], name, firings[place].resolved_s)
            if place and ((resolved_s := firings[place - 1].resolved_s) is None or resolved_s > start_s):
                yield Answer(True, not expected, fired_s[place - 1], name, resolved_s)
