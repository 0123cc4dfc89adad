"""What a process is told before it makes load: the work, and how to go about it."""

import io
import pickle
import zlib
from collections.abc import Mapping
from enum import EnumType
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from soak.runner.http import Inputs
from soak.runner.load.shares import Share
from soak.schemas.errors import SoakError
from soak.schemas.language.http import Exchange, Http
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import use
from soak.simulation.plan import Plan

MOST_OPEN = 4_000
"""Requests in flight at most, of one process: with more, it is the process that cannot keep up."""


class Work(Struct, frozen=True):
    """A scenario, and what is sent for each kind of work (an empty name where there are none)."""

    scenario: Scenario
    exchanges: Mapping[str, Exchange]

    @property
    def http(self) -> Http:
        """What requests have in common."""
        return self.scenario.http or Http()


class Order(msgspec.Struct, frozen=True):
    """The whole work: each process finds its part in it. It holds secrets: it travels between processes and nowhere else.

    system: of the scenario; work: a packed `Work`. url: of the service. speed: scenario seconds per real second. inputs: as data.
    most_open: requests in flight at most, of one process. flush_real_s: how often a process tells what happened.
    """

    system: str
    work: bytes
    seed: int
    url: str
    speed: float
    inputs: dict[str, Any]
    most_open: int = MOST_OPEN
    flush_real_s: float = 0.1

    def read(self) -> Work:
        """Raises SoakError for what is not such work, UsageError for a system that is not here."""
        use(self.system)
        found = _Reader(io.BytesIO(zlib.decompress(self.work))).load()
        if not isinstance(found, Work):
            raise SoakError("the process was sent something else than a scenario (use the same version everywhere)")
        return found


def make_order(
    plan: Plan,
    exchanges: Mapping[str, Exchange],
    *,
    url: str,
    speed: float = 1.0,
    inputs: Inputs | None = None,
    most_open: int = MOST_OPEN,
) -> Order:
    """The order for a plan. exchanges: by kind of work, with an empty name where there are no kinds."""
    scenario = plan.scenario
    packed = zlib.compress(pickle.dumps(Work(scenario, dict(exchanges)), pickle.HIGHEST_PROTOCOL))
    data = (inputs or Inputs()).as_data()
    return Order(scenario.system, packed, plan.seed, url, speed, data, most_open)


class Part(msgspec.Struct, frozen=True):
    """What of it one process does: arrivals in these shares, users with these numbers."""

    index: int
    shares: list[Share]
    users: list[int]


class _Reader(pickle.Unpickler):
    """Makes nothing but what scenarios are made of: what comes over a network must not call anything else."""

    _beside: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        [
            ("builtins", "frozenset"),
            ("builtins", "set"),
            ("datetime", "datetime"),
            ("datetime", "timedelta"),
            ("datetime", "timezone"),
            ("pathlib", "PosixPath"),
            ("soak.schemas.stream.events", "kind_named"),
        ]
    )

    def find_class(self, module: str, name: str) -> Any:
        """Raises SoakError for what is not part of a scenario."""
        if (module, name) == ("builtins", "getattr"):
            return _member
        if (module, name) in self._beside:
            return super().find_class(module, name)
        if module.startswith("soak.schemas.") or (module, name) == (Work.__module__, Work.__name__):
            found = super().find_class(module, name)
            # What a module has only imported is not of the scenario.
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise SoakError(f"the process was sent a {module}.{name}, which is not part of a scenario")


def _member(kind: Any, name: str) -> Any:
    """How some versions of Python write the member of an enumeration."""
    if isinstance(kind, EnumType):
        return kind[name]
    raise SoakError(f"the process was sent {name} of something else than an enumeration")
