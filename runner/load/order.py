"""What a process is told before it makes load: the work, and how to go about it."""

import io
import pickle
import zlib
from enum import EnumType
from typing import Any, ClassVar

import msgspec

from soak.runner.load.shares import Share
from soak.schemas.errors import SoakError
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import use


class Order(msgspec.Struct, frozen=True):
    """The whole work: each process finds its part in it.

    system: of the scenario; scenario: `pack_scenario`. url: of the system, without a slash at the end. speed: scenario seconds
    per real second. secrets: by name. most_open: requests in flight at most, of one process. exchanges: `module:function` that
    makes an `exchange.Exchanges` of the scenario and this order. flush_real_s: how often a process tells what happened.
    """

    system: str
    scenario: bytes
    seed: int
    url: str
    speed: float = 1.0
    secrets: dict[str, str] = {}
    most_open: int = 4_000
    exchanges: str = ""
    timeout_real_s: float = 10.0
    max_body_bytes: int = 10_000_000
    verify_tls: bool = True
    flush_real_s: float = 0.1
    resumed_from_s: float = 0.0

    def read_scenario(self) -> Scenario:
        """Raises SoakError for what is not a scenario, UsageError for a system that is not here."""
        use(self.system)
        found = _Reader(io.BytesIO(zlib.decompress(self.scenario))).load()
        if not isinstance(found, Scenario):
            raise SoakError("the process was sent something else than a scenario (use the same version everywhere)")
        return found


class Part(msgspec.Struct, frozen=True):
    """What of it one process does: arrivals in these shares, users with these numbers."""

    index: int
    shares: list[Share]
    users: list[int]


def pack_scenario(scenario: Scenario) -> bytes:
    """A scenario as it is sent."""
    return zlib.compress(pickle.dumps(scenario, pickle.HIGHEST_PROTOCOL))


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
        ours = module.partition(".")[0] == "soak"
        if ours or (module, name) in self._beside:
            found = super().find_class(module, name)
            if isinstance(found, type) or (module, name) in self._beside:
                return found
        raise SoakError(f"the process was sent a {module}.{name}, which is not part of a scenario")


def _member(kind: Any, name: str) -> Any:
    """How some versions of Python write the member of an enumeration."""
    if isinstance(kind, EnumType):
        return kind[name]
    raise SoakError(f"the process was sent {name} of something else than an enumeration")
