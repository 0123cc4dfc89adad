"""What the system `relay` adds to the scenario language."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soak.schemas.errors import Problem, quoted
from soak.schemas.files import Folders
from soak.schemas.language.build import build_distribution
from soak.schemas.language.distributions import Distribution
from soak.schemas.language.faults import FaultSpec, fault_table
from soak.schemas.language.room import Data, Language, Minutes
from soak.schemas.language.shape import did_you_mean
from soak.schemas.language.slis import catalogue, times
from soak.schemas.language.tolerance import EXTREME, WAIT
from soak.schemas.language.view import View
from soak.schemas.stream.events import Kind, Spec, Value, register
from soak.schemas.stream.states import TaskState

STICK = "stick"
EVENTS = (
    Spec(
        "relay.switched",
        "a relay switched its lamp; `ran` is how long it travelled",
        "task worker",
        "ran",
        Value.SECONDS,
    ),
    Spec("relay.stuck", "a relay does not move", "worker cause", "to", Value.NAME),
    Spec("relay.released", "a relay that stuck moves again", "worker cause", "to", Value.NAME),
)
SWITCHED, STUCK, RELEASED = register(EVENTS)


@dataclass(frozen=True, slots=True)
class Relays:
    """The lamps by name, how long a relay travels, and whether one that stuck comes free again."""

    lamps: tuple[str, ...]
    travel: Distribution
    springs: bool


def _build(scenario: Data, folders: Folders) -> Relays:
    data = scenario["relay"]
    return Relays(tuple(data["lamps"]), build_distribution(data["travel"], folders), data["springs"])


def _service(scenario: Data, settings: Relays, folders: Folders) -> Distribution:
    return settings.travel


def _struck(fault: Data, settings: Relays) -> str:
    name: str = fault.get("lamp", settings.lamps[0]) if fault["type"] == STICK else ""
    return name


def _lamps(scenario: Data) -> tuple[str, ...]:
    relay: Any = scenario.get("relay")
    lamps = relay.get("lamps") if isinstance(relay, dict) else None
    return tuple(lamp for lamp in lamps if isinstance(lamp, str)) if isinstance(lamps, list) else ()


def _lamps_of_faults(view: View) -> Iterator[Problem]:
    names = _lamps(view.data)
    for where, item in view.entries("faults"):
        lamp = item.get("lamp")
        if isinstance(lamp, str) and names and lamp not in names:
            yield view.problem((*where, "lamp"), f"there is no lamp {quoted(lamp)}", did_you_mean(lamp, list(names)))


LANGUAGE = Language(
    name="relay",
    fragment=Path(__file__).with_name("language.json"),
    template=Path(__file__).with_name("template.yaml"),
    build=_build,
    service=_service,
    slis=catalogue(
        (
            *times("switch_time", "the time from a signal to its switched lamp", WAIT, once_a_task=True),
            *times("stuck_time", "the time for which a relay stuck", EXTREME),
        )
    ),
    faults=fault_table((FaultSpec(STICK, (STUCK,)),)),
    minutes=Minutes(
        counts={
            "enqueued": Kind.TASK_ENQUEUED,
            "done": Kind.TASK_DONE,
            "switched": SWITCHED,
            "stuck": STUCK,
            "released": RELEASED,
        },
        waiting=frozenset({TaskState.PENDING, TaskState.IN_PROGRESS}),
        workers=False,
    ),
    checks=(_lamps_of_faults,),
    names=_lamps,
    distributions=lambda scenario: [("relay", "travel")],
    struck=_struck,
    headline={"p95": "switch_time_p95"},
    words=lambda settings: settings.lamps,
    events=EVENTS,
)
