"""The typed, frozen scenario, in base units."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.language.conditions import Alert, Combination, Condition, Objective
from soak.schemas.language.distributions import Distribution, ServiceTime
from soak.schemas.language.expression import Selector
from soak.schemas.language.faults import Fault
from soak.schemas.language.slis import Sli
from soak.schemas.language.trace import Trace
from soak.schemas.language.users import Users
from soak.schemas.language.windows import Window
from soak.schemas.stream.vocabulary import Label

if TYPE_CHECKING:
    from soak.schemas.language.check import Check, Step
    from soak.schemas.language.http import Http
    from soak.schemas.language.outlets import Export, Notify

T = TypeVar("T")


class Process(StrEnum):
    """How arrivals are spaced."""

    POISSON = "poisson"
    CONSTANT = "constant"


class Burst(Struct, frozen=True):
    """During the first `for_s` of every `every_s` the arrival rate is `rate_per_s`."""

    every_s: float
    for_s: float
    rate_per_s: float


class Piece(Struct, frozen=True):
    """A stretch of the run over which the arrival rate goes linearly `from_per_s` `to_per_s`; `burst`: in one of the bursts."""

    start_s: float
    end_s: float
    from_per_s: float
    to_per_s: float
    burst: bool = False


class Rhythm(Struct, frozen=True):
    """What comes at set times: `windows` in order, and their `period_s` (0: they do not come back)."""

    name: str
    windows: tuple[Window, ...]
    period_s: float


class Shape(Struct, frozen=True):
    """An arrival rate that changes: its `pieces`, one after the other from 0 to the end of arrivals.

    bursts: by name, those that never take place left out. cycles_s: after which a profile or repeated stages begin anew.
    cycle_s: after which the whole rate repeats itself; 0 if it does not within half of the run. stages_s: how long one round
    of the stages takes, longer than the run or not.
    """

    pieces: tuple[Piece, ...]
    bursts: tuple[Rhythm, ...] = ()
    cycles_s: tuple[float, ...] = ()
    cycle_s: float = 0.0
    stages_s: float = 0.0


class Scheduled(Struct, frozen=True):
    """`count` arrivals at each of `times_s`, beside the rate; `period_s` where they are evenly spaced, otherwise 0."""

    name: str
    count: int
    times_s: tuple[float, ...]
    period_s: float
    kind: str = ""


class Batch(Struct, frozen=True):
    """Sizes of batches: uniform whole numbers from `low` to `high`, or geometric from 1 with the mean `mean`."""

    low: int = 1
    high: int = 1
    geometric_mean: float | None = None

    @property
    def mean(self) -> float:
        """Tasks in a batch on average."""
        return (self.low + self.high) / 2 if self.geometric_mean is None else self.geometric_mean


class Exactly(Struct, frozen=True):
    """That `count` arrive from 0 to `until_s`, by the rate."""

    count: int
    until_s: float


class Tenant(Struct, frozen=True):
    """A tenant and its share of the arrivals."""

    name: str
    share: float


class TaskKind(Struct, frozen=True):
    """A kind of work: its share of the arrivals, and how long an attempt takes.

    own_service: whether that differs from the workload's. labels: names and values of further labels that follow from it.
    """

    name: str
    share: float
    service: Distribution
    own_service: bool
    labels: tuple[tuple[str, str], ...] = ()

    def has(self, wanted: Mapping[str, str]) -> bool:
        """Whether its labels are among the wanted values."""
        own = {"kind": self.name, **dict(self.labels)}
        return all(wanted.get(label, value) == value for label, value in own.items())


class Workload(Struct, frozen=True):
    """The load: `tasks` of them (None: for the whole duration), each attempt taking its `service` time.

    rate_per_s: the base rate, of a `shape` its mean. burst: the one burst of a constant base rate. batch: how many arrive at a
    time. exactly: the number of arrivals that is asked for, to which rate and shape are scaled. scheduled: those at set times.
    kinds: with any, `service` is that of a task of any kind: the mixture of theirs.
    trace: the file that arrivals are read from; `shape` is then its rate.
    users: of a closed workload; its rate is the most that they can submit (see `users.most_per_s`).
    """

    process: Process
    rate_per_s: float
    burst: Burst | None
    service: ServiceTime
    tenants: tuple[Tenant, ...]
    tasks: int | None = None
    shape: Shape | None = None
    batch: Batch | None = None
    exactly: Exactly | None = None
    scheduled: tuple[Scheduled, ...] = ()
    users: Users | None = None
    kinds: tuple[TaskKind, ...] = ()
    trace: Trace | None = None

    @property
    def is_plain(self) -> bool:
        """Whether a base rate, with one burst at most, says all about when work arrives."""
        return not (self.shape or self.batch or self.exactly or self.scheduled or self.users)

    @property
    def labels(self) -> tuple[Label, ...]:
        """Every combination of tenant and kind, in the order of their numbers in an event stream."""
        if not self.tenants and not self.kinds:
            return ()
        tenants = [tenant.name for tenant in self.tenants] or [""]
        kinds = [kind.name for kind in self.kinds] or [""]
        return tuple(Label(tenant, kind) for tenant in tenants for kind in kinds)

    def share_of(self, selector: Selector) -> float:
        """The share of the arrivals that labels select; phases are not looked at."""
        wanted = dict(selector)
        tenants = [each.share for each in self.tenants if wanted.get("tenant", each.name) == each.name]
        kinds = [each.share for each in self.kinds if each.has(wanted)]
        return (sum(tenants) if self.tenants else 1.0) * (sum(kinds) if self.kinds else 1.0)

    def share_struck(self, fault: Fault) -> float:
        """The share of the arrivals that are of the kinds of work that a fault strikes."""
        return sum(each.share for each in self.kinds if each.name in fault.kinds) if fault.kinds else 1.0


def fastest(workload: Workload) -> Workload:
    """The same workload; of a closed one, with the rate at which its users would submit if every task ended at once."""
    users = workload.users
    return replace(workload, rate_per_s=users.count / users.between_s) if users else workload


class Phase(Struct, frozen=True):
    """A named part of the run."""

    name: str
    window: Window


class Telemetry(Struct, frozen=True):
    """Settings of sampling and self-observation, in seconds."""

    sample_interval_s: float
    max_gap_s: float
    max_lag_s: float
    compress: str | None
    """How the event stream is compressed; None: not at all."""


class Scenario(Struct, frozen=True):
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
    notify: "tuple[Notify, ...]"
    exports: "tuple[Export, ...]"
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
    start: datetime | None = None
    """Date and time at scenario time 0, with its UTC offset; None: midnight of a Monday."""
    parts: tuple[Selector, ...] = ()
    """The labels of each part of the system by which its series can be selected."""
    checks: "tuple[Check, ...]" = ()
    teardown: "tuple[Step, ...]" = ()
    http: "Http | None" = None
    """What HTTP requests of real runs have in common; None where the scenario says nothing of it."""

    def settings(self, kind: type[T]) -> T:
        """What the scenario says of its system; `kind`: the settings of that system."""
        assert isinstance(self.system_settings, kind)
        return self.system_settings

    def judged(self, *, simulated: bool) -> "Scenario":
        """The scenario with the objectives by which a simulation, or a real run, is judged."""
        asked = tuple(each for each in self.objectives if not (simulated and each.only_real))
        checks = () if simulated else self.checks
        if len(asked) == len(self.objectives) and checks == self.checks:
            return self
        return replace(self, objectives=asked, checks=checks)

    @property
    def horizon_s(self) -> float:
        """The latest possible end of the run."""
        return self.duration_s + self.drain_s
