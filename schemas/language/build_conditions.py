"""From checked data to objectives, alerts and abort conditions."""

from collections.abc import Iterator, Mapping
from typing import Any

from soak.schemas import units
from soak.schemas.language.comparison import Context, condition
from soak.schemas.language.conditions import Alert, Combination, Condition, Expectation, Objective, Severity
from soak.schemas.language.windowed import objectives_of

Data = Mapping[str, Any]


def build_demands(
    data: Data, context: Context
) -> tuple[tuple[Objective, ...], tuple[Alert, ...], tuple[Condition | Combination, ...]]:
    """Objectives, alerts and abort conditions. Raises UnclearError."""
    return (
        tuple(_objectives(data, context)),
        tuple(_alert(each, context) for each in data["alerts"]),
        tuple(_condition(each, context) for each in data["abort"]),
    )


def _objectives(data: Data, context: Context) -> Iterator[Objective]:
    for number, item in enumerate(data["slos"]):
        entry: Data = {"objective": item} if isinstance(item, str) else item
        yield from objectives_of(entry, context, number, strict=data["evidence"] == "strict")


def _condition(data: Data, context: Context) -> Condition | Combination:
    name, for_s, stops = data.get("name", ""), units.duration(data["for"]), data.get("then", "stop") == "stop"
    for mode in ("all", "any"):
        if mode in data:
            members = tuple(_condition(each, context) for each in data[mode])
            return Combination(name, mode == "all", members, for_s, stops)
    window_s = units.duration(data["window"]) if "window" in data else None
    comparison = condition(data["when"], context, window=window_s is not None)
    return Condition(name, comparison, window_s, for_s, data["min_samples"], stops)


def _alert(data: Data, context: Context) -> Alert:
    expect = data.get("expect")
    return Alert(
        condition=_condition(data, context),
        severity=Severity(data["severity"]),
        keep_firing_for_s=units.duration(data["keep_firing_for"]),
        expect=_expectation(expect) if expect else None,
    )


def _expectation(data: Data | str) -> Expectation:
    if isinstance(data, str):
        return Expectation(never=True) if data == "never" else Expectation(at_least=1)

    def seconds(key: str) -> float | None:
        return units.duration(data[key]) if key in data else None

    within = seconds("fires_within"), seconds("resolves_within")
    return Expectation(data.get("of"), *within, data.get("max_flaps"), data.get("at_least"))
