"""Fault types of a system, and the faults of a scenario. Each system's room has a table of its types."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.language.distributions import Distribution
from soak.schemas.language.windows import Recurrence, Window
from soak.schemas.stream.events import Kind


class FaultSpec(Struct, frozen=True):
    """All that is known of a type of fault in one system.

    type: its word in a scenario. seen_by: the events by which it shows; they carry the fault's name. counts: what its rate is
    a share of; empty for a fault that has no rate, only times. always: without a rate it strikes all of them. outage: no state
    of the system can change. process: the process of the system that it takes away. transient: an attempt that meets it may be
    made again. dies: work in progress is lost with its worker. resubmits: work is
    submitted a second time. resumable: a real run that has it can be resumed. detected_by: the events by which the system or its
    client first notices it (empty: `seen_by`). ended_by: the events with which a window of it ends, if before the window does.
    need_not_show: an injection may pass without being seen.
    """

    type: str
    seen_by: tuple[Kind, ...]
    counts: str = ""
    always: bool = False
    outage: bool = False
    process: str = ""
    transient: bool = False
    dies: bool = False
    resubmits: bool = False
    resumable: bool = True
    detected_by: tuple[Kind, ...] = ()
    ended_by: tuple[Kind, ...] = (Kind.FAULT_CLEARED,)
    need_not_show: bool = False

    @property
    def by_time(self) -> bool:
        """Whether it affects the system at scheduled times, not single attempts."""
        return not self.counts


class Timed(Struct, frozen=True):
    """A fault at times of which the system itself knows more: its spec, when it takes place, and how many it strikes then."""

    spec: FaultSpec
    when: Recurrence
    strikes: Callable[[float], int]


AT_ONCE_S = 1e-6
"""The length of a window of what is over at once: it has one all the same, so that what it brings about falls into one."""

FaultTable: TypeAlias = Mapping[str, FaultSpec]


def fault_table(specs: Iterable[FaultSpec]) -> FaultTable:
    """Faults by type; those that every system has come with them."""
    return {str(spec.type): replace(spec, type=str(spec.type)) for spec in (*specs, LOSS)}


TELEMETRY_LOSS = "telemetry_loss"
LOSS = FaultSpec(TELEMETRY_LOSS, (Kind.SAMPLE_LOST,), resumable=False)
"""What can go wrong with the observation of any system."""


class Fault(Struct, frozen=True):
    """One fault: by rate, scheduled (`windows`), or by rate within its windows."""

    name: str
    spec: FaultSpec
    rate: float
    windows: tuple[Window, ...]
    errors: tuple[str, ...]
    hang_for_s: float
    delay: Distribution
    dependency: str = ""
    """The part of the system affected, by name; empty where a system has no such names."""
    retry_after_s: float = 0.0
    kinds: tuple[str, ...] = ()
    """The kinds of work that it strikes; empty: all."""
    strikes: tuple[int, ...] = ()
    """How many parts of the system it strikes in each of its windows; empty: one."""

    @property
    def type(self) -> str:
        """The type of a fault."""
        return self.spec.type

    @property
    def by_time(self) -> bool:
        """Whether it affects the system at scheduled times, not single attempts."""
        return self.spec.by_time

    def struck(self, windows: int) -> int:
        """How many parts of the system it is to strike in the first windows."""
        return sum(self.strikes[:windows]) if self.strikes else windows
