"""The three alerts, evaluated minute by minute: pure functions of the minutes' figures, those without records too."""

from collections.abc import Iterator
from dataclasses import dataclass

from soak.systems.pipeline.figures import Tally
from soak.systems.pipeline.settings import Alerts

LEVELS = {"no_records": "critical", "low_consistency": "warning", "strong_ratio": "warning"}


@dataclass(frozen=True)
class AlertChange:
    """An alert that fires or is resolved, by the figures of a minute."""

    rule: str
    level: str
    state: str
    minute: int
    details: str


class Rules:
    """Follows the minutes of a run, in order and without gaps."""

    def __init__(self, alerts: Alerts, minute_s: float) -> None:
        self._alerts = alerts
        self._minutes = round(alerts.no_records.for_s / minute_s) if alerts.no_records else 0
        self._empty = 0
        self._firing: set[str] = set()

    @property
    def firing(self) -> frozenset[str]:
        """The rules that fire now."""
        return frozenset(self._firing)

    def minute(self, number: int, tally: Tally) -> list[AlertChange]:
        """What changes with a closed minute. A share of no records is unknown, and changes nothing."""
        self._empty = 0 if tally.total else self._empty + 1
        return list(self._changes(number, tally))

    def _changes(self, number: int, tally: Tally) -> Iterator[AlertChange]:
        alerts = self._alerts
        if alerts.no_records:
            most = max(1, self._minutes)
            yield from self._change("no_records", number, self._empty >= most, f"{self._empty} minutes without records")
        if alerts.low_consistency and (low := tally.low_ratio) is not None:
            holds = low > alerts.low_consistency.above
            told = f"{100 * low:.2f} % of low consistency, limit {100 * alerts.low_consistency.above:g} %"
            yield from self._change("low_consistency", number, holds, told)
        if alerts.strong_ratio and (strong := tally.strong_ratio) is not None:
            holds = strong < alerts.strong_ratio.below
            told = f"{100 * strong:.2f} % strong, limit {100 * alerts.strong_ratio.below:g} %"
            yield from self._change("strong_ratio", number, holds, told)

    def _change(self, rule: str, number: int, holds: bool, details: str) -> Iterator[AlertChange]:
        if holds == (rule in self._firing):
            return
        (self._firing.add if holds else self._firing.discard)(rule)
        yield AlertChange(rule, LEVELS[rule], "fired" if holds else "resolved", number, details)
