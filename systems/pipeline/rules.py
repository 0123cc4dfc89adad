"""The three alerts, evaluated minute by minute: pure functions of the minutes' figures, those without records too."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from soak.systems.pipeline.figures import Tally
from soak.systems.pipeline.settings import Alerts

_ROUNDING = 1e-6

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
        self._minutes = math.ceil(alerts.no_records.for_s / minute_s - _ROUNDING) if alerts.no_records else 0
        self._empty = 0
        self._firing: set[str] = set()

    @property
    def firing(self) -> frozenset[str]:
        """The rules that fire now."""
        return frozenset(self._firing)

    def minute(self, number: int, tally: Tally) -> list[AlertChange]:
        """What changes with a closed minute. Without records no share is known: nothing changes about shares."""
        self._empty = 0 if tally.total else self._empty + 1
        return list(self._changes(number, tally))

    def _changes(self, number: int, tally: Tally) -> Iterator[AlertChange]:
        alerts = self._alerts
        if alerts.no_records:
            most = max(1, self._minutes)
            told = f"{self._empty} minutes without records" if self._empty else f"{tally.total} records in a minute"
            yield from self._change("no_records", number, self._empty >= most, told)
        if alerts.low_consistency and tally.total:
            low, above = tally.low_ratio, alerts.low_consistency.above
            told = f"of low consistency: {_shown(low)}, limit {100 * above:g} %"
            yield from self._change("low_consistency", number, low is not None and low > above, told)
        if alerts.strong_ratio and tally.total:
            strong, below = tally.strong_ratio, alerts.strong_ratio.below
            told = f"strong: {_shown(strong)}, limit {100 * below:g} %"
            yield from self._change("strong_ratio", number, strong is not None and strong < below, told)

    def _change(self, rule: str, number: int, holds: bool, details: str) -> Iterator[AlertChange]:
        if holds == (rule in self._firing):
            return
        (self._firing.add if holds else self._firing.discard)(rule)
        yield AlertChange(rule, LEVELS[rule], "fired" if holds else "resolved", number, details)


def _shown(share: float | None) -> str:
    return "no records" if share is None else f"{100 * share:.2f} %"
