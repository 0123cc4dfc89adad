"""The load of k6: its executors. https://grafana.com/docs/k6/latest/using-k6/scenarios/executors/"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from soak.runner.importing.closed import AT_ONCE, TASKS_DOUBT, users_in_stages, users_of, with_tasks
from soak.runner.importing.foreign import Place
from soak.runner.importing.load import Stage, arrivals_of, delayed
from soak.runner.importing.part import Builder
from soak.runner.importing.values import seconds_of

_THINK = "the think time (sleep) of an iteration is in the script, not in its options: 100ms is taken"
_LONGEST_S = 600.0
"""`maxDuration` of k6, where it is not given."""
_LEFT_OUT: Mapping[str, str] = {
    "gracefulStop": "`drain` says how long tasks may take after the end",
    "gracefulRampDown": "a user who leaves waits for the task in flight",
}


class _Scenario(Struct, frozen=True):
    """A scenario of k6, or the options at its top, which say the same by other keys."""

    name: str
    executor: str
    place: Place
    builder: Builder
    start_key: str = "startVUs"
    longest_key: str = "maxDuration"

    def offer(self, part: dict[str, Any], notes: Sequence[str]) -> None:
        left_out = [
            f"{key} {self.place.get(key).text} is left out: {why}"
            for key, why in _LEFT_OUT.items()
            if self.place.get(key).text and seconds_of(self.place.get(key).text)
        ]
        said = f"{self.name} ({self.executor})"
        if self.place.get("startTime").text and (after_s := self.seconds("startTime")):
            part = delayed(part, after_s)
        self.builder.offer(self.place.mark, said, part, notes=[*notes, *left_out])

    def whole(self, key: str, default: int) -> int:
        return _whole(self.place.get(key), default, self.builder)

    def seconds(self, key: str) -> float | None:
        return seconds_in(self.place, key, self.builder)

    def stages(self) -> Iterator[tuple[Place, float]]:
        for each in self.place.get("stages").items():
            seconds = seconds_in(each, "duration", self.builder)
            if seconds is not None:
                yield each, seconds

    def per_s(self, number: Place) -> float:
        """A number of iterations per `timeUnit`."""
        per_s = seconds_in(self.place, "timeUnit", self.builder) if self.place.get("timeUnit").text else 1.0
        value = number.data if isinstance(number.data, int | float) and not isinstance(number.data, bool) else 0.0
        return value / (per_s or 1.0)


def offer_load(options: Place, builder: Builder) -> None:
    """Arrivals or users for the first scenario, or for the options at the top; of others it is said that they are left out."""
    scenarios = list(options.get("scenarios").entries())
    if not scenarios:
        _shortcut(options, builder)
    for number, (name, place) in enumerate(scenarios):
        if number:
            builder.refuse(place.mark, name, "a scenario has one load; the first one is taken")
        else:
            _take(_Scenario(name, place.get("executor").text, place, builder))


def _shortcut(options: Place, builder: Builder) -> None:
    """`vus`, `duration`, `iterations` and `stages` at the top stand for a scenario."""
    given = [key for key in ("stages", "iterations", "duration") if options.get(key).data is not None]
    if not given:
        if options.get("vus").data is not None:
            why = "k6 heeds vus beside duration, iterations or stages only"
            builder.refuse(options.get("vus").mark, "vus", why)
        return
    for key in given[1:] if given[0] == "stages" else ():
        builder.refuse(options.get(key).mark, key, "k6 takes either it or stages; the stages are taken")
    executor = {"stages": "ramping-vus", "iterations": "shared-iterations", "duration": "constant-vus"}[given[0]]
    _take(_Scenario("options", executor, options, builder, start_key="vus", longest_key="duration"))


def _take(scenario: _Scenario) -> None:
    translate = _EXECUTORS.get(scenario.executor)
    if translate:
        translate(scenario)
        return
    why = "is not an executor of k6"
    if scenario.executor == "externally-controlled":
        why = "the number of users is set from outside while the test runs"
    scenario.builder.refuse(scenario.place.mark, f"{scenario.name} ({scenario.executor})", why)


def _constant_rate(scenario: _Scenario) -> None:
    duration_s, rate = scenario.seconds("duration"), scenario.per_s(scenario.place.get("rate"))
    if duration_s and rate:
        scenario.offer(arrivals_of([Stage(rate, 0.0), Stage(rate, duration_s)]), _most_users(scenario))


def _ramping_rate(scenario: _Scenario) -> None:
    stages = [Stage(scenario.per_s(each.get("target")), for_s) for each, for_s in scenario.stages()]
    scenario.offer(arrivals_of(stages, scenario.per_s(scenario.place.get("startRate"))), _most_users(scenario))


def _most_users(scenario: _Scenario) -> list[str]:
    most = scenario.place.get("maxVUs").text or scenario.place.get("preAllocatedVUs").text
    return [f"k6 drops what {most} users cannot start in time; here every arrival is submitted"] if most else []


def _constant_users(scenario: _Scenario) -> None:
    if duration_s := scenario.seconds("duration"):
        scenario.offer(users_of(scenario.whole("vus", 1), AT_ONCE, total_s=duration_s), [_THINK])


def _ramping_users(scenario: _Scenario) -> None:
    stages = [(_whole(each.get("target"), 0, scenario.builder), for_s) for each, for_s in scenario.stages()]
    if stages:
        scenario.offer(users_in_stages(stages, scenario.whole(scenario.start_key, 1), AT_ONCE), [_THINK])


def _iterations_of_each(scenario: _Scenario) -> None:
    _iterations(scenario, scenario.whole("vus", 1) * scenario.whole("iterations", 1), [])


def _iterations_of_all(scenario: _Scenario) -> None:
    users, iterations = scenario.whole("vus", 1), scenario.whole("iterations", 1)
    if iterations < users:
        what = f"{iterations} iterations are fewer than the {users} vus that share them"
        scenario.builder.error(scenario.place.get("iterations").mark, what, "k6 refuses this: write fewer vus")
        return
    shared = ["each user submits an equal share of the tasks; in k6 a faster one takes more"] if users > 1 else []
    _iterations(scenario, iterations, shared)


def _iterations(scenario: _Scenario, tasks: int, notes: Sequence[str]) -> None:
    """An iteration is a task. k6 stops after `maxDuration` at the latest, a run of ours after its duration."""
    key = scenario.longest_key
    given = scenario.place.get(key).data is not None
    duration_s = scenario.seconds(key) if given else _LONGEST_S
    if duration_s is None:
        return
    default = [] if given else [f"{key} is not given: 10m is taken, as k6 does"]
    part = with_tasks(users_of(scenario.whole("vus", 1), AT_ONCE, total_s=duration_s), tasks)
    scenario.offer(part, [_THINK, *notes, *default, TASKS_DOUBT.format(tasks=tasks)])


_EXECUTORS: Mapping[str, Callable[[_Scenario], None]] = {
    "constant-arrival-rate": _constant_rate,
    "ramping-arrival-rate": _ramping_rate,
    "constant-vus": _constant_users,
    "ramping-vus": _ramping_users,
    "per-vu-iterations": _iterations_of_each,
    "shared-iterations": _iterations_of_all,
}


def _whole(place: Place, default: int, builder: Builder) -> int:
    """A number of users or iterations; what is none makes the file wrong."""
    if place.data is None:
        return default
    if isinstance(place.data, int) and not isinstance(place.data, bool):
        return place.data
    builder.error(place.mark, f"{place.where[-1]}: {place.text!r} is not a whole number", "write one such as 10")
    return default


def seconds_in(place: Place, key: str, builder: Builder) -> float | None:
    """A duration; a number without a unit is in milliseconds."""
    value = place.get(key)
    if value.data is None:
        builder.error(place.mark, f"{key} is missing", "write one such as 5m")
        return None
    seconds = seconds_of(value.text)
    if seconds is None or not value.text:
        builder.error(value.mark, f"{value.text!r} is not a duration", "write one such as 5m")
        return None
    return seconds / 1000 if value.text.strip().replace(".", "", 1).isdigit() else seconds
