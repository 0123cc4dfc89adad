"""The load of Taurus and of k6 as stages of an open workload."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from soak.runner.importing.values import duration_text, seconds_of, target_text
from soak.schemas.language.expression import Unit


class Stage(Struct, frozen=True):
    """A ramp to a rate over a time, or (`for_s` 0) a step to it; rates per second."""

    to_per_s: float
    for_s: float


def arrivals_of(stages: Sequence[Stage], start_per_s: float = 0.0) -> dict[str, Any]:
    """Arrivals that ramp through stages, and for how long: `duration` and `workload`."""
    while stages and not stages[0].for_s:
        start_per_s, stages = stages[0].to_per_s, stages[1:]
    rate, written = start_per_s, list[dict[str, Any]]()
    for stage in stages:
        if not stage.for_s:
            rate = stage.to_per_s
            written.append({"rate": target_text(Unit.RATE, rate), "for": "0s"})
        elif stage.to_per_s == rate:
            written.append({"for": duration_text(stage.for_s)})
        else:
            rate = stage.to_per_s
            written.append({"to": target_text(Unit.RATE, rate), "for": duration_text(stage.for_s)})
    total_s = sum(stage.for_s for stage in stages)
    base = target_text(Unit.RATE, start_per_s)
    if all(stage.to_per_s == start_per_s for stage in stages):
        return {"duration": duration_text(total_s), "workload": {"arrivals": {"rate": base}}}
    return {
        "duration": duration_text(total_s),
        "workload": {"arrivals": {"rate": base, "stages": joined_stages(written)}},
    }


def delayed(part: Mapping[str, Any], after_s: float) -> dict[str, Any]:
    """A load that begins after a time."""
    workload = part["workload"]
    name, number = ("users", "count") if "users" in workload else ("arrivals", "rate")
    load, total = workload[name], part["duration"]
    stages = [dict(stage) for stage in load.get("stages") or [{"for": total}]]
    begin = {number: load[number]} if number in load else {}
    waiting = {"for": duration_text(after_s)}
    kept = {key: value for key, value in load.items() if key not in {number, "stages"}}
    silent = {} if name == "users" else {"rate": target_text(Unit.RATE, 0.0)}
    shifted = {**silent, **kept, "stages": [waiting, {**begin, **stages[0]}, *stages[1:]]}
    duration = duration_text((seconds_of(total) or 0.0) + after_s)
    return {**part, "duration": duration, "workload": {**workload, name: shifted}}


def joined_stages(stages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A step and what follows it are one stage; a step at the end comes too late for any task."""
    joined: list[dict[str, Any]] = []
    for stage in stages:
        if joined and joined[-1]["for"] == "0s":
            joined[-1] = {**joined[-1], **stage}
        else:
            joined.append(stage)
    return joined[:-1] if len(joined) > 1 and joined[-1]["for"] == "0s" else joined
