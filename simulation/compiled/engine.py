"""Which engine simulates: SimPy, the reference, or a compiled model that gives the same events."""

from enum import StrEnum, unique

from msgspec import Struct


@unique
class Engine(StrEnum):
    """What carries a simulation."""

    AUTO = "auto"
    """Compiled where that can be had and covers the scenario, SimPy otherwise."""
    SIMPY = "simpy"
    COMPILED = "compiled"


class Ran(Struct, frozen=True):
    """The engine that ran, and in one line why not the other; empty where it was asked for by name."""

    engine: Engine
    why: str = ""
    missing: bool = False
    """Whether the other could have run on a machine that has what it needs."""
