"""Checks of SLIs, objectives, alerts and abort conditions of a scenario."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from soak.schemas.errors import Problem, Where, quoted
from soak.schemas.language.comparison import Context, event_filter, objectives
from soak.schemas.language.condition_checks import conditions
from soak.schemas.language.derived import base_of
from soak.schemas.language.expression import UnclearError, parse_expression
from soak.schemas.language.kinds import label_values, part_values
from soak.schemas.language.objective_checks import entry_problems
from soak.schemas.language.own_slis import OF_DURATIONS, build_sli, is_series
from soak.schemas.language.shape import did_you_mean
from soak.schemas.language.slis import Sli
from soak.schemas.language.view import View
from soak.schemas.stream.events import SPECS, Value

MAX_COMPARISONS = 10_000
MOST_LISTED = 15
_NUMBERS, _DURATIONS = (Value.SECONDS, Value.NUMBER), (Value.SECONDS,)
KINDS = ("ratio", "share", "count", "quantile", "gauge")


def _one_of(types: Sequence[str]) -> str:
    more = ", … (docs/scenario-reference.md lists them)" if len(types) > MOST_LISTED else ""
    return f"write one of: {', '.join(types[:MOST_LISTED])}{more}"


def _valued(view: View, *kinds: Value) -> list[str]:
    """The event types that carry a value of one of these kinds; those that have a duration are among them."""
    timed = view.language.durations if view.language else {}
    valued = (spec for spec in SPECS.values() if spec.value in kinds)
    if kinds == _DURATIONS:
        # When something is due is a time and not a duration.
        valued = (spec for spec in valued if spec.value_name != "due")
    return sorted({spec.type for spec in valued} | timed.keys())


def _definitions(view: View) -> dict[str, Any]:
    definitions = view.get("slis")
    return definitions if isinstance(definitions, dict) else {}


def _own_slis(view: View) -> Iterator[Problem]:
    built_in = view.language.slis if view.language else {}
    for name, definition in _definitions(view).items():
        where: Where = ("slis", name)
        if name in built_in:
            yield view.problem(where, f"{name} is a built-in SLI", "choose another name", at_key=True)
        kinds = [kind for kind in KINDS if kind in definition] if isinstance(definition, dict) else []
        if isinstance(definition, dict) and len(kinds) != 1:
            what = f"has {len(kinds)} of {', '.join(KINDS)}"
            yield view.problem(where, what, "write exactly one", at_key=True)
        elif kinds:
            yield from _own_sli(view, where, kinds[0])


def _own_sli(view: View, where: Where, kind: str) -> Iterator[Problem]:
    valued = {"quantile": _NUMBERS, "gauge": _NUMBERS, "share": _DURATIONS}.get(kind, ())
    if kind in OF_DURATIONS and is_series(of := view.get(*where, kind, "of")):
        yield from _series(view, (*where, kind, "of"), of)
        return
    for place in _filters(view, (*where, kind)):
        try:
            names = (list(view.names("faults")), view.names("workload", "tenants"))
            parts = view.language.names(view.data) if view.language else ()
            parsed = event_filter(view.get(*place), *names, parts, view.names("workload", "kinds"))
        except UnclearError as error:
            yield view.problem(place, error.what, error.remedy)
            continue
        if valued and parsed.type not in (known := _valued(view, *valued)):
            yield view.problem(place, f"{parsed.type} has no value", _one_of(known))
    if kind not in {"quantile", "gauge"} and view.get(*where, "unit") is not None:
        yield view.problem((*where, "unit"), f"is not allowed with {kind}", "remove it; quantile and gauge take a unit")


def _series(view: View, where: Where, series: str) -> Iterator[Problem]:
    try:
        base_of(series, view.language.slis if view.language else {})
    except UnclearError as error:
        yield view.problem(where, error.what, f"{error.remedy}, or an event type")
    if view.get(*where[:-2], "unit") not in {None, "duration"}:
        yield view.problem((*where[:-2], "unit"), "is not allowed: durations have one", "remove it")


def _filters(view: View, where: Where) -> Iterator[Where]:
    """The places of the event filters at `where` and below."""
    value = view.get(*where)
    if isinstance(value, str):
        yield where
    elif isinstance(value, list):
        yield from ((*where, index) for index, each in enumerate(value) if isinstance(each, str))
    elif isinstance(value, dict):
        for key in ("good", "total", "of"):
            yield from _filters(view, (*where, key)) if not isinstance(value.get(key), dict) else ()


def _slis(view: View) -> dict[str, Sli | None]:
    """Every SLI by name; None for one whose definition is wrong, which is reported there and not at each use."""
    slis: dict[str, Sli | None] = {**view.language.slis, **view.language.slis_with(view.data)} if view.language else {}
    for name, definition in _definitions(view).items():
        if name in slis:
            continue
        try:
            slis[name] = build_sli(name, definition, view.data)
        except (ValueError, TypeError, KeyError, AttributeError):
            slis[name] = None
    slis.update((sli.name, sli) for sli in _slis_of_checks(view))
    return slis


def _slis_of_checks(view: View) -> Iterator[Sli]:
    if not (checks := view.entries("checks")):
        return
    from soak.schemas.language.check import check_slis
    from soak.schemas.language.check_build import check_of

    for where, _ in checks:
        # What is wrong with a check is reported there.
        check = view.parse(lambda each: check_of(each, view.data), *where)
        yield from check_slis([check] if check else [])


def _expressions(view: View) -> Iterator[Problem]:
    if not view.language:
        return
    known = _slis(view)
    slis = {name: sli for name, sli in known.items() if sli}
    broken = known.keys() - slis.keys()
    context = Context(slis, label_values(view.data, view.language), frozenset(part_values(view.data, view.language)))
    yield from _objectives(view, context, broken)
    for section in ("alerts", "abort"):
        for where, item in view.entries(section):
            yield from conditions(view, where, item, context, broken)


def _objectives(view: View, context: Context, broken: set[str]) -> Iterator[Problem]:
    slos, count = view.get("slos"), 0
    for index, item in enumerate(slos if isinstance(slos, list) else ()):
        where: Where = ("slos", index, "objective") if isinstance(item, dict) else ("slos", index)
        text = view.get(*where)
        if not isinstance(text, str) or not text:
            continue
        try:
            if parse_expression(text).sli in broken:
                continue
            comparisons = list(objectives(text, context))
        except UnclearError as error:
            yield view.problem(where, error.what, error.remedy)
            continue
        count += len(comparisons)
        if count > MAX_COMPARISONS:
            what = f"this exceeds the maximum of {MAX_COMPARISONS:,} objectives"
            yield view.problem(where, what, "select fewer values of labels")
            return
        if isinstance(item, dict):
            yield from entry_problems(view, where[:-1], item, comparisons, context)


def _expectations(view: View) -> Iterator[Problem]:
    by_time = [
        item["name"]
        for _, item in view.entries("faults")
        if ("at" in item or "every" in item) and isinstance(item.get("name"), str)
    ]
    for where, _ in view.entries("alerts"):
        expect = view.get(*where, "expect")
        of = view.get(*where, "expect", "of")
        if isinstance(of, str) and of not in by_time:
            remedy = did_you_mean(of, by_time) if by_time else "declare a fault with at: and for:"
            yield view.problem((*where, "expect", "of"), f"there is no scheduled fault {quoted(of)}", remedy)
        elif isinstance(expect, dict) and list(expect) == ["of"]:
            remedy = "add fires_within, resolves_within or max_flaps"
            yield view.problem((*where, "expect"), "contains no expectation", remedy)
        elif isinstance(expect, dict) and _is_contradictory(expect):
            what = f"it cannot fire {expect['at_least']} times and flap {expect['max_flaps']} times at most"
            yield view.problem((*where, "expect"), what, "lower at_least, or raise max_flaps")


def _is_contradictory(expect: dict[str, Any]) -> bool:
    least, flaps = expect.get("at_least"), expect.get("max_flaps")
    return type(least) is int and type(flaps) is int and least > flaps + 1


INDICATOR_CHECKS: tuple[Callable[[View], Iterator[Problem]], ...] = (_own_slis, _expressions, _expectations)
