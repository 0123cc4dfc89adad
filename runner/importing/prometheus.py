"""Alerting rules of Prometheus to alerts; those that `soak monitoring` wrote give back the alerts that they were made of.

https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from soak.runner.export.metrics import CONDITION
from soak.runner.export.rules import NOT_PASSED, ORIGIN, SILENT, duration
from soak.runner.importing.foreign import Place
from soak.runner.importing.meaning import Condition, Indicator, Several, Simple, UntranslatableError, condition_of
from soak.runner.importing.metrics import EXECUTIONS
from soak.runner.importing.part import Builder, Part
from soak.runner.importing.promql import Binary, Node, Number, PromqlError, Series, parse_promql
from soak.runner.importing.values import duration_text, seconds_of, target_text
from soak.schemas.language.expression import UnclearError, Unit, parse_expression
from soak.schemas.language.registry import language_of, names

FORMAT = "Prometheus rules"
_SEVERITIES = {"page": "critical", "error": "critical", "high": "critical", "warn": "warning", "ticket": "warning"}
_LABEL = re.compile(r"([a-z]+)\s*=\s*([A-Za-z0-9_.-]+)")
_KNOWN = ("info", "warning", "critical")


def is_rules(place: Place) -> bool:
    """Whether a document holds rules: groups, or a PrometheusRule of Kubernetes."""
    groups = _groups(place)
    return isinstance(groups.data, list) and (
        not groups.data or any(isinstance(group.get("rules").data, list) for group in groups.items())
    )


def _groups(place: Place) -> Place:
    return place.get("spec", "groups") if place.get("kind").text == "PrometheusRule" else place.get("groups")


def translate(documents: list[Place], builder: Builder) -> None:
    """Offer an alert for each alerting rule."""
    rules = [rule for each in documents for group in _groups(each).items() for rule in group.get("rules").items()]
    recorded = dict(_recorded(rules, builder))
    for rule in rules:
        if rule.get("alert").text:
            _alert(rule, recorded, builder)
        elif not rule.get("record").text:
            builder.error(rule.mark, "a rule needs `alert` or `record`", "name it, or remove it")


def _recorded(rules: list[Place], builder: Builder) -> Iterator[tuple[str, Node]]:
    for rule in rules:
        if (name := rule.get("record").text) and (node := _parsed(rule, builder)):
            yield name, node


def _parsed(rule: Place, builder: Builder) -> Node | None:
    place = rule.get("expr")
    if not place.text:
        builder.error(rule.mark, "the rule has no `expr`", "write an expression of PromQL")
        return None
    try:
        return parse_promql(place.text)
    except PromqlError as error:
        builder.error(place.mark, f"expr is not PromQL: {error}", "correct it; promtool check rules says more")
        return None


def _alert(rule: Place, recorded: Mapping[str, Node], builder: Builder) -> None:
    name, node = rule.get("alert").text, _parsed(rule, builder)
    times = {key: _duration(rule.get(key), builder) for key in ("for", "keep_firing_for")}
    if node is None or name in {SILENT, NOT_PASSED}:
        return
    origin = rule.get("annotations", ORIGIN).text
    if origin and _series(node).startswith(CONDITION):
        _returned(rule, node, origin, times, builder)
        return
    try:
        condition = condition_of(node, recorded)
    except UntranslatableError as error:
        builder.refuse(rule.get("expr").mark, name, str(error))
        return
    severity, notes = _severity(rule)
    if isinstance(condition, Simple) and condition.held_s:
        times["for"] += condition.held_s
    entry = {
        "name": builder.name(name, "alerts"),
        **written(condition, builder.system),
        **{key: duration_text(value) for key, value in times.items() if value},
        "severity": severity,
    }
    part = {"alerts": [entry], **own_slis([each.indicator for each in leaves(condition)], builder.system)}
    builder.offer(rule.mark, name, part, notes=[*notes, *notes_of(condition)])


def _duration(place: Place, builder: Builder) -> float:
    if place.data is None:
        return 0.0
    seconds = seconds_of(place.text)
    if seconds is None:
        builder.error(place.mark, f"{place.where[-1]}: {place.text!r} is not a duration", "write one such as 5m")
    return seconds or 0.0


def _severity(rule: Place) -> tuple[str, list[str]]:
    said = rule.get("labels", "severity").text.lower()
    severity = said if said in _KNOWN else _SEVERITIES.get(said, "info" if said in {"none", "low"} else "warning")
    return severity, [f"severity {said} is taken for {severity}"] if said and said != severity else []


def _series(node: Node) -> str:
    """The name of the first series in an expression."""
    if isinstance(node, Series):
        return node.name
    return _series(node.left) if isinstance(node, Binary) else ""


def _returned(rule: Place, node: Node, origin: str, times: Mapping[str, float], builder: Builder) -> None:
    """The alert that a rule of `soak monitoring` was made of, with the threshold and times that the rule has now."""
    name = rule.get("alert").text
    try:
        known: dict[str, Any] = json.loads(origin)
        speed, system = float(known.pop("speed", 1)), str(known.pop("system"))
        known = _with_thresholds(known, _comparisons(_while_running(node)), system)
    except (ValueError, AttributeError, TypeError, KeyError, StopIteration):
        what = f"the annotation {ORIGIN} is damaged"
        builder.error(rule.get("annotations", ORIGIN).mark, what, "write the rules again: soak monitoring")
        return
    builder.system = system if system in names() else builder.system
    for key, seconds in times.items():
        if _real(known.get(key), speed) != (duration(seconds) if seconds else ""):
            known[key] = duration_text(float(f"{seconds * speed:.12g}"))
    severity, _ = _severity(rule)
    builder.offer(rule.mark, name, {"alerts": [{"name": name, **known, "severity": severity}]}, beside=_beside(known))


def _while_running(node: Node) -> Node:
    """A rule without its part that asks whether a run is in progress."""
    last = isinstance(node, Binary) and node.op == "and" and not _series(node.right).startswith(CONDITION)
    return node.left if last and isinstance(node, Binary) else node


def _comparisons(node: Node) -> Iterator[tuple[str, float]]:
    """The operators and thresholds in a rule, in their order."""
    if isinstance(node, Binary) and isinstance(node.right, Number):
        yield node.op, node.right.value
    elif isinstance(node, Binary):
        yield from _comparisons(node.left)
        yield from _comparisons(node.right)


def _with_thresholds(known: dict[str, Any], compared: Iterator[tuple[str, float]], system: str) -> dict[str, Any]:
    """A condition with the thresholds that its rule has now. Raises KeyError or StopIteration for one of another form."""
    for mode in ("all", "any"):
        if mode in known:
            return {**known, mode: [_with_thresholds(each, compared, system) for each in known[mode]]}
    return {**known, "when": _adjusted(str(known["when"]), *next(compared), system)}


def _real(text: object, speed: float) -> str:
    """A duration of a scenario as a rule has it for runs at `speed`; empty for none."""
    seconds = seconds_of(text)
    return duration(seconds / speed) if seconds else ""


def _beside(known: Mapping[str, Any]) -> Part:
    """What the scenario has that an alert refers to: tenants, phases, a fault."""
    found = (re.findall(r"\{(.*?)\}", when) for when in _compared(known))
    labels = dict(pair for texts in found for text in texts for pair in _LABEL.findall(text))
    expect = known.get("expect")
    fault = expect.get("of") if isinstance(expect, dict) else None
    return {
        **({"workload": {"tenants": [{"name": labels["tenant"], "share": 1}]}} if "tenant" in labels else {}),
        **({"phases": [{"name": labels["phase"], "at": "1h", "for": "1h"}]} if "phase" in labels else {}),
        **({"faults": [{"name": fault, "type": "telemetry_loss", "at": "1h", "for": "1m"}]} if fault else {}),
    }


def _compared(known: Mapping[str, Any]) -> list[str]:
    """What a condition compares, or each of those that are combined."""
    parts = [part for mode in ("all", "any") for part in known.get(mode, ()) if isinstance(part, dict)]
    return [str(known["when"])] if "when" in known else [when for part in parts for when in _compared(part)]


def _adjusted(when: str, op: str, value: float, system: str) -> str:
    """`when` with the comparison of the rule, if it is another one now."""
    try:
        expression = parse_expression(when)
    except UnclearError:
        return when
    sli = language_of(system).slis.get(expression.sli) if system in names() else None
    unit = sli.unit if sli else None
    try:
        same = expression.op == op and (unit is None or unit.parse(expression.target) == value)
    except UnclearError:
        same = False
    if same or unit is None:
        return when
    head = when[: when.rindex(expression.op.value)]
    return f"{head}{op} {target_text(unit, value)}"


def written(condition: Condition, system: str) -> dict[str, Any]:
    """A condition as an alert or abort condition has it."""
    if isinstance(condition, Several):
        return {condition.how: [written(each, system) for each in condition.parts]}
    found = condition.indicator
    when = f"{found.sli} {condition.op.value} {target_text(unit_of(found.sli, system), condition.value)}"
    return {
        "when": when,
        **({"window": duration_text(found.window_s)} if found.window_s else {}),
        **({"for": duration_text(condition.held_s)} if condition.held_s else {}),
    }


def unit_of(sli: str, system: str) -> Unit:
    """The unit of an indicator, also of one that the system does not have."""
    known = language_of(system).slis
    if sli in known:
        return known[sli].unit
    if sli.startswith(("latency_share", "execution_share", "success")):
        return Unit.RATIO
    if sli.startswith(("latency", "wait", "oldest", "execution")):
        return Unit.DURATION
    return Unit.SIZE if sli == "rss" else Unit.COUNT


def leaves(condition: Condition) -> Iterator[Simple]:
    """Every comparison in a condition."""
    if isinstance(condition, Simple):
        yield condition
    else:
        for each in condition.parts:
            yield from leaves(each)


def own_slis(indicators: Iterable[Indicator], system: str) -> Part:
    """The definitions of those indicators that are not in the catalogue."""
    found = {each.sli: _defined(each.own, system) for each in indicators if each.own}
    return {"slis": found} if found else {}


def _defined(own: Part, system: str) -> dict[str, Any]:
    """A definition, with the events that have a duration in this system."""
    durations = [*(language_of(system).durations if system in names() else ())]
    return {
        form: {**inner, "of": durations}
        if durations and isinstance(inner, dict) and inner["of"] == EXECUTIONS
        else inner
        for form, inner in own.items()
    }


def notes_of(condition: Condition) -> list[str]:
    """What of the original a condition leaves out."""
    return list(dict.fromkeys(note for each in leaves(condition) for note in each.indicator.notes))
