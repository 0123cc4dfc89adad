"""A closed workload: users who submit a task, wait for its end, think, and submit the next."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from soak.schemas import units
from soak.schemas.language.distributions import Constant, Distribution, ServiceTime
from soak.schemas.language.windows import Window

Make = Callable[[Mapping[str, Any]], Distribution]


@dataclass(frozen=True, slots=True)
class Session:
    """After `tasks` tasks a user pauses instead of thinking."""

    tasks: int
    pause: Distribution


@dataclass(frozen=True, slots=True)
class Users:
    """Users of a closed workload.

    levels: the number of users over time, as (seconds, users) joined by straight lines; two at the same time are a step, and
    after the last one the number stays. timeout_s: after which a user waits no longer for a task (inf: never).
    """

    levels: tuple[tuple[float, float], ...]
    think: Distribution
    session: Session | None = None
    timeout_s: float = math.inf

    @property
    def count(self) -> int:
        """The largest number of users at any time."""
        return math.ceil(max(number for _, number in self.levels))

    @property
    def between_s(self) -> float:
        """Mean time from the end of a task to the next submission of its user, in seconds, pauses included."""
        if self.session is None:
            return self.think.mean_s
        return ((self.session.tasks - 1) * self.think.mean_s + self.session.pause.mean_s) / self.session.tasks

    def at(self, t_s: float) -> float:
        """The number of users that are to be at work at `t_s`."""
        for (start_s, before), (end_s, after) in pairwise(self.levels):
            if start_s <= t_s < end_s:
                return before + (after - before) * (t_s - start_s) / (end_s - start_s)
        return self.levels[-1][1] if t_s >= self.levels[-1][0] else self.levels[0][1]

    def is_steady_from(self, t_s: float) -> bool:
        """Whether the number of users stays the same from a time on."""
        return all(number == self.at(t_s) for at_s, number in self.levels if at_s >= t_s)

    def windows(self, user: int) -> tuple[Window, ...]:
        """When a user, numbered from 0, is at work: while the number of users is above its own."""
        found: list[Window] = []
        for start_s, end_s in self._stretches(user):
            if found and found[-1].end_s >= start_s:
                found[-1] = Window(found[-1].start_s, max(end_s, found[-1].end_s))
            else:
                found.append(Window(start_s, end_s))
        return tuple(found)

    def _stretches(self, user: int) -> Iterator[tuple[float, float]]:
        for (start_s, before), (end_s, after) in pairwise(self.levels):
            if start_s == end_s or max(before, after) <= user:
                continue
            crossing_s = (
                start_s if before == after else start_s + (user - before) / (after - before) * (end_s - start_s)
            )
            yield (start_s if before > user else crossing_s), (end_s if after > user else crossing_s)
        last_s, number = self.levels[-1]
        if number > user:
            yield last_s, math.inf


def build_users(data: Mapping[str, Any], make: Make) -> Users:
    """The users of checked data; `make` makes a distribution."""
    session = data.get("session")
    return Users(
        levels=tuple(_levels(data)),
        think=make(data["think"]),
        session=Session(session["tasks"], make(session["pause"])) if session else None,
        timeout_s=units.duration(data["timeout"]) if "timeout" in data else math.inf,
    )


def _levels(data: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    number, t_s = float(data.get("count", 0)), 0.0
    if "stages" not in data:
        ramp_s = units.duration(data.get("ramp", "0s"))
        yield from ((0.0, 0.0), (ramp_s, number)) if ramp_s else ((0.0, number),)
        return
    yield t_s, number
    for stage in data["stages"]:
        if "count" in stage:
            number = float(stage["count"])
            yield t_s, number
        t_s += units.duration(stage["for"])
        number = float(stage.get("to", number))
        yield t_s, number


def most_per_s(users: Users, service: ServiceTime, at_once: float) -> float:
    """An upper bound of the submissions per second in the long run (Denning & Buzen 1978).

    N users who each think for Z seconds and wait at least for the service time S submit N / (Z + S); a system that works on
    c tasks at a time ends c / S, unless users give up waiting.
    """
    waits = math.isfinite(users.timeout_s)
    least_s = min(service.mean_s, users.timeout_s) if isinstance(service, Constant) or not waits else 0.0
    by_users = users.count / max(users.between_s + least_s, 1e-9)
    by_system = at_once / service.mean_s if service.mean_s and not waits else math.inf
    return min(by_users, by_system)
