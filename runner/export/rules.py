"""Alert rules for Prometheus, from the alerts of a scenario.

The runner exports the value of an alert over its window; a rule evaluates it again, so that the alert goes through
the existing Alertmanager. No rule fires unless a run is in progress: a Pushgateway keeps the last values.
"""

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from soak.runner.export.metrics import EXPORTED, RUNNING, VERDICT, Labels, condition_labels, condition_metric
from soak.schemas.language.conditions import Alert, Combination, Condition, Expectation
from soak.schemas.language.expression import Op
from soak.schemas.language.model import Scenario
from soak.schemas.units import duration as scenario_duration

SILENT, NOT_PASSED = "SoakSilent", "SoakNotPassed"
ORIGIN = "soak"
"""The annotation that holds what PromQL cannot say of an alert, as JSON: `soak import` makes the alert of it again."""
SILENT_AFTER_S = 180
"""A run in progress exports at least once a minute."""

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


class Term(Struct, frozen=True):
    """A comparison of a metric."""

    metric: str
    selected: Labels
    op: Op
    target: float

    @property
    def expression(self) -> str:
        """In PromQL."""
        return f"{series(self.metric, self.selected)} {self.op.value} {number(self.target)}"


class Rule(Struct, frozen=True):
    """An alert as a rule of Prometheus: what it compares, and when all of it holds, in PromQL. Times in real seconds."""

    name: str
    terms: tuple[Term, ...]
    when: str
    for_s: float
    keep_firing_for_s: float
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def expression(self) -> str:
        """When it fires, in PromQL."""
        return _while_running(self.when)


def rules_of(scenario: Scenario, speed: float) -> list[Rule]:
    """The alerts of a scenario as rules, for runs at `speed`: Prometheus measures `for` in real time."""
    return [_of_alert(scenario, alert, speed) for alert in scenario.alerts if not _waits_inside(alert.condition)]


def not_covered(scenario: Scenario) -> list[str]:
    """The alerts that no rule says, and why."""
    why = "Prometheus has no `for` of a part of a rule (write `for` beside all or any)"
    return [f"alert {each.condition.name}: {why}" for each in scenario.alerts if _waits_inside(each.condition)]


def _waits_inside(condition: Condition | Combination) -> bool:
    """Whether a part of several must hold for some time before it counts."""
    members = condition.members if isinstance(condition, Combination) else ()
    return any(each.for_s or _waits_inside(each) for each in members)


def _when(condition: Condition | Combination, terms: Iterator[Term]) -> str:
    """When a condition holds, of the terms of its parts in their order."""
    if isinstance(condition, Condition):
        return next(terms).expression
    word = " and on (scenario, run) " if condition.every else " or on (scenario, run) "
    return word.join(f"({_when(each, terms)})" for each in condition.members)


def _terms(scenario: Scenario, condition: Condition | Combination) -> Iterator[Term]:
    for place, part in enumerate(condition.parts):
        comparison, number_ = part.comparison, place if isinstance(condition, Combination) else None
        assert isinstance(comparison.target, float)
        labels = (("scenario", scenario.name), *condition_labels("alert", condition.name, number_))
        yield Term(condition_metric(comparison), labels, comparison.op, comparison.target)


def _of_alert(scenario: Scenario, alert: Alert, speed: float) -> Rule:
    condition = alert.condition
    terms = tuple(_terms(scenario, condition))
    return Rule(
        condition.name,
        terms,
        _when(condition, iter(terms)),
        condition.for_s / speed,
        alert.keep_firing_for_s / speed,
        {"severity": alert.severity.value},
        {
            "summary": f"{scenario.name}: {condition.name}",
            "description": f"{condition.text} in run {{{{ $labels.run }}}}: {{{{ $value }}}}",
            ORIGIN: _origin(scenario, alert, speed),
        },
    )


def _origin(scenario: Scenario, alert: Alert, speed: float) -> str:
    """What an alert's rule does not say: the indicator, its window, how many observations it needs, the speed of the run."""
    condition = alert.condition
    times = {"for": condition.for_s, "keep_firing_for": alert.keep_firing_for_s} if speed != 1 else {}
    said = {
        "system": scenario.system,
        **_compared(condition),
        **{key: exact(seconds) if seconds else None for key, seconds in times.items()},
        "expect": _expected(alert.expect),
        "speed": speed if speed != 1 else None,
    }
    return json.dumps({key: value for key, value in said.items() if value is not None})


def _compared(condition: Condition | Combination) -> dict[str, Any]:
    """What a condition compares, as a scenario says it."""
    if isinstance(condition, Combination):
        return {"all" if condition.every else "any": [_compared(each) for each in condition.members]}
    said = {
        "when": condition.comparison.text,
        "window": condition.window_s and exact(condition.window_s),
        "min_samples": condition.min_samples if condition.min_samples > 1 else None,
    }
    return {key: value for key, value in said.items() if value is not None}


def _expected(expect: Expectation | None) -> dict[str, Any] | str | None:
    """What is expected of an alert, as a scenario says it."""
    if expect is None or expect.never:
        return "never" if expect else None
    said = {
        "of": expect.of,
        "fires_within": expect.fires_within_s and exact(expect.fires_within_s),
        "resolves_within": expect.resolves_within_s and exact(expect.resolves_within_s),
        "max_flaps": expect.max_flaps,
        "at_least": expect.at_least,
    }
    return {key: value for key, value in said.items() if value is not None}


def exact(seconds: float) -> str:
    """A duration above zero as a scenario writes it, such that it reads back as the same number."""
    text = duration(seconds)
    return text if scenario_duration(text) == seconds else f"{seconds:.12f}".rstrip("0").rstrip(".") + "s"


def rule_file(scenario: Scenario, speed: float) -> dict[str, Any]:
    """The rules in the format of Prometheus, and two more: a run in progress that exports nothing, and one that did not pass."""
    rules = [*map(_entry, rules_of(scenario, speed)), _silence(scenario), _not_passed(scenario)]
    return {"groups": [{"name": f"soak-{scenario.name}", "rules": rules}]}


def _entry(rule: Rule) -> dict[str, Any]:
    return {
        "alert": rule.name,
        "expr": rule.expression,
        **({"for": duration(rule.for_s)} if rule.for_s else {}),
        **({"keep_firing_for": duration(rule.keep_firing_for_s)} if rule.keep_firing_for_s else {}),
        "labels": rule.labels,
        "annotations": rule.annotations,
    }


def _silence(scenario: Scenario) -> dict[str, Any]:
    exported = series(EXPORTED, (("scenario", scenario.name),))
    return {
        "alert": SILENT,
        "expr": _while_running(f"time() - {exported} > {SILENT_AFTER_S}"),
        "labels": {"severity": "warning"},
        "annotations": {
            "summary": f"{scenario.name}: no exports",
            "description": f"run {{{{ $labels.run }}}} is in progress, but has exported nothing for {duration(SILENT_AFTER_S)}",
        },
    }


def _not_passed(scenario: Scenario) -> dict[str, Any]:
    own = f'{{scenario={_quoted(scenario.name)}, verdict!="PASS"}}'
    return {
        "alert": NOT_PASSED,
        "expr": f"{VERDICT}{own} == 1",
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": f"{scenario.name}: {{{{ $labels.verdict }}}}",
            "description": "run {{ $labels.run }} ended as {{ $labels.verdict }}",
        },
    }


def _while_running(expression: str) -> str:
    return f"({expression}) and on (scenario, run) ({RUNNING} == 1)"


def series(metric: str, labels: Labels) -> str:
    """A metric with the labels that select it, in PromQL."""
    selected = ", ".join(f"{name}={_quoted(value)}" for name, value in labels)
    return f"{metric}{{{selected}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def number(value: float) -> str:
    """A number in PromQL, to the last digit."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def duration(seconds: float) -> str:
    """A duration as Prometheus writes it: whole numbers of units, the largest first, to the millisecond."""
    rest, parts = max(1, round(seconds * 1000)), []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
