"""Whether the pipeline alerts when it must: when its rules hold follows from the closed minutes, and is held against its word.

A rule fires at the end of a minute and resolves at the end of the first in which it does not hold. Of a minute without records
no share is known: an alert on shares may resolve with it, or wait for the next. What the pipeline reports within the tolerance
before or after belongs to it.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from soak.runner.judge.pipeline.parts import Gathered, Parts, note_one
from soak.runner.judge.samples import Facts
from soak.runner.judge.violations import Told
from soak.schemas.stream.block import TICKS_PER_S, Block, tick
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.pipeline.settings import AlertRule, Alerts
from soak.schemas.units import show_duration

MINUTE_S = 60.0
MOST_LISTED = 20
"""How many times of each rule are listed."""

_MINUTE = (Kind.MINUTE_TOTAL, Kind.MINUTE_STRONG, Kind.MINUTE_LOW_CONSISTENCY)
_SAID = (Kind.REPORTED_ALERT_FIRED, Kind.REPORTED_ALERT_RESOLVED)
_FOLLOWED = kind_flags(*_MINUTE, *_SAID, Kind.SAMPLE_LOST)
_SERIES = ("alert_delay", "missed_alerts", "false_alerts", "strong", "low_consistency")


@dataclass(slots=True)
class Minute:
    """A minute that is closed; NaN where a figure is not known."""

    number: int
    total: float
    strong: float = math.nan
    low: float = math.nan


class Moment(Struct, frozen=True):
    """A change of an alert: whether it fires, and when. until_s: up to when it can be answered."""

    fires: bool
    t_s: float
    until_s: float = math.inf


@dataclass(slots=True)
class Rule:
    """A rule that is expected. due: not reported yet; said: reported and not due so far. Lists are of the first times only."""

    rule: AlertRule
    holds: bool = False
    may_end_s: float | None = None
    """The end of the first of the minutes without records since it held."""
    due: list[Moment] = field(default_factory=list)
    said: list[Moment] = field(default_factory=list)
    all_due: list[Moment] = field(default_factory=list)
    all_said: list[Moment] = field(default_factory=list)
    missed: int = 0
    wrong: int = 0
    slowest_s: float = 0.0


class PipelineAlerts:
    """Follows closed minutes and the alerts that the pipeline reports."""

    def __init__(self, alerts: Alerts, parts: Parts, vocabulary: Vocabulary) -> None:
        self._alerts, self._parts, self._vocabulary = alerts, parts, vocabulary
        self.rules = [Rule(rule) for rule in alerts.rules]
        self._minutes = 0
        self._open: Minute | None = None
        self._without = 0
        """Consecutive minutes without records."""
        self._known_s = 0.0
        """The end of the last minute that was looked at."""
        self._lost = False
        """Whether events were lost: which minute is which is not known from then on."""

    def observe(self, block: Block, facts: Facts) -> None:
        """Take in a block."""
        series = {name: Gathered() for name in _SERIES}
        for place in np.flatnonzero(_FOLLOWED[block.kind]).tolist():
            t_s, kind = float(block.t[place]), int(block.kind[place])
            self._expire(tick(t_s - 1 / TICKS_PER_S), series, facts)
            value = float(block.value[place])
            if kind in _MINUTE and not self._lost:
                self._take(kind, value, t_s, series, facts)
            elif kind in _SAID:
                self._hear(self._vocabulary.names[int(value)], kind == _SAID[0], t_s, series)
            elif kind == Kind.SAMPLE_LOST and value > 0:
                self._lost, self._open = True, None
                for rule in self.rules:
                    rule.due, rule.said = [], []
        self._expire(facts.settled_s, series, facts)
        if facts.ended:
            self._end(facts.until_s, series, facts)
        for name, gathered in series.items():
            facts.series[name] = gathered.samples()

    def _take(self, kind: int, value: float, t_s: float, series: dict[str, Gathered], facts: Facts) -> None:
        if kind == Kind.MINUTE_TOTAL:
            self._close(t_s, series, facts)
            self._minutes += 1
            self._open = Minute(self._minutes, value)
            if self._open.total > 0:
                return
            # There is nothing of which any could be strong.
            self._open.strong = self._open.low = 0.0
        elif self._open is None:
            return
        elif kind == Kind.MINUTE_STRONG:
            self._open.strong = value
        else:
            self._open.low = value
        if not math.isnan(self._open.strong + self._open.low):
            self._close(t_s, series, facts)

    def _close(self, t_s: float, series: dict[str, Gathered], facts: Facts) -> None:
        """Look at the minute that is open, at the time at which all of it is known."""
        minute, self._open = self._open, None
        if minute is None:
            return
        end_s = minute.number * MINUTE_S
        self._known_s = end_s
        self._without = 0 if minute.total > 0 else self._without + 1
        for name, part in (("strong", minute.strong), ("low_consistency", minute.low)):
            if minute.total > 0 and not math.isnan(part):
                series[name].add(t_s, part, -1, minute.total)
        for rule in self.rules:
            label = self._label(rule, end_s)
            series["missed_alerts"].add(t_s, 0.0, label)
            series["false_alerts"].add(t_s, 0.0, label)
            holds = self._holds(rule.rule, minute)
            if holds is None and minute.total == 0:
                self._may_end(rule, end_s, t_s, series)
            else:
                rule.may_end_s = None
            if holds is not None and holds != rule.holds:
                rule.holds = holds
                self._due(rule, Moment(holds, end_s, max(t_s, tick(end_s + self._alerts.tolerance_s))), t_s, series)
            self._refute(rule, t_s, end_s - self._alerts.tolerance_s, series, facts)

    def _holds(self, rule: AlertRule, minute: Minute) -> bool | None:
        """Whether a rule holds in a minute; None where it is not known."""
        if rule is AlertRule.NO_RECORDS:
            assert self._alerts.no_records_s is not None
            return self._without >= max(1, math.ceil(self._alerts.no_records_s / MINUTE_S))
        part = minute.low if rule is AlertRule.LOW_CONSISTENCY else minute.strong
        if math.isnan(part) or not minute.total > 0:
            return None
        share = part / minute.total
        if rule is AlertRule.LOW_CONSISTENCY:
            return self._alerts.low_consistency is not None and share > self._alerts.low_consistency
        return self._alerts.strong_ratio is not None and share < self._alerts.strong_ratio

    def _may_end(self, rule: Rule, end_s: float, t_s: float, series: dict[str, Gathered]) -> None:
        """A minute without records: what has resolved since need not do so later."""
        if not rule.holds:
            return
        rule.may_end_s = end_s if rule.may_end_s is None else rule.may_end_s
        over = Moment(False, rule.may_end_s)
        for said in [each for each in rule.said if self._answers(each, over)]:
            rule.said.remove(said)
            self._ended(rule, over, said, t_s, series)

    def _ended(self, rule: Rule, over: Moment, said: Moment, t_s: float, series: dict[str, Gathered]) -> None:
        rule.holds, rule.may_end_s = False, None
        _list(rule.all_due, over)
        self._answer(rule, over, said, t_s, series)

    def _due(self, rule: Rule, moment: Moment, t_s: float, series: dict[str, Gathered]) -> None:
        _list(rule.all_due, moment)
        for said in rule.said:
            if self._answers(said, moment):
                rule.said.remove(said)
                self._answer(rule, moment, said, t_s, series)
                return
        rule.due.append(moment)

    def _hear(self, name: str, fires: bool, t_s: float, series: dict[str, Gathered]) -> None:
        rule = next((each for each in self.rules if each.rule == name), None)
        if rule is None or self._lost:
            return
        said = Moment(fires, t_s)
        _list(rule.all_said, said)
        for moment in rule.due:
            if self._answers(said, moment):
                rule.due.remove(moment)
                self._answer(rule, moment, said, t_s, series)
                return
        if not fires and rule.holds and rule.may_end_s is not None:
            self._ended(rule, Moment(False, rule.may_end_s), said, t_s, series)
            return
        rule.said.append(said)

    def _answers(self, said: Moment, due: Moment) -> bool:
        apart_s = tick(abs(said.t_s - due.t_s))
        return said.fires == due.fires and apart_s <= self._alerts.tolerance_s

    def _answer(self, rule: Rule, due: Moment, said: Moment, t_s: float, series: dict[str, Gathered]) -> None:
        delay_s = tick(max(0.0, said.t_s - due.t_s))
        rule.slowest_s = max(rule.slowest_s, delay_s)
        series["alert_delay"].add(t_s, delay_s, self._label(rule, due.t_s))

    def _expire(self, until_s: float, series: dict[str, Gathered], facts: Facts) -> None:
        """What was due and can be answered no more is missed."""
        late = [(due.until_s, place, due) for place, each in enumerate(self.rules) for due in each.due]
        for at_s, place, due in sorted(late, key=lambda each: each[:2]):
            if at_s <= until_s:
                rule = self.rules[place]
                rule.due.remove(due)
                rule.missed += 1
                label = self._label(rule, due.t_s)
                series["missed_alerts"].add(at_s, 1.0, label)
                what = "did not fire" if due.fires else "did not resolve"
                told = Told(detail=f"due at {show_duration(due.t_s)}", part=rule.rule)
                note_one(facts, "missed_alerts", at_s, label, what, told)

    def _refute(self, rule: Rule, t_s: float, known_s: float, series: dict[str, Gathered], facts: Facts) -> None:
        """What was reported up to `known_s` and was not due by now never was."""
        for said in [each for each in rule.said if each.t_s <= known_s]:
            rule.said.remove(said)
            if said.fires:
                rule.wrong += 1
                label = self._label(rule, said.t_s)
                series["false_alerts"].add(t_s, 1.0, label)
                told = Told(detail=f"fired at {show_duration(said.t_s)}", part=rule.rule)
                note_one(facts, "false_alerts", t_s, label, "fired and was not due", told)

    def _end(self, t_s: float, series: dict[str, Gathered], facts: Facts) -> None:
        """Of what was reported last only that is known which a closed minute covers."""
        for rule in self.rules:
            self._refute(rule, t_s, self._known_s, series, facts)

    def _label(self, rule: Rule, t_s: float) -> int:
        return self._parts.one(self._parts.alerts[rule.rule], t_s)

    def waiting(self, labels: frozenset[int] | None) -> int:
        """How many alerts were due last and may still be reported."""
        return sum(labels is None or self._label(rule, due.t_s) in labels for rule in self.rules for due in rule.due)


def _list(moments: list[Moment], moment: Moment) -> None:
    if len(moments) < MOST_LISTED:
        moments.append(moment)
