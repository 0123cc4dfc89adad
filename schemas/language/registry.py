"""The systems that a scenario can be of. Each has a room in every layer; this is where they are found, by name.

Ours are listed below; those of other packages are offered through the entry point group `soak.systems`, each a `System`.
Rooms are named as `module:object` and imported when they are first asked for, so that nobody pays for a system that a
scenario is not of, and one that is broken keeps no other from working.
"""

import importlib
import traceback
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct
from msgspec.structs import astuple, replace

from soak.schemas.errors import SoakError, UsageError, culprits, printable, reason

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from soak.schemas.language.room import Language
    from soak.schemas.language.slis import Sli

GROUP = "soak.systems"
T = TypeVar("T")


MEND = "fix the package that provides it, or remove it"
"""What to do about a broken system of another package."""


class BrokenSystemError(UsageError):
    """A system of another package that cannot be used: what is wrong with it, and what to do."""

    def __init__(self, system: str, what: str, remedy: str = MEND) -> None:
        super().__init__(f"system {system}: {what} ({remedy})")
        self.system, self.what, self.remedy = system, what, remedy

    def __reduce__(self) -> tuple[object, ...]:
        return BrokenSystemError, (self.system, self.what, self.remedy)


class System(Struct, frozen=True):
    """A registered system: for each layer the room that holds what it knows of it, as `module:object`.

    language: a `soak.schemas.language.room.Language`. model: a `soak.simulation.room.Room`. judge: a
    `soak.runner.judge.room.Room`. targets: a `soak.runner.targets.room.Room`. report: a `soak.reports.room.Room`.
    """

    name: str
    language: str
    model: str
    judge: str
    targets: str
    report: str


def _ours(name: str) -> System:
    return System(
        name,
        f"soak.schemas.systems.{name}.language:LANGUAGE",
        f"soak.simulation.{name}.room:ROOM",
        f"soak.runner.judge.{name}.room:ROOM",
        f"soak.runner.targets.{name}.room:ROOM",
        f"soak.reports.{name}.room:ROOM",
    )


OURS = {name: _ours(name) for name in ("queue", "calls", "pipeline", "gateway")}
"""The bundled systems."""


def names() -> list[str]:
    """Every system by name: ours, and those that other packages offer."""
    return [*OURS, *sorted({point.name for point in _points() if point.name not in OURS})]


@cache
def find(name: str) -> System:
    """The system of this name. Raises UsageError that says why it cannot be used."""
    if name in OURS:
        return OURS[name]
    points = [point for point in _points() if point.name == name]
    if not points:
        raise UsageError(f"there is no system {name!r} (there are: {', '.join(names())})")
    if len({point.value for point in points}) > 1:
        offered = ", ".join(sorted(point.value for point in points))
        raise BrokenSystemError(name, f"several packages offer it: {offered}", "remove all but one")
    return _load(points[0])


def _load(point: "EntryPoint") -> System:
    try:
        system = point.load()
    except (Exception, SystemExit) as error:
        raise BrokenSystemError(point.name, f"{point.value} cannot be loaded: {_words(error)}") from error
    if not isinstance(system, System):
        what = f"{point.value} is a {type(system).__name__}, not a {System.__module__}.System"
        raise BrokenSystemError(point.name, what)
    if system.name != point.name:
        raise BrokenSystemError(point.name, f"{point.value} calls itself {system.name!r}")
    _demand_types(system.name, system)
    return system


def _demand_types(name: str, offered: object) -> None:
    """Raises UsageError where what a package offers is not of the types that it is declared with."""
    from soak.schemas.language.typed import misfits

    for what in misfits(offered, type(offered), ""):
        raise BrokenSystemError(name, f"{type(offered).__name__}: {what}")


def _points() -> "Iterator[EntryPoint]":
    from importlib.metadata import entry_points  # takes as long as reading a scenario

    yield from entry_points(group=GROUP)


def _words(error: BaseException) -> str:
    """What somebody else's code failed with, in one line."""
    if isinstance(error, SoakError):
        return str(error)
    said = reason(error) if isinstance(error, OSError) else str(error)
    return printable(f"{type(error).__name__}: {said.partition(chr(10))[0]}".removesuffix(": "))


def room(system: System, reference: str, kind: type[T]) -> T:
    """What a reference of a system names. Raises UsageError when it is not there or not of its kind."""
    module, _, name = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:
        if system.name in OURS:
            raise
        raise BrokenSystemError(system.name, f"{reference} cannot be loaded: {_words(error)}") from error
    if not isinstance(found, kind):
        what = f"{reference} is a {type(found).__name__}, not a {kind.__module__}.{kind.__qualname__}"
        raise BrokenSystemError(system.name, what)
    return found


@cache
def language_of(name: str) -> "Language":
    """What a system adds to the language. Raises UsageError for one that is not there or is broken."""
    from soak.schemas.language.room import Language
    from soak.schemas.language.slis import EVERY_SYSTEM

    system = find(name)
    language = room(system, system.language, Language)
    if name in OURS:
        return language
    _demand_types(name, language)
    if language.name != name:
        raise BrokenSystemError(name, f"{system.language} calls itself {language.name!r}")
    missing = {sli.name: sli for sli in EVERY_SYSTEM if sli.name not in language.slis}
    return replace(language, slis={**language.slis, **missing})


def _whole(name: str) -> "Language":
    """A system's part of the language, checked, its events registered. Raises UsageError; then none of them stays."""
    from soak.schemas.language.schema import check
    from soak.schemas.stream.events import registration

    if name in known():
        return language_of(name)
    with registration():
        try:
            language = language_of(name)
            check(name)
            _register(language)
        except UsageError:
            raise
        except Exception as error:
            raise BrokenSystemError(name, f"its part of the language fails: {_words(error)}") from error
    return language


def _register(language: "Language") -> None:
    from soak.schemas.stream.events import register

    try:
        register(language.events)
    except ValueError as error:
        raise BrokenSystemError(language.name, str(error)) from None


def languages() -> tuple[list["Language"], list[str]]:
    """What each system adds to the language, and why of each that cannot be used."""
    found, broken = [], _taken_names()
    for name in names():
        try:
            found.append(_whole(name))
        except UsageError as error:
            broken.append(str(error))
    return found, broken


def _taken_names() -> list[str]:
    """Systems of other packages under a name of ours, which nobody can use."""
    what = "the name is that of a system of soak"
    return [f"system {p.name}: {p.value}: {what} ({MEND})" for p in _points() if p.name in OURS]


def catalogues() -> "dict[str, Mapping[str, Sli]]":
    """The built-in indicators of each system that can be used, by name."""
    return {language.name: language.slis for language in languages()[0]}


_in_use: list[str] = []
"""Systems of other packages that a scenario has named so far."""
_latest: list[str] = []
"""The one that was named last."""


def known() -> tuple[str, ...]:
    """Ours, and those of other packages that are in use."""
    return (*OURS, *_in_use)


def use(name: str) -> None:
    """Make a system of another package known to the language. Raises UsageError for one that is not there or is broken."""
    if name not in known():
        _whole(name)
        _in_use.append(name)
    _latest[:] = [name]


def use_all() -> list[str]:
    """Make every system that can be used known to the language; returns why of each that cannot."""
    broken = _taken_names()
    for name in names():
        try:
            use(name)
        except UsageError as error:
            broken.append(str(error))
    return broken


class Blame(Struct, frozen=True):
    """A failure of a system of another package: where, and with which words."""

    system: str
    what: str

    def __str__(self) -> str:
        return f"system {self.system}: {self.what}"


def _package(reference: str) -> str:
    """The package that a room is in; the module itself where it is in none, and `soak` for one of ours."""
    module = reference.partition(":")[0]
    return "soak" if module.startswith("soak.") else module.rpartition(".")[0] or module


def blame(error: BaseException) -> Blame | None:
    """Which system of another package raised an error; None if none did."""
    # A package may offer several: the one that was named last is the one at work.
    named = [*_in_use, *(name for name in _latest if name in _in_use)]
    owners = {_package(each): name for name in named for each in astuple(find(name))[1:]}
    owners.pop("soak", None)
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        module = str(frame.f_globals.get("__name__", ""))
        if name := next((owners[each] for each in owners if f"{module}.".startswith(f"{each}.")), None):
            return Blame(name, f"{module}:{line}: {_words(error)}")
    return None


def _culprit(error: BaseException) -> str:
    blamed = blame(error)
    return str(blamed) if blamed else ""


culprits.append(_culprit)
