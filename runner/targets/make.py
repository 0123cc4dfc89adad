"""A target by what a user calls it: the simulation, a real target of a system, a target file, or a class of the user's own."""

from pathlib import Path

from soak.runner.linux import refuse_elsewhere
from soak.runner.load.options import Options
from soak.runner.targets.adapters import adapters, refuse_without
from soak.runner.targets.base import Loading, Target
from soak.runner.targets.room import named, room_of, target_names
from soak.schemas.errors import ScenarioError, UsageError, quoted
from soak.schemas.language.registry import OURS
from soak.schemas.language.registry import names as systems
from soak.schemas.stream.identity import target_now
from soak.schemas.target.load import SUFFIXES, LoadedTarget, load_target
from soak.schemas.target.options import Given
from soak.simulation.compiled.engine import Engine

SIMULATION = "simulation"
_SIMULATE = "run it on Linux, or leave out --target: a simulation runs anywhere"


def make_target(
    name: str,
    speed: float | None = None,
    patience_s: float | None = None,
    options: Given | None = None,
    engine: Engine | None = None,
) -> Target:
    """A target by name, by the path of a target file (which ends in .yaml or .yml), or an attached class.

    Raises UsageError, and ScenarioError with all problems of a target file. `speed` is for those that run on the real clock;
    `patience_s`, how long a call may take, for attached classes; `options` for target files, ours and others;
    `engine` for the simulation.
    """
    name = target_now(name)
    path = file_of(name)
    found = None if path or name == SIMULATION or ":" in name else named(name)
    if patience_s is not None and (path or found or name == SIMULATION):
        remedy = "remove it, or name a --target as package.module:Class"
        raise UsageError(f"--patience applies to attached classes only, not to {name} ({remedy})")
    if options and not path:
        raise UsageError(f"--option applies to target files and adapters, not to {name} (remove it)")
    if name == SIMULATION:
        from soak.runner.targets.simulation import Simulation

        if speed is not None:
            raise UsageError(
                "--speed applies to real targets only: a simulation has its own clock (remove it, or name a --target)"
            )
        return Simulation(engine)
    if engine not in {None, Engine.AUTO}:
        raise UsageError(f"--engine is for simulations, not for {name} (remove it)")
    refuse_elsewhere(f"--target {name}", _SIMULATE)
    if path:
        loaded = load_target(path, options)
        return from_file(loaded, _speed_of(loaded, speed), bundled=not is_file(name))
    return found.make(speed or 1.0) if found else _attached(name, speed or 1.0, patience_s)


def _speed_of(loaded: LoadedTarget, speed: float | None) -> float:
    """The speed of a run by a target file: that of its programs' clock, where it gives them one. Raises UsageError."""
    clock = loaded.file.faketime
    if clock is None:
        return speed or 1.0
    if speed is not None and speed != clock:
        what = f"--speed {speed:g}: the clock of {loaded.file.name} runs {clock:g} times as fast"
        raise UsageError(f"{what}, and the run with it (leave out --speed)")
    return clock


def file_of(name: str) -> Path | None:
    """The target file that a target is called by, or the one of an adapter; None for any other target."""
    if is_file(name):
        return Path(name)
    return None if ":" in name else adapters().get(name)


def have_load_made(target: Target, load: Options | None) -> None:
    """Say how the load of a target is made; None: by default. Raises UsageError for one that makes no HTTP load."""
    if load is None:
        return
    if not isinstance(target, Loading):
        what = f"--processes and --locust-master are for targets that are sent HTTP requests, not for {target.name}"
        raise UsageError(f"{what} (remove them)")
    target.load = load


def is_file(name: str) -> bool:
    """Whether a target is called by the path of its file."""
    return name.endswith(SUFFIXES)


def from_file(loaded: LoadedTarget, speed: float, *, bundled: bool = False) -> Target:
    """The target that a target file describes; `bundled`: whether it is ours. Raises ScenarioError
    where no system takes it, UsageError for modules that it needs and that are not installed.
    """
    name, wanted = loaded.file.name, loaded.file.system
    if name in (SIMULATION, *target_names()):
        what = f"{quoted(name)} is a target of soak"
        raise ScenarioError([loaded.document.problem(("name",), what, "give this one another name")])
    takers = {system: make for system in systems() if (make := room_of(system).from_file)}
    if not takers:
        what = "no system is described by a target file"
        raise ScenarioError([loaded.document.problem((), what, "install one that is")])
    if wanted is not None and wanted not in takers:
        what = f"target files do not describe the system {quoted(wanted)}"
        remedy = f"they describe {', '.join(takers)}; {room_of(wanted).advice or 'leave out --target to simulate it'}"
        raise ScenarioError([loaded.document.problem(("system",), what, remedy)])
    target = takers[wanted or _told(loaded, list(takers))](loaded, speed, bundled)
    refuse_without(loaded)
    return target


def system_of_file(loaded: LoadedTarget) -> str:
    """The system of a target file, by its word or by its keys."""
    return loaded.file.system or _told(loaded, [each for each in systems() if room_of(each).from_file])


def _told(loaded: LoadedTarget, takers: list[str]) -> str:
    """The system of a target file that names none, by its keys."""
    keys: dict[str | None, str] = {}
    for system in takers:
        keys.setdefault(room_of(system).told_by, system)
    said = [system for key, system in keys.items() if key is not None and (key,) in loaded.document.keys]
    return said[0] if said else keys.get(None, takers[0])


def _attached(name: str, speed: float, patience_s: float | None) -> Target:
    from soak.runner.targets.locate import find_class

    kind = find_class(name, (SIMULATION, *target_names(), *adapters()))
    for system in OURS:
        if attach := room_of(system).attach:
            return attach(name, kind, speed, patience_s)
    raise UsageError(f"{name}: no system can be attached (name a --target)")


def can_go_on(name: str) -> bool:
    """Whether a run against the target of this name can be resumed."""
    found = named(target_now(name)) if ":" not in name else None
    return found is not None and found.resumable
