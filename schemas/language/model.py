"""The typed, frozen scenario, in base units."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from soak.schemas.language.conditions import Alert, Combination, Condition, Objective
from soak.schemas.language.distributions import Distribution
from soak.schemas.language.faults import Fault
from soak.schemas.language.outlets import Export, Notify
from soak.schemas.language.slis import Sli
from soak.schemas.language.windows import Window

T = TypeVar("T")


class Process(StrEnum):
    """How arrivals are spaced."""

    POISSON = "poisson"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class Burst:
    """During the first `for_s` of every `every_s` the arrival rate is `rate_per_s`."""

    every_s: float
    for_s: float
    rate_per_s: float


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant and its share of the arrivals."""

    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Workload:
    """The load: `tasks` of them (None: for the whole duration), each attempt taking its `service` time."""

    process: Process
    rate_per_s: float
    burst: Burst | None
    service: Distribution
    tenants: tuple[Tenant, ...]
    tasks: int | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """A named part of the run."""

    name: str
    window: Window


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Settings of sampling and self-observation, in seconds."""

    sample_interval_s: float
    max_gap_s: float
    max_lag_s: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario, checked."""

    name: str
    title: str
    description: str
    system: str
    duration_s: float
    drain_s: float
    warmup_s: float
    seed: int
    timezone: str
    preflight: tuple[str, ...]
    notify: tuple[Notify, ...]
    exports: tuple[Export, ...]
    workload: Workload
    phases: tuple[Phase, ...]
    system_settings: Any
    faults: tuple[Fault, ...]
    slis: dict[str, Sli]
    objectives: tuple[Objective, ...]
    strict: bool
    """Whether confidence intervals decide (`evidence: strict`), also where an objective asks for no confidence."""
    alerts: tuple[Alert, ...]
    aborts: tuple[Condition | Combination, ...]
    telemetry: Telemetry
    checkpoint_every_s: float
    repeat: int = 1

    def settings(self, kind: type[T]) -> T:
        """What the scenario says of its system; `kind`: the settings of that system."""
        assert isinstance(self.system_settings, kind)
        return self.system_settings

    @property
    def horizon_s(self) -> float:
        """The latest possible end of the run."""
        return self.duration_s + self.drain_s
