"""Indicators of a scenario's own: `slis:` entries, and those that objectives and conditions name beside the catalogue."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from soak.schemas import units
from soak.schemas.language.comparison import event_filter, own_sli
from soak.schemas.language.conditions import Combination, Condition, Objective
from soak.schemas.language.derived import base_of, percentile, share_below
from soak.schemas.language.expression import EventFilter
from soak.schemas.language.registry import language_of
from soak.schemas.language.slis import Sli

OF_DURATIONS = ("share", "quantile")
"""Indicators that may be of a series of durations: then `of` is its name, and no event type."""


def scenario_slis(data: Mapping[str, Any]) -> dict[str, Sli]:
    """Every SLI of the scenario: the system's and its own. Raises UnclearError for an invalid filter."""
    language = language_of(data["system"])
    slis = {**language.slis, **language.slis_with(data)}
    for name, definition in data.get("slis", {}).items():
        slis[name] = build_sli(name, definition, data)
    if data.get("checks"):
        from soak.schemas.language.check import check_slis
        from soak.schemas.language.check_build import build_checks

        slis.update((sli.name, sli) for sli in check_slis(build_checks(data)))
    return slis


def named_slis(
    slis: Mapping[str, Sli],
    objectives: Iterable[Objective],
    conditions: Iterable[Condition | Combination],
    on_demand: Sequence[str],
) -> dict[str, Sli]:
    """The SLIs that a scenario has: all but those on demand that it does not use, then what else it names.

    on_demand: those that it has in any case.
    """
    compared = [each.comparison.sli for each in objectives]
    compared += [part.comparison.sli for each in conditions for part in each.parts]
    named = {sli.name: sli for sli in compared}
    known = {name: sli for name, sli in slis.items() if not sli.on_demand or name in {*named, *on_demand}}
    return {**known, **{name: sli for name, sli in named.items() if name not in slis}}


def build_sli(name: str, definition: Mapping[str, Any], data: Mapping[str, Any]) -> Sli:
    """One `slis:` entry. Raises UnclearError."""
    language = language_of(data["system"])
    for form in OF_DURATIONS:
        if form in definition and is_series(of := definition[form]["of"]):
            return _of_series(name, definition, base_of(of, language.slis))
    faults = [fault["name"] for fault in data.get("faults", [])]
    tenants = tuple(tenant["name"] for tenant in data["workload"].get("tenants", []))
    kinds = tuple(kind["name"] for kind in data["workload"].get("kinds", []))
    named = language.names(data)

    def filters(text: str | list[str]) -> tuple[EventFilter, ...]:
        texts = [text] if isinstance(text, str) else text
        return tuple(event_filter(each, faults, tenants, named, kinds) for each in texts)

    if "ratio" in definition:
        parts = (filters(definition["ratio"]["good"]), filters(definition["ratio"]["total"]))
    elif "count" in definition:
        parts = (filters(definition["count"]),) * 2
    else:
        of = next((definition[form]["of"] for form in OF_DURATIONS if form in definition), None)
        parts = (filters(of or definition["gauge"]["of"]),) * 2
    timed = bool(language.durations) and all(each.type in language.durations for each in parts[0])
    sli = own_sli(name, {"unit": "duration" if timed else "count", **definition}, parts)
    if "share" in definition:
        return replace(sli, limit=units.duration(definition["share"]["below"]))
    return replace(sli, q=units.ratio(definition["quantile"]["q"])) if "quantile" in definition else sli


def is_series(of: object) -> bool:
    """Whether `of` names a series, and not events, whose types have a dot."""
    return isinstance(of, str) and "." not in of


def _of_series(name: str, definition: Mapping[str, Any], base: Sli) -> Sli:
    if "share" in definition:
        sli = share_below(name, base, units.duration(definition["share"]["below"]))
    else:
        sli = percentile(name, base, units.ratio(definition["quantile"]["q"]))
    return replace(sli, description=str(definition.get("description") or sli.description))
