"""A closed workload: users who submit a task, wait for its end, think, and submit the next."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

from msgspec import Struct

from soak.schemas import units
from soak.schemas.language.distributions import Constant, Distribution, ServiceTime
from soak.schemas.language.windows import Window

Make = Callable[[Mapping[str, Any]], Distribution]


class Session(Struct, frozen=True):
    """After `tasks` tasks a user pauses instead of thinking."""

    tasks: int
    pause: Distribution


Levels: TypeAlias = tuple[tuple[float, float], ...]
"""The number of users over time, as (seconds, users) joined by straight lines; two at the same time are a step, and after the
last one the number stays."""


class Group(Struct, frozen=True):
    """The users of one tenant."""

    tenant: str
    levels: Levels

    @property
    def count(self) -> int:
        """How many there are in all."""
        return _most(self.levels)

    @property
    def time_s(self) -> float:
        """How long its users are at work, added up; its number changes in steps only, and is 0 in the end."""
        return sum(number * (end_s - start_s) for (start_s, number), (end_s, _) in pairwise(self.levels))


class Users(Struct, frozen=True):
    """Users of a closed workload.

    levels: how many are at work over time. timeout_s: after which a user waits no longer for a task (inf: never). groups: where
    users belong to tenants, those of each, numbered one after the other; their levels add up to `levels`.
    """

    levels: Levels
    think: Distribution
    session: Session | None = None
    timeout_s: float = math.inf
    groups: tuple[Group, ...] = ()

    @property
    def count(self) -> int:
        """How many users there are in all: the largest number at any time, of each group."""
        return sum(group.count for group in self.groups) if self.groups else _most(self.levels)

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
        """When a user, numbered from 0, is at work: while the number of users, or those of its group, is above its own."""
        if not self.groups:
            return _windows(self.levels, user)
        place = self.group_of(user)
        return _windows(self.groups[place].levels, user - sum(group.count for group in self.groups[:place]))

    def group_of(self, user: int) -> int:
        """The place of the group of a user."""
        return next(place for place, upto in enumerate(accumulate(group.count for group in self.groups)) if user < upto)


def _most(levels: Levels) -> int:
    return math.ceil(max(number for _, number in levels))


def _windows(levels: Levels, user: int) -> tuple[Window, ...]:
    found: list[Window] = []
    for start_s, end_s in _stretches(levels, user):
        if found and found[-1].end_s >= start_s:
            found[-1] = Window(found[-1].start_s, max(end_s, found[-1].end_s))
        else:
            found.append(Window(start_s, end_s))
    return tuple(found)


def _stretches(levels: Levels, user: int) -> Iterator[tuple[float, float]]:
    for (start_s, before), (end_s, after) in pairwise(levels):
        if start_s == end_s or max(before, after) <= user:
            continue
        crossing_s = start_s if before == after else start_s + (user - before) / (after - before) * (end_s - start_s)
        yield (start_s if before > user else crossing_s), (end_s if after > user else crossing_s)
    last_s, number = levels[-1]
    if number > user:
        yield last_s, math.inf


def build_users(data: Mapping[str, Any], make: Make, groups: tuple[Group, ...] = ()) -> Users:
    """The users of checked data; `make` makes a distribution. groups: those of phases, which then say how many there are."""
    session = data.get("session")
    return Users(
        levels=_sum([group.levels for group in groups]) if groups else tuple(_levels(data)),
        groups=groups,
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


def groups_of(phases: Sequence[Mapping[str, Any]], tenants: Sequence[str]) -> tuple[Group, ...]:
    """The users of each tenant as phases say it; empty where none does. Between phases that say it nobody is at work.

    phases: checked data, each with its `at`.
    """
    spans = [
        (units.duration(each["at"]), units.duration(each["for"]), each["users"])
        for each in phases
        if each.get("users") is not None
    ]
    if not spans:
        return ()
    found = []
    for tenant in tenants:
        levels = [(0.0, 0.0)]
        for start_s, for_s, users in sorted(spans, key=lambda span: span[0]):
            number, end_s = float(users.get(tenant, 0)), start_s + for_s
            levels += [(start_s, levels[-1][1]), (start_s, number), (end_s, number), (end_s, 0.0)]
        found.append(Group(tenant, tuple(levels)))
    return tuple(found)


def _sum(each: list[Levels]) -> Levels:
    """The sum of levels that have the same times."""
    return tuple((points[0][0], sum(number for _, number in points)) for points in zip(*each, strict=True))


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
