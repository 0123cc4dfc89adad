"""The alerts that a pipeline itself reports, each with the figures of the minutes that it was about."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from soak.runner.judge.account import Beside
from soak.schemas.evidence.processes import OwnAlert
from soak.schemas.language.conditions import Severity
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.settings import AlertRule, Alerts
from soak.schemas.units import show_duration, show_ratio

LEVELS: Mapping[str, Severity] = {
    AlertRule.NO_RECORDS: Severity.CRITICAL,
    AlertRule.LOW_CONSISTENCY: Severity.WARNING,
    AlertRule.STRONG_RATIO: Severity.WARNING,
}
"""How serious each alert is."""

MINUTE_KINDS = (Kind.MINUTE_TOTAL, Kind.MINUTE_STRONG, Kind.MINUTE_LOW_CONSISTENCY)


@dataclass(slots=True)
class Figures:
    """What the first sink holds of the records sent in a minute."""

    total: int = 0
    strong: int | None = None
    low: int | None = None


@dataclass(slots=True)
class _Firing:
    rule: str
    fired_s: float
    resolved_s: float | None
    details: str


class OwnAlerts:
    """Follows the minutes of a run and what the pipeline says of its alerts."""

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts
        self.minutes: list[Figures] = []
        self._strong = self._low = 0
        self._firings: list[_Firing] = []

    def minute(self, kind: int, value: float) -> None:
        """A figure of the next minute: the n-th event of a kind is of the n-th minute."""
        if kind == Kind.MINUTE_TOTAL:
            self.minutes.append(Figures(int(value)))
        elif kind == Kind.MINUTE_STRONG and self._strong < len(self.minutes):
            self.minutes[self._strong].strong = int(value)
            self._strong += 1
        elif kind == Kind.MINUTE_LOW_CONSISTENCY and self._low < len(self.minutes):
            self.minutes[self._low].low = int(value)
            self._low += 1

    def fired(self, rule: str, t_s: float) -> None:
        """The pipeline reports an alert."""
        self._firings.append(_Firing(rule, t_s, None, self._details(rule)))

    def resolved(self, rule: str, t_s: float) -> None:
        """The pipeline reports that an alert is over."""
        for firing in self._firings:
            if firing.rule == rule and firing.resolved_s is None:
                firing.resolved_s = t_s

    def _details(self, rule: str) -> str:
        """The figures of the last closed minute."""
        if not self.minutes:
            return "before the first minute was closed"
        number, last = len(self.minutes), self.minutes[-1]
        about = f"minute {number}: {last.total:,} records"
        if rule == AlertRule.NO_RECORDS:
            limit = self._alerts.no_records_s
            return f"{about} (none for {show_duration(limit)})" if limit is not None else about
        count, limit, sign, what = (
            (last.low, self._alerts.low_consistency, ">", "of low consistency")
            if rule == AlertRule.LOW_CONSISTENCY
            else (last.strong, self._alerts.strong_ratio, "<", "strong")
        )
        if count is None or not last.total:
            return about
        bound = f" ({sign} {show_ratio(limit)})" if limit is not None else ""
        return f"{about}, {show_ratio(count / last.total)} of them {what}{bound}"

    def told(self, beside: Beside) -> Iterator[OwnAlert]:
        """Every firing, in the order in which they were reported."""
        for each in self._firings:
            resolved = None if each.resolved_s is None else beside.moment(each.resolved_s)
            level = LEVELS.get(each.rule, Severity.WARNING).value
            yield OwnAlert(each.rule, level, beside.moment(each.fired_s), resolved, each.details)
