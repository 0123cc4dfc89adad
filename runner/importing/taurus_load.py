"""The load of Taurus: its execution. https://gettaurus.org/docs/ExecutionSettings/"""

import math
import re
from collections.abc import Sequence
from typing import Any

from soak.runner.importing.closed import AT_ONCE, TASKS_DOUBT, Think, constant, users_in_stages, users_of, with_tasks
from soak.runner.importing.foreign import Place
from soak.runner.importing.load import Stage, arrivals_of
from soak.runner.importing.part import Builder
from soak.runner.importing.taurus_requests import offer_requests
from soak.runner.importing.values import duration_text, seconds_of, target_text
from soak.schemas.language.expression import Unit
from soak.schemas.language.schema import kind_keys

_MOST_STEPS = 1000
_REQUEST = "request"
"""The key of a kind of work that says what is sent, in systems that send requests."""
_TIMER = re.compile(r"(uniform|gaussian|poisson)\s*\(([^,]+),([^,]+)\)")
_TO_P95 = 1.6448536
"""Standard deviations from the mean of a normal distribution to its 95th percentile."""
_NO_THINK_TIME = "it gives no think-time: 100ms is taken"


def offer_load(document: Place, builder: Builder) -> None:
    """Arrivals or users for the first execution; of others it is said that they are left out."""
    execution = document.get("execution")
    entries = list(execution.items()) or ([execution] if isinstance(execution.data, dict) else [])
    for number, entry in enumerate(entries):
        if number:
            what = f"execution {number + 1}"
            builder.refuse(entry.mark, what, "a scenario has one load; the first execution is taken")
        else:
            _offer(document, entry, builder)


def _offer(document: Place, entry: Place, builder: Builder) -> None:
    ramp_s, hold_s = (_seconds(entry.get(key), builder) for key in ("ramp-up", "hold-for"))
    throughput, users, iterations = (
        _number(entry.get(key), builder) for key in ("throughput", "concurrency", "iterations")
    )
    if ramp_s is None or hold_s is None:
        return
    keys = ("concurrency", "throughput", "ramp-up", "hold-for", "iterations")
    said = ", ".join(f"{key}: {entry.get(key).text}" for key in keys if entry.get(key).text) or "execution"
    if not ramp_s + hold_s and not iterations:
        builder.refuse(entry.mark, said, "it does not say for how long it lasts")
        return
    scenario, count = _scenario(document, entry), max(1, int(users or 1))
    steps, notes = _steps(entry, builder)
    if entry.get("delay").text:
        notes.append(f"delay {entry.get('delay').text} is left out: the run begins with this load")
    if throughput:
        part = arrivals_of(_rates(throughput, ramp_s, hold_s, steps))
        notes += [_bounded(throughput, count)] if users else []
    else:
        think, of_think = _think(scenario)
        part = _users(count, think, ramp_s, hold_s, steps)
        notes += of_think
    if not ramp_s + hold_s:
        part = {"workload": part["workload"]}
        notes.append("it does not say for how long it lasts: the scenario has to, in `duration`")
    if iterations:
        part, of_tasks = _limited(part, scenario, count * int(iterations))
        notes += of_tasks
    builder.offer(entry.mark, said, part, notes=notes)
    if _REQUEST in kind_keys(builder.system):
        offer_requests(scenario, builder)


def _rates(rate: float, ramp_s: float, hold_s: float, steps: int) -> list[Stage]:
    """Up to a rate, at once or in steps, and held there."""
    if steps and ramp_s:
        each = [(rate * (number + 1) / steps, ramp_s / steps) for number in range(steps)]
        rising = [stage for to, for_s in each for stage in (Stage(to, 0.0), Stage(to, for_s))]
    else:
        rising = [Stage(rate, ramp_s)]
    return [*rising, *([Stage(rate, hold_s)] if hold_s else [])]


def _users(count: int, think: Think, ramp_s: float, hold_s: float, steps: int) -> dict[str, Any]:
    """Users who come evenly, or an equal number at the start of each step."""
    if not steps or not ramp_s:
        return users_of(count, think, total_s=ramp_s + hold_s, ramp_s=ramp_s)
    stages, now = list[tuple[int, float]](), 0
    for number in range(steps):
        # Halves are rounded up, as JMeter does.
        now, before = math.floor(count * (number + 1) / steps + 0.5), now
        stages += [(now, 0.0)] if now != before else []
        stages.append((now, ramp_s / steps))
    return users_in_stages([*stages, *([(count, hold_s)] if hold_s else [])], 0, think)


def _bounded(rate: float, users: int) -> str:
    at, within = target_text(Unit.RATE, rate), duration_text(round(users / rate, 3))
    original = f"the {users} users of the original hold that only while request and think time together take {within}"
    return f"tasks arrive at {at}, whatever the system does; {original} at most"


def _limited(part: dict[str, Any], scenario: Place, iterations: int) -> tuple[dict[str, Any], Sequence[str]]:
    """A task for every request of every iteration."""
    requests = list(scenario.get("requests").items())
    if requests and all(each.text or each.get("url").text for each in requests):
        tasks, counted = iterations * len(requests), [f"each of its {len(requests)} requests is a task"]
    else:
        tasks, counted = (
            iterations,
            ["an iteration is taken for one task, since its requests are not listed one by one"],
        )
    return with_tasks(part, tasks), [*counted, TASKS_DOUBT.format(tasks=tasks)]


def _scenario(document: Place, entry: Place) -> Place:
    """The scenario of an execution: named, or written inside it."""
    place = entry.get("scenario")
    return document.get("scenarios", place.text) if place.text else place


def _think(scenario: Place) -> tuple[Think, list[str]]:
    """The think time between requests, and what is different about it."""
    place, notes = scenario.get("think-time"), list[str]()
    if any(each.get("think-time").text for each in scenario.get("requests").items()):
        notes.append("a think-time of a single request is left out: users have one for all")
    if not place.text:
        return AT_ONCE, [_NO_THINK_TIME, *notes]
    timer = _TIMER.fullmatch(place.text.strip().lower())
    if timer:
        mean_s, deviation_s = seconds_of(timer[2]), seconds_of(timer[3])
        if mean_s and deviation_s is not None:
            think, differs = _random(timer[1], mean_s, deviation_s)
            return think, [*differs, *notes]
    seconds = seconds_of(place.text)
    if seconds is None:
        return AT_ONCE, [f"its think-time {place.text} is not a duration: 100ms is taken", *notes]
    return (constant(seconds), notes) if seconds else (AT_ONCE, [_NO_THINK_TIME, *notes])


def _random(timer: str, mean_s: float, deviation_s: float) -> tuple[Think, list[str]]:
    """A timer of JMeter: `uniform(mean, deviation)` is between mean - deviation and mean + deviation."""
    if timer == "uniform" and deviation_s:
        low, high = (duration_text(round(max(0.0, each), 3)) for each in (mean_s - deviation_s, mean_s + deviation_s))
        return {"distribution": "uniform", "low": low, "high": high}, []
    if timer == "gaussian" and deviation_s:
        p95 = duration_text(round(mean_s + _TO_P95 * deviation_s, 3))
        note = "its gaussian think-time is lognormal here, of the same median and 95th percentile"
        return {"distribution": "lognormal", "median": duration_text(mean_s), "p95": p95}, [note]
    note = "its poisson think-time, which hardly varies, is constant here"
    return constant(mean_s), [note] if timer == "poisson" else []


def _steps(entry: Place, builder: Builder) -> tuple[int, list[str]]:
    steps = int(_number(entry.get("steps"), builder) or 0)
    if steps > _MOST_STEPS:
        return 0, [f"{steps:,} steps are taken for an even ramp"]
    return steps, []


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
        values = [(key, value) for key, value in data.items() if isinstance(value, int | float)]
        if len(values) > 1:
            builder.note(place.mark, str(place.where[-1]), f"that of {values[0][0]} is taken, {values[0][1]}")
        data = values[0][1] if values else None
    if data is None:
        return None
    try:
        number = float(str(data))
    except ValueError:
        builder.error(place.mark, f"{place.where[-1]}: {place.text!r} is not a number", "write a number")
        return None
    return number if 0 <= number < 1e12 else None
