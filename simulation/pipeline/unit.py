"""A process as its supervisor sees it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from msgspec import Struct
from simpy import Environment, Event

from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.simulation.pipeline.restarts import Restarts
from soak.simulation.pipeline.stage import Stage


class Status(Enum):
    """What a process does. UP: it is healthy, unless it hangs."""

    STARTING = auto()
    UP = auto()
    DOWN = auto()


@dataclass(eq=False, slots=True)
class Hang:
    """A time for which a process is stopped."""

    cause: int
    until_s: float
    seen: bool = False


class Strike(Struct, frozen=True):
    """A fault that strikes a process as soon as it is there, if it is by then."""

    until_s: float
    strike: Callable[[], None]


@dataclass(eq=False, slots=True)
class Unit:
    """A process: its records (`stage`), and what its supervisor knows of it.

    cause: of its last end. hangs: those that hold it. lives: how often it was started, the first time included. gone: event
    that it ends. resumed: event that it goes on.
    """

    number: int
    stage: Stage
    restarts: Restarts
    gone: Event
    resumed: Event
    status: Status = Status.UP
    cause: int = NO_CAUSE
    hangs: list[Hang] = field(default_factory=list)
    lives: int = 1
    healthy_s: float = 0.0
    failed_probes: int = 0
    strikes: list[Strike] = field(default_factory=list)
    """Faults that found it down."""
    strike_again: int = NO_CAUSE
    """The cause of a kill that is to come during its next start."""

    @property
    def hangs_until_s(self) -> float:
        """Until when it is stopped; 0 if it is not."""
        return max((hang.until_s for hang in self.hangs), default=0.0)

    def new_life(self, env: Environment) -> None:
        """It starts again."""
        self.status, self.gone, self.resumed = Status.STARTING, env.event(), env.event()
        self.hangs.clear()
        self.lives += 1
        self.failed_probes = 0
