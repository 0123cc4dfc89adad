"""The load of Taurus and of its kin: stages of an open workload, or users."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from soak.runner.importing.foreign import Place
from soak.runner.importing.part import Builder
from soak.runner.importing.values import duration_text, seconds_of, target_text
from soak.schemas.language.expression import Unit

LEAST_THINK_S = 0.1
"""Users who never think would submit without end where tasks end at once."""
NO_THINK_TIME = "it gives no think time: 100ms is taken"


@dataclass(frozen=True, slots=True)
class Stage:
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
    return {"duration": duration_text(total_s), "workload": {"arrivals": {"rate": base, "stages": _joined(written)}}}


def _joined(stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A step and the time for which it is held are one stage; a step at the end comes too late for any arrival."""
    joined: list[dict[str, Any]] = []
    for stage in stages:
        if joined and joined[-1].get("for") == "0s" and set(stage) == {"for"}:
            joined[-1] = {**joined[-1], "for": stage["for"]}
        else:
            joined.append(stage)
    return joined[:-1] if len(joined) > 1 and joined[-1].get("for") == "0s" else joined


def users_of(count: int, total_s: float, ramp_s: float, think_s: float) -> dict[str, Any]:
    """Users in a closed workload."""
    users: dict[str, Any] = {"count": count, "think": _constant(think_s or LEAST_THINK_S)}
    if ramp_s:
        users["ramp"] = duration_text(ramp_s)
    return {"duration": duration_text(total_s), "workload": {"users": users}}


def users_in_stages(stages: Sequence[tuple[int, float]], start: int) -> dict[str, Any]:
    """Users whose number ramps through stages, each a number and the seconds until it is reached."""
    written, now = list[dict[str, Any]](), start
    for count, for_s in stages:
        if not for_s:
            written.append({"count": count, "for": "0s"})
        else:
            written.append({**({"to": count} if count != now else {}), "for": duration_text(for_s)})
        now = count
    first = {"count": start} if start else {}
    users = {**first, "think": _constant(LEAST_THINK_S), "stages": _joined(written)}
    return {"duration": duration_text(sum(for_s for _, for_s in stages)), "workload": {"users": users}}


def _constant(seconds: float) -> dict[str, str]:
    return {"distribution": "constant", "value": duration_text(seconds)}


def offer_load(document: Place, builder: Builder) -> None:
    """The first execution of Taurus that maps; of others it is said that they are left out."""
    execution = document.get("execution")
    entries = list(execution.items()) or ([execution] if isinstance(execution.data, dict) else [])
    for number, entry in enumerate(entries):
        if number:
            builder.refuse(
                entry.mark, f"execution {number + 1}", "a scenario has one load; the first execution is taken"
            )
        else:
            _offer(document, entry, builder)


def _offer(document: Place, entry: Place, builder: Builder) -> None:
    ramp_s, hold_s = (_seconds(entry.get(key), builder) for key in ("ramp-up", "hold-for"))
    if ramp_s is None or hold_s is None:
        return
    said = ", ".join(
        f"{key}: {entry.get(key).text}"
        for key in ("concurrency", "throughput", "ramp-up", "hold-for")
        if entry.get(key).text
    )
    if entry.get("iterations").text:
        builder.refuse(
            entry.get("iterations").mark, "iterations", "how often each user repeats its requests has no counterpart"
        )
    if not ramp_s + hold_s:
        builder.refuse(entry.mark, said or "execution", "it does not say for how long it lasts")
        return
    throughput, users = (_number(entry.get(key), builder) for key in ("throughput", "concurrency"))
    if throughput:
        steps = int(_number(entry.get("steps"), builder) or 0)
        notes = ["concurrency limits how many requests are in flight; arrivals are open"] if users else []
        builder.offer(entry.mark, said, arrivals_of(_ramp(throughput, ramp_s, hold_s, steps)), notes=notes)
        return
    name = entry.get("scenario").text
    think_s = seconds_of(document.get("scenarios", name, "think-time").text) if name else None
    part = users_of(int(users or 1), ramp_s + hold_s, ramp_s, think_s or 0.0)
    notes = [] if think_s else [NO_THINK_TIME]
    builder.offer(entry.mark, said or "execution", part, notes=notes)


def _ramp(rate: float, ramp_s: float, hold_s: float, steps: int) -> list[Stage]:
    """Up to a rate, at once or in steps, and held there."""
    if steps and ramp_s:
        each = [(rate * (number + 1) / steps, ramp_s / steps) for number in range(steps)]
        rising = [stage for to, for_s in each for stage in (Stage(to, 0.0), Stage(to, for_s))]
    else:
        rising = [Stage(rate, ramp_s)]
    return [*rising, *([Stage(rate, hold_s)] if hold_s else [])]


def _seconds(place: Place, builder: Builder) -> float | None:
    if place.data is None:
        return 0.0
    seconds = seconds_of(place.data if isinstance(place.data, int | float) else place.text)
    if seconds is None:
        builder.error(place.mark, f"{place.where[-1]}: {place.text!r} is not a duration", "write one such as 10m")
    return seconds


def _number(place: Place, builder: Builder) -> float | None:
    data = place.data
    if isinstance(data, dict):
        values = [value for value in data.values() if isinstance(value, int | float)]
        data = values[0] if values else None
    if data is None:
        return None
    try:
        number = float(str(data))
    except ValueError:
        builder.error(place.mark, f"{place.where[-1]}: {place.text!r} is not a number", "write a number")
        return None
    return number if 0 <= number < 1e12 else None
