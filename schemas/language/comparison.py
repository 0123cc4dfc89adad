"""Expressions given meaning: which SLI, which labels, which target in base units."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.errors import quoted
from soak.schemas.language.conditions import Comparison, Reference
from soak.schemas.language.derived import derived
from soak.schemas.language.expression import (
    EventFilter,
    Expression,
    Op,
    Selector,
    UnclearError,
    Unit,
    parse_expression,
    parse_filter,
)
from soak.schemas.language.shape import did_you_mean, nearest
from soak.schemas.language.slis import AT_THE_END, SUCCESS_RATE, Aggregate, Better, Sli
from soak.schemas.language.spoken import spoken_window
from soak.schemas.stream.events import SPECS, TYPES

EACH = "*"
CONFIDENT = frozenset({Aggregate.RATIO, Aggregate.QUANTILE, Aggregate.MEAN, Aggregate.GROWTH})
"""Aggregates that have a confidence interval."""

STRICT_CONFIDENCE = 0.95
"""The confidence level of objectives that give none, with `evidence: strict`."""

MAX_OBJECTIVES = 1_000
"""Maximum number of comparisons of one objective."""

_COUNTED = frozenset({Unit.COUNT, Unit.RATIO})
_RANKED = frozenset({Aggregate.QUANTILE, Aggregate.MAX})

_TIME_IN_TEXT = "a time after the target is a key of its own"

FILTER_FIELDS = ("fault", "error", "worker", "tenant", "kind", "to")


class Context(Struct, frozen=True):
    """The context of expressions: the SLIs of a scenario, and the possible values of each label."""

    slis: Mapping[str, Sli]
    labels: Mapping[str, tuple[str, ...]]
    parts: frozenset[str] = frozenset()
    """The labels among them that are of parts of the system: only some indicators have them."""


def objectives(text: str, context: Context) -> Iterator[Comparison]:
    """The comparisons of an objective: one, or one for each value of a label given as `*`. Raises UnclearError."""
    expression = parse_expression(text)
    if spoken := spoken_window(expression):
        raise UnclearError(_TIME_IN_TEXT, f"write {{objective: {spoken.plain}, {spoken.keys()}}}")
    sli = _sli(expression, context)
    _check_labels(expression.selector, sli, context, each=True)
    if expression.relative:
        _check_labels(expression.relative.selector, sli, context, each=False)
    _check_equality(expression, sli)
    if sli.over:
        _check_quotient(expression, sli)
    values = {label: _each(label, sli, context) for label, value in expression.selector if value == EACH}
    count = math.prod(map(len, values.values()))
    if count > MAX_OBJECTIVES:
        raise UnclearError(f"expands to {count:,} objectives", f"select {MAX_OBJECTIVES:,} at most")
    choices = [
        [(label, each) for each in values[label]] if value == EACH else [(label, value)]
        for label, value in expression.selector
    ]
    for chosen in product(*choices):
        yield _comparison(expression, sli, chosen)


def condition(text: str, context: Context, *, window: bool) -> Comparison:
    """The comparison of an abort or alert condition. Raises UnclearError."""
    expression = parse_expression(text)
    if spoken := spoken_window(expression):
        raise UnclearError(_TIME_IN_TEXT, f"write when: {spoken.plain}, and beside it {spoken.keys(lasting='for')}")
    sli = _sli(expression, context)
    _check_labels(expression.selector, sli, context, each=False)
    _check_equality(expression, sli)
    if expression.relative:
        raise UnclearError("a condition cannot be relative", "write a fixed target; relative targets are for slos only")
    if expression.op is Op.ABOUT:
        raise _no_alarm(expression, "write <= or >=; ~ is for slos only")
    if sli.over:
        what = f"{sli.name} compares two phases and is known at the end only"
        raise UnclearError(what, f"use it under slos, or {_divided(sli)} here")
    if is_known_at_the_end(sli):
        watch = f", or use {sli.series} here" if sli.series in context.slis and sli.series != sli.name else ""
        raise UnclearError(f"{sli.name} is known at the end only", f"use it under slos{watch}")
    if sli.aggregate is Aggregate.RATE and not window:
        raise UnclearError(f"{sli.name} over the whole run so far hardly changes", "add window: 30m")
    if sli.aggregate is Aggregate.LONGEST:
        if window:
            raise UnclearError(f"{sli.name} has no window", "remove window: the condition measures the current gap")
        if expression.op not in {Op.GE, Op.GT}:
            raise _no_alarm(expression, f"write {sli.name} >= {expression.target}")
    largest = sli.aggregate in _RANKED or (sli.aggregate is Aggregate.GAUGE and window)
    if largest and expression.op in {Op.EQ, Op.NE}:
        raise _no_alarm(expression, f"write {sli.name} >= {expression.target}, or <=")
    return _comparison(expression, sli, expression.selector)


def may_be_excluded(comparison: Comparison) -> bool:
    """Whether an interval can lie wholly on one side of the target: not of `== 100%`, nor where there is no interval."""
    sli, target = comparison.sli, comparison.target
    if sli.aggregate not in CONFIDENT or comparison.op in {Op.EQ, Op.NE, Op.ABOUT}:
        return False
    return not (sli.aggregate is Aggregate.RATIO and target in {0.0, 1.0})


def is_known_at_the_end(sli: Sli) -> bool:
    """Whether an SLI has no value during the run."""
    return sli.aggregate is Aggregate.GROWTH or sli.series == AT_THE_END or sli.at_the_end or bool(sli.over)


def _each(label: str, sli: Sli, context: Context) -> tuple[str, ...]:
    """The values that `*` stands for: of a quotient, phases other than the one it is over."""
    return tuple(value for value in context.labels[label] if label != "phase" or value != sli.over)


def _divided(sli: Sli) -> str:
    """The indicator whose values a quotient is of."""
    return f"{sli.series}_p{100 * sli.q:g}"


def _check_quotient(expression: Expression, sli: Sli) -> None:
    """Raise UnclearError for a quotient of a phase by itself, or without a phase, or with another comparison than a number."""
    phase = dict(expression.selector).get("phase")
    if phase is None:
        raise UnclearError(f"{sli.name} compares a phase with {sli.over}", f"write {sli.name}{{phase=…}}")
    if phase == sli.over:
        raise UnclearError(f"{sli.name} compares phase={phase} with itself", "name another phase")
    if expression.relative:
        what = f"{sli.name} is relative to phase={sli.over} already"
        raise UnclearError(what, "write a number, such as <= 1.2")
    if expression.op in {Op.EQ, Op.NE, Op.ABOUT}:
        raise UnclearError(f"{sli.name} is not compared by {expression.op.value}", "compare with <= or >=")
    if sli.unit.parse(expression.target) <= 0:
        raise UnclearError(f"{sli.name} is always above 0", "write a number such as 1.2")


def _no_alarm(expression: Expression, remedy: str) -> UnclearError:
    return UnclearError(
        f"{expression.sli} {expression.op} {expression.target} describes a good state, not an alarm", remedy
    )


def _check_equality(expression: Expression, sli: Sli) -> None:
    """Raise UnclearError for equality with a measured value, and for `~` on an SLI without a confidence interval."""
    if expression.op is Op.ABOUT:
        if sli.aggregate not in CONFIDENT:
            raise UnclearError(f"{sli.name} has no confidence interval", "compare with <= or >=")
        if expression.relative:
            raise UnclearError("~ compares with a fixed target", "write one, or compare with <= or >=")
        return
    if expression.op not in {Op.EQ, Op.NE} or sli.unit in _COUNTED:
        return
    if expression.relative or sli.unit.parse(expression.target):
        raise UnclearError(
            f"{sli.name} is a measured value and never exactly equal to a target", "compare with <= or >="
        )


def event_filter(
    text: str,
    fault_names: list[str],
    tenants: Sequence[str] = (),
    parts: Sequence[str] = (),
    kinds: Sequence[str] = (),
) -> EventFilter:
    """An event filter whose type, fields, faults, tenants, parts of the system and kinds of work exist. Raises UnclearError."""
    parsed = parse_filter(text)
    if parsed.type not in TYPES:
        raise UnclearError(f"unknown event type {quoted(parsed.type)}", did_you_mean(parsed.type, list(TYPES)))
    for name, value in parsed.fields:
        if name not in FILTER_FIELDS:
            raise UnclearError(f"unknown field {quoted(name)}", did_you_mean(name, list(FILTER_FIELDS)))
        known = {"fault": fault_names, "tenant": list(tenants), "kind": list(kinds), "to": list(parts)}.get(name)
        what = "dependency" if name == "to" else name
        if known is not None and value not in known:
            raise UnclearError(
                f"unknown {what} {quoted(value)}",
                did_you_mean(value, known) if known else f"the scenario declares no {what}s",
            )
        having = list(dict.fromkeys(spec.type for spec in SPECS.values() if spec.value_name == name))
        if name == "to" and parsed.type not in having:
            raise UnclearError(f"{parsed.type} has no field 'to'", f"name it with {', '.join(having)}")
    return parsed


def own_sli(name: str, definition: Mapping[str, object], filters: tuple[tuple[EventFilter, ...], ...]) -> Sli:
    """The SLI that a checked `slis:` entry defines."""
    description = str(definition.get("description") or name)
    if "ratio" in definition:
        return Sli(name, description, Unit.RATIO, Aggregate.RATIO, name, Better.HIGHER, filters=filters)
    if "count" in definition:
        return Sli(name, description, Unit.COUNT, Aggregate.COUNT, name, Better.LOWER, filters=filters)
    if "share" in definition:
        return Sli(name, description, Unit.RATIO, Aggregate.RATIO, name, Better.HIGHER, filters=filters)
    aggregate = Aggregate.QUANTILE if "quantile" in definition else Aggregate.GAUGE
    return Sli(name, description, Unit(str(definition["unit"])), aggregate, name, Better.LOWER, filters=filters)


def _sli(expression: Expression, context: Context) -> Sli:
    sli = context.slis.get(expression.sli) or derived(expression.sli, context.slis)
    if sli is None:
        raise UnclearError(
            f"unknown SLI {quoted(expression.sli)}", f"{_nearest_sli(expression.sli, context)}; `soak slis` lists them"
        )
    return sli


def _nearest_sli(name: str, context: Context) -> str:
    if elsewhere := sli_of_other_tools(name, context.slis):
        return elsewhere
    turned = _PERCENTILE_FIRST.fullmatch(name)
    if turned and derived(other := f"{turned[2]}_p{turned[1]}", context.slis):
        return f"did you mean {quoted(other)}?"
    return did_you_mean(name, list(context.slis)) if nearest(name, context.slis) else "use an SLI of this system"


def sli_of_other_tools(name: str, slis: Mapping[str, Sli]) -> str:
    """A hint at the SLI among `slis` that other load testers call `name`, such as `p99` or `rps`; empty for other names."""
    percentile = _PERCENTILE_ALONE.fullmatch(name.lower())
    other = f"latency_p{percentile[1] or percentile[2]}" if percentile else _OTHER_NAMES.get(name.lower(), "")
    if not other or not (other in slis or derived(other, slis)):
        return ""
    return f"did you mean {quoted(other)}{', which is 1 - error rate' if other == SUCCESS_RATE.name else ''}?"


_PERCENTILE_ALONE = re.compile(r"p([0-9]{1,2})|p\(([0-9]{1,2})\)")
_OTHER_NAMES = {
    **dict.fromkeys(("error_rate", "errors", "failure_rate", "fail_rate", "http_req_failed"), SUCCESS_RATE.name),
    **dict.fromkeys(("rps", "qps", "tps", "req_rate", "request_rate", "requests_per_second"), "throughput"),
    **dict.fromkeys(("response_time", "http_req_duration", "latency"), "latency_p95"),
}
_PERCENTILE_FIRST = re.compile(r"p([0-9]{1,2})_([a-z][a-z0-9_]*)")


def _check_labels(selector: Selector, sli: Sli, context: Context, *, each: bool) -> None:
    for label, value in selector:
        if label not in context.labels:
            raise UnclearError(f"unknown label {quoted(label)}", did_you_mean(label, list(context.labels)))
        if label not in sli.by and (label in context.parts or not (sli.per_task or (sli.by and label == "phase"))):
            raise _no_such_label(sli, label, value)
        known = context.labels[label]
        if value == EACH and known:
            if each:
                continue
            raise UnclearError(f"{label}=* is not possible here", f"name one {label}")
        if value == EACH:
            remedy = f"declare one: {_DECLARE[label]}" if label in _DECLARE else f"remove {label}=*"
            raise UnclearError(f"the scenario declares no {label}s", remedy)
        if value not in known:
            declare = f"declare it: {_DECLARE[label]}" if label in _DECLARE else f"remove {label}={value}"
            remedy = did_you_mean(value, list(known)) if known else declare
            raise UnclearError(f"the scenario declares no {label} {quoted(value)}", remedy)


def _no_such_label(sli: Sli, label: str, value: str) -> UnclearError:
    if not (sli.per_task or sli.by):
        return UnclearError(f"{sli.name} covers the whole system and has no labels", f"remove {label}={value}")
    has = [*sli.by, *(("tenant", "kind") if sli.per_task else ()), "phase"]
    return UnclearError(f"{sli.name} has no label {label}", f"it has {', '.join(dict.fromkeys(has))}")


_DECLARE = {
    "tenant": "workload.tenants: [{name: A, share: 100%}]",
    "kind": "workload.kinds: [{name: video, share: 100%}]",
    "phase": "phases: [{name: baseline, at: 0s, for: 10m}]",
}


def _comparison(expression: Expression, sli: Sli, selector: Selector) -> Comparison:
    target: float | Reference
    if sli.over:
        other = {**dict(selector), "phase": sli.over}
        target = Reference(sli.unit.parse(expression.target), tuple(other.items()), quotient=True)
        # What is looked at are the values of either phase.
        sli = replace(sli, unit=Unit.DURATION, over="")
    elif expression.relative:
        merged = {**dict(selector), **dict(expression.relative.selector)}
        if merged == dict(selector) and selector == expression.selector:
            raise UnclearError("compares an SLI with itself", "name another value of a label on the right side")
        target = Reference(expression.relative.factor, tuple(merged.items()))
    else:
        target = sli.unit.parse(expression.target)
    text = expression.text
    for label, value in selector:
        text = re.sub(rf"\b{label} ?= ?\*", f"{label}={value}", text)
    return Comparison(text, sli, selector, expression.op, target)
