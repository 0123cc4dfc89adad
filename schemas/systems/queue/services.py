"""Faults of what a task system stands on: services, the network in between, disks and clocks."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from soak.schemas import units
from soak.schemas.errors import Problem
from soak.schemas.language.faults import AT_ONCE_S, FaultSpec, Timed
from soak.schemas.language.view import View
from soak.schemas.language.windows import Recurrence
from soak.schemas.systems.queue.faults import COUNTED, ENDS_A_SERVICE, OF_SERVICES, QueueFault

DATABASE = "database"
"""What `database_failover` strikes that names no service."""


class AtService(Struct, frozen=True):
    """What a fault strikes, and how. service: a name or a role; proxy: a name; empty: neither.

    by_s: by how much clocks jump, or bytes are late. drops: whether a network that is cut swallows everything, and refuses
    nothing.
    """

    service: str = ""
    proxy: str = ""
    by_s: float = 0.0
    drops: bool = False

    @property
    def what(self) -> str:
        """The part of the system that it strikes; empty: no particular one."""
        return self.service or self.proxy


def build_services(scenario: Mapping[str, Any]) -> Mapping[str, AtService]:
    """What faults strike that are of services, by their names, of checked data."""
    return {each["name"]: _at(each) for each in scenario["faults"] if each["type"] in OF_SERVICES}


def _at(fault: Mapping[str, Any]) -> AtService:
    by_default = DATABASE if fault["type"] == QueueFault.DATABASE_FAILOVER else ""
    return AtService(
        service=fault.get("service", by_default),
        proxy=fault.get("proxy", ""),
        by_s=units.duration(fault["by"]) if "by" in fault else 0.0,
        drops=fault.get("how") == "drop",
    )


def struck_part(fault: Mapping[str, Any]) -> str:
    """The service or proxy that a fault strikes, as written or by default; empty for others."""
    return _at(fault).what if fault["type"] in OF_SERVICES else ""


def ends_a_service(type_: str) -> bool:
    """Whether a service ends by faults of a type."""
    return type_ in ENDS_A_SERVICE


def timed_service(data: Mapping[str, Any], spec: FaultSpec) -> Timed | None:
    """When a fault of services takes place that may be over at once, or takes place a number of times; None for others."""
    if data["type"] not in OF_SERVICES or ("for" in data and "times" not in data):
        return None
    every_s = units.duration(data["every"]) if "every" in data else 0.0
    at_s = units.duration(data["at"]) if "at" in data else every_s
    lasts_s = units.duration(data["for"]) if "for" in data else AT_ONCE_S
    return Timed(spec, Recurrence(at_s, lasts_s, every_s, data.get("times", 0)), lambda _: 1)


def _faults(view: View) -> Iterator[Problem]:
    for where, item in view.entries("faults"):
        if str(item.get("type")) == QueueFault.CLOCK_JUMP and "process" in item:
            what = "a task system has one clock for all of its services and workers"
            yield view.problem((*where, "process"), what, "remove it")


def _times(view: View) -> Iterator[Problem]:
    """A number of times goes with an interval, and all of them are in the run."""
    duration_s = view.duration("duration")
    for where, item in view.entries("faults"):
        times = item.get("times")
        if str(item.get("type")) not in COUNTED or not isinstance(times, int) or times < 1:
            continue
        every_s = view.duration(*where, "every")
        at_s = view.duration(*where, "at") if "at" in item else every_s
        if "every" not in item and times > 1:
            yield view.problem((*where, "times"), "needs an interval", "add every: 30s")
        elif every_s and at_s is not None and duration_s and at_s < duration_s:
            last_s = at_s + (times - 1) * every_s
            if last_s >= duration_s:
                last, end = units.show_duration(last_s), units.show_duration(duration_s)
                what = f"the last of {times} is at {last}, but the run ends at {end}"
                yield view.problem((*where, "times"), what, "write fewer, or a shorter every")


SERVICE_CHECKS: tuple[Callable[[View], Iterator[Problem]], ...] = (_faults, _times)
