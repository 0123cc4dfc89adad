"""The processes of a run, kept alive by a supervisor of their own (`theirs`), or by soak (`ours`)."""

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Mapping
from enum import Enum, auto

from msgspec import Struct

from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.prepared import Prepared
from soak.runner.targets.processes.starting import Programs
from soak.runner.targets.processes.supervising import Policy
from soak.schemas.target.model import Process, TargetFile

SUPERVISOR = "supervisor"


class Happening(Enum):
    """What was seen of a process."""

    STARTED = auto()
    HEALTHY = auto()
    ENDED = auto()
    ABANDONED = auto()
    GREEN = auto()
    RED = auto()


class Seen(Struct, frozen=True):
    """Something that happened to a process of this name, at a time in seconds since 1970. exit: its status, where it is known."""

    at: float
    name: str
    what: Happening
    process: ProcessId | None = None
    reason: str = ""
    began: float | None = None
    """Of a probe: when it was begun."""
    exit: int | None = None


def last_reason(seen: Iterable[Seen], name: str) -> str:
    """Why a process is not ready: how it ended last, or else what its last probe says; empty if nothing does."""
    reasons = [each for each in seen if each.name == name and each.reason]
    # That a process is down, a probe says of every one that has ended.
    ends = [each for each in reasons if each.what is not Happening.RED] or reasons
    return ends[-1].reason if ends else ""


class Group(ABC):
    """Starts the processes and all that they need, follows them, and stops them. `poll` often; it never waits."""

    def __init__(self, prepared: Prepared, background: Background, policy: Policy, names: Container[str]) -> None:
        """`policy`: how soak keeps processes alive, and how soon all are ready; `names`: of those that are wanted."""
        self._prepared, self._background, self._policy = prepared, background, policy
        self.file: TargetFile = prepared.file
        self.processes: Mapping[str, Process] = {each.name: each for each in self.file.processes if each.name in names}
        self.programs = Programs(prepared.launcher, background)
        self.seen: list[Seen] = []

    @abstractmethod
    def start(self) -> None:
        """Start everything, and wait until it is ready. Raises StartError, which says why not."""

    @abstractmethod
    def current(self, name: str) -> ProcessId | None:
        """The process of a name; None while it is down."""

    @abstractmethod
    def poll(self) -> list[Seen]:
        """What happened since the last call, in time order."""

    @abstractmethod
    def probes_from(self, epoch: float) -> None:
        """Make health rounds from now on, the first one an interval after `epoch` (monotonic seconds)."""

    @abstractmethod
    def stop(self) -> None:
        """Begin the shutdown."""

    @property
    @abstractmethod
    def is_stopped(self) -> bool:
        """Whether the shutdown is over."""

    @abstractmethod
    def end_now(self) -> None:
        """Kill what is left of it."""

    def cannot_go_on(self) -> str:
        """Which program that it needs has ended, in words; empty if all run. A supervisor of theirs is under test itself."""
        return next((why for name, why in self.programs.gone().items() if name != SUPERVISOR), "")

    def ids(self) -> dict[str, ProcessId]:
        """The processes that run now."""
        return {name: each for name in self.processes if (each := self.current(name)) is not None}

    def taken(self) -> list[Seen]:
        """What was noted so far, in time order."""
        found, self.seen = sorted(self.seen, key=lambda each: each.at), []
        return found
