"""Checks of a closed workload beyond its shape."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from soak.schemas.errors import Problem, Where, quoted
from soak.schemas.language.build import build_distribution
from soak.schemas.language.distributions import Distribution
from soak.schemas.language.extent import MAX_ARRIVALS
from soak.schemas.language.shape import did_you_mean, nearest
from soak.schemas.language.users import Users, build_users, groups_of
from soak.schemas.language.view import View
from soak.schemas.units import show_duration

_WHERE: Where = ("workload", "users")


def _either(view: View) -> Iterator[Problem]:
    """Work comes at a rate, or from users; and the system has to be one whose users can wait for it."""
    if view.get(*_WHERE) is None:
        return
    if view.get("workload", "arrivals") is not None:
        what = "stands beside arrivals, but work comes either at a rate or from users who wait for it"
        yield view.problem(_WHERE, what, "remove one of the two", at_key=True)
    if view.language and not view.language.closed:
        what = f"the system {view.language.name} takes work at a rate only"
        yield view.problem(_WHERE, what, "write arrivals instead", at_key=True)


def _groups(view: View) -> Iterator[Problem]:
    """Users of tenants in phases, and what then has no place."""
    said = [(where, item) for where, item in view.entries("phases") if isinstance(item.get("users"), dict)]
    if not said:
        written = view.get(*_WHERE)
        if isinstance(written, dict) and not any(nearest(str(key), ["count", "stages"]) for key in written):
            remedy = "add count: 50, or users: {A: 10} to the phases"
            yield view.problem(_WHERE, "says nothing of how many users there are", remedy, at_key=True)
        return
    where, tenants = (*said[0][0], "users"), list(view.names("workload", "tenants"))
    if view.get(*_WHERE) is None:
        remedy = "write workload.users with their think time instead of arrivals"
        yield view.problem(where, "there are users in a phase, but work comes at a rate", remedy, at_key=True)
    for key in ("count", "stages", "ramp"):
        if isinstance(view.get(*_WHERE), dict) and view.get(*_WHERE, key) not in (None, "0s"):
            what = "stands beside phases that say how many users there are"
            yield view.problem((*_WHERE, key), what, "remove one of the two", at_key=True)
    for each, item in said:
        for name in item["users"]:
            if name not in tenants:
                remedy = did_you_mean(name, tenants) if tenants else "declare workload.tenants"
                yield view.problem((*each, "users", name), f"the scenario declares no tenant {quoted(name)}", remedy)
    if not any(number for _, item in said for number in item["users"].values()):
        yield view.problem(where, "there is never any user", "write a number of users, such as 10")


def _number(view: View) -> Iterator[Problem]:
    """How many there are over time."""
    ramp_s, duration_s = view.duration(*_WHERE, "ramp"), view.duration("duration")
    stages = view.entries(*_WHERE, "stages")
    if stages and ramp_s:
        what = "both ramp and stages say how the number of users changes"
        yield view.problem((*_WHERE, "ramp"), what, "write the ramp as the first stage, such as {to: 50, for: 2m}")
    elif ramp_s and duration_s is not None and ramp_s >= duration_s:
        what = f"is as long as the run ({show_duration(duration_s)}) or longer"
        yield view.problem((*_WHERE, "ramp"), what, "write a shorter one")
    users = _users(view)
    if stages and users and not users.count:
        yield view.problem((*_WHERE, "stages"), "there is never any user", "write to: 10 in one of the stages")


def _pace(view: View) -> Iterator[Problem]:
    """How fast they are: without think time, tasks that end at once would make the clock stand still."""
    for key in (("think",), ("session", "pause")):
        pause = view.parse(lambda data: build_distribution(data, view.folders), *_WHERE, *key)
        if pause is not None and not pause.mean_s:
            what = f"users who never {key[-1]} would submit without end where tasks end at once"
            yield view.problem((*_WHERE, *key), what, "write a longer time, such as 100ms")
    users, duration_s = _users(view), view.duration("duration")
    if users is None or duration_s is None or view.get("workload", "tasks") is not None or not users.between_s:
        return
    service = view.parse(lambda data: _service(view, data))
    each_s = users.between_s + (service.mean_s if service and math.isinf(users.timeout_s) else 0.0)
    most = users.count * duration_s / each_s
    if most > MAX_ARRIVALS:
        what = f"may submit about {math.ceil(most):,} tasks, and the maximum is {MAX_ARRIVALS:,}"
        yield view.problem(_WHERE, what, "write fewer users or a longer think time, or shorten the run", at_key=True)


def _service(view: View, data: Any) -> Distribution | None:
    language = view.language
    return language.service(data, language.build(data, view.folders), view.folders) if language else None


def _users(view: View) -> Users | None:
    groups = view.parse(lambda data: groups_of(data, view.names("workload", "tenants")), "phases") or ()
    return view.parse(
        lambda data: build_users(data, lambda each: build_distribution(each, view.folders), groups), *_WHERE
    )


USERS_CHECKS: tuple[Callable[[View], Iterator[Problem]], ...] = (_either, _groups, _number, _pace)
