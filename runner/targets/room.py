"""What the runner knows of a system's real targets, and what they need of the machine."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from soak.runner.targets.base import Target
from soak.runner.targets.profiling import MakeProfiling
from soak.runner.targets.trials import MakeTrials, Trials
from soak.schemas.errors import UsageError
from soak.schemas.language.registry import OURS, find, names, room
from soak.schemas.target.load import LoadedTarget
from soak.simulation.plan import Plan

if TYPE_CHECKING:
    from soak.contract import Queue, System


class Named(Struct, frozen=True):
    """A target that a user calls by its name.

    make: constructs it for a speed-up factor. resumable: a run of it can go on. trials: of its planted defects, for
    `soak selftest`; None where it has none.
    """

    name: str
    make: Callable[[float], Target]
    resumable: bool = False
    trials: MakeTrials | None = None

    def __post_init__(self) -> None:
        if self.name in _OF_ANY or ":" in self.name:
            raise ValueError(f"a target cannot be called {self.name!r}")


_OF_ANY = frozenset({"simulation"})
"""Targets that run scenarios of any system."""


class Need(Struct, frozen=True):
    """How many open files and threads a run takes of the machine, and for whom; 0: no more than any program."""

    open_files: int = 0
    threads: int = 0
    who: str = ""


def _none(plan: Plan) -> tuple[()]:
    return ()


class Room(Struct, frozen=True):
    """A system's real targets.

    named: those that have a name. attach: makes a target of a class of a user's own (its name, the class, speed-up factor,
    patience in real seconds or None); None where there is no such thing. from_file: makes a target (`base.FromFile`) of what a
    target file says, for a speed-up factor and whether it is one of ours, or raises ScenarioError; None where target files do
    not describe the system. told_by: the key by which a target file that names no system is of this one; None: it is where it has
    no such key. files_resumable: whether a run of a target file can go on. profiling: how a target file is checked by a run;
    None: by starting what it describes. needs: what a run takes of the machine. advice: what to write after `run it with` in a
    message.
    """

    named: Sequence[Named] = ()
    attach: Callable[[str, "type[Queue] | type[System]", float, float | None], Target] | None = None
    from_file: Callable[[LoadedTarget, float, bool], Target] | None = None
    told_by: str | None = None
    files_resumable: bool = True
    profiling: MakeProfiling | None = None
    needs: Callable[[Plan], Iterable[Need]] = _none
    advice: str = ""


@cache
def room_of(system: str) -> Room:
    """The room of a system. Raises UsageError for one that is not there or is broken."""
    found = find(system)
    return room(found, found.targets, Room)


def named(name: str) -> Named | None:
    """The target of this name, of whatever system: ours first. None when no system that works has it."""
    return next((each for _, each in _each_named() if each.name == name), None)


def system_of(name: str) -> str | None:
    """The system that a target of this name runs; None for the simulation, a class, and a name that no system has."""
    if name in _OF_ANY or ":" in name:
        return None
    return next((system for system, each in _each_named() if each.name == name), None)


def target_names() -> list[str]:
    """The names of all real targets of the bundled systems."""
    return [each.name for system in OURS for each in room_of(system).named]


def trials_of(name: str) -> Trials:
    """The trials of the target of this name. Raises UsageError where it has none."""
    having = {each.name: each.trials for system in OURS for each in room_of(system).named if each.trials}
    if not (make := having.get(name)):
        raise UsageError(f"target {name} has no planted defects (write --target {' or '.join(having)})")
    return make()


def _each_named() -> Iterable[tuple[str, Named]]:
    """Each target with a name and its system. Other packages are looked at after all of ours."""
    for system in OURS:
        yield from ((system, each) for each in room_of(system).named)
    for system in names():
        # One that is broken keeps no other from working; who names it is told why.
        with suppress(UsageError):
            yield from ((system, each) for each in room_of(system).named if system not in OURS)
