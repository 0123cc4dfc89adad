"""Closed minutes, and the alerts that a correct pipeline derives from them. Without NumPy: `soak validate` asks, too."""

import math
from collections.abc import Iterator

from msgspec import Struct

from soak.schemas.systems.pipeline.settings import AlertRule, Alerts

MINUTE_S = 60.0
SETTLING_S = 1.0
"""How long after its end a minute is closed: what was sent in it has come through by then, as long as nothing is wrong."""


class Minute(Struct, frozen=True):
    """Records sent in a minute that the first sink held when it was closed."""

    total: int
    strong: int
    low_consistency: int


class Rules:
    """The alerts, minute by minute. Of a minute without records no share is known: it changes nothing about shares."""

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts
        self._empty = 0
        self._firing = set[AlertRule]()

    def minute(self, minute: Minute) -> Iterator[tuple[AlertRule, bool]]:
        """What fires (True) or resolves (False) with a minute."""
        self._empty = 0 if minute.total else self._empty + 1
        for rule, holds in self._hold(minute):
            if holds != (rule in self._firing):
                (self._firing.add if holds else self._firing.discard)(rule)
                yield rule, holds

    def _hold(self, minute: Minute) -> Iterator[tuple[AlertRule, bool]]:
        alerts = self._alerts
        if alerts.no_records_s is not None:
            yield AlertRule.NO_RECORDS, self._empty >= minutes_of(alerts.no_records_s)
        if alerts.low_consistency is not None and minute.total:
            yield AlertRule.LOW_CONSISTENCY, minute.low_consistency > alerts.low_consistency * minute.total
        if alerts.strong_ratio is not None and minute.total:
            yield AlertRule.STRONG_RATIO, minute.strong < alerts.strong_ratio * minute.total


def minutes_of(seconds: float) -> int:
    """How many whole minutes an alert looks at, at least one."""
    return max(1, math.ceil(seconds / MINUTE_S - 1e-9))
