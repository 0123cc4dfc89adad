"""A target by what a user calls it: the simulation, a real target of a system, or a class of the user's own."""

from soak.runner.linux import refuse_elsewhere
from soak.runner.targets.base import Target
from soak.runner.targets.room import named, room_of, target_names
from soak.schemas.errors import UsageError
from soak.schemas.language.registry import OURS
from soak.schemas.stream.identity import target_now

SIMULATION = "simulation"
_SIMULATE = "run it on Linux, or leave out --target: a simulation runs anywhere"


def make_target(name: str, speed: float | None = None, patience_s: float | None = None) -> Target:
    """A target by name, or an attached class. Raises UsageError.

    `speed` is for those that run on the real clock; `patience_s`, how long a call may take, for attached classes.
    """
    name = target_now(name)
    found = None if name == SIMULATION or ":" in name else named(name)
    if patience_s is not None and (found or name == SIMULATION):
        remedy = "remove it, or name a --target as package.module:Class"
        raise UsageError(f"--patience applies to attached classes only, not to {name} ({remedy})")
    if name == SIMULATION:
        from soak.runner.targets.simulation import Simulation

        if speed is not None:
            raise UsageError(
                "--speed applies to real targets only: a simulation has its own clock (remove it, or name a --target)"
            )
        return Simulation()
    refuse_elsewhere(f"--target {name}", _SIMULATE)
    return found.make(speed or 1.0) if found else _attached(name, speed or 1.0, patience_s)


def _attached(name: str, speed: float, patience_s: float | None) -> Target:
    from soak.runner.targets.locate import find_class

    kind = find_class(name, (SIMULATION, *target_names()))
    for system in OURS:
        if attach := room_of(system).attach:
            return attach(name, kind, speed, patience_s)
    raise UsageError(f"{name}: no system can be attached (name a --target)")


def can_go_on(name: str) -> bool:
    """Whether a run against the target of this name can be resumed."""
    found = named(target_now(name)) if ":" not in name else None
    return found is not None and found.resumable
