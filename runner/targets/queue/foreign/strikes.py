"""What faults work on, and those that strike workers of a task system at a time, or that the target file brings about."""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from soak.runner.targets.context import RunContext
from soak.runner.targets.processes.actions import Actions
from soak.runner.targets.processes.group import Happening, Seen
from soak.runner.targets.processes.identity import ProcessId, stat
from soak.runner.targets.processes.proxy import Proxy
from soak.runner.targets.processes.strikes import Asked, SqliteLock, Strike
from soak.runner.targets.queue.foreign.control import Control
from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.faults import ENDS_A_SERVICE, QueueFault
from soak.schemas.systems.queue.fleet import Strike as Planned
from soak.schemas.systems.queue.services import AtService
from soak.schemas.systems.queue.settings import Queue, queue_of
from soak.schemas.target.model import Action, TargetFile
from soak.schemas.target.templates import expand


class Clock(Protocol):
    """The clock of the programs, where it is not ours."""

    def jump(self, by_s: float) -> None:
        """Set it forward, at once, by so much of its own time."""


class Struck(Struct, frozen=True):
    """What faults work on. clock: that of the programs, None where they have ours. proxies: by name, those in between."""

    context: RunContext
    file: TargetFile
    control: Control
    actions: Actions
    proxies: Mapping[str, Proxy]
    clock: Clock | None = None

    @property
    def queue(self) -> Queue:
        """The settings of the scenario."""
        return queue_of(self.context.plan.scenario)


class OfTasks(Strike):
    """A fault of a task system."""

    def __init__(self, fault: Fault, window: Window, struck: Struck) -> None:
        super().__init__(fault, window, struck.context)
        self.on = struck

    @property
    def at(self) -> AtService:
        """What it strikes that is of no worker."""
        return self.on.queue.at_services.get(self.fault.name, AtService())


class OfWorkers(OfTasks):
    """Strikes the workers with the lowest numbers that are up."""

    def __init__(self, fault: Fault, window: Window, struck: Struck) -> None:
        super().__init__(fault, window, struck)
        self.planned: Planned = struck.queue.fleet.strikes[fault.name]
        self.names: list[str] = []

    def begin(self) -> bool:
        """See `Strike`."""
        numbers = {name: number for number, name in enumerate(self.on.control.names())}
        up = [name for name in numbers if self.on.control.process(name)]
        self.names = [name for name in up[: self.planned.workers] if self.strike(name)]
        self.hits = tuple(numbers[name] for name in self.names)
        return bool(self.names)

    def strike(self, name: str) -> bool:
        """Strike one; whether that could be done."""
        raise NotImplementedError


class WorkersEnd(OfWorkers):
    """Workers are killed, or asked to stop; soak or the system starts them again. It has ended when they are back."""

    def __init__(self, fault: Fault, window: Window, struck: Struck) -> None:
        super().__init__(fault, window, struck)
        self._away: dict[str, ProcessId | None] = {}
        self._kills = fault.type in {QueueFault.WORKER_KILL, QueueFault.WORKER_CRASH}

    def strike(self, name: str) -> bool:
        """See `OfWorkers`."""
        control, back_s = self.on.control, self.on.context.clock.real(self.planned.restart_s)
        process = control.process(name)
        done = (control.kill if self._kills else control.terminate)(name, self.cause, back_s)
        if done:
            self._away[name] = process
        return done

    def saw(self, seen: Seen) -> None:
        """See `Strike`."""
        ended = seen.what is Happening.ENDED and seen.process == self._away.get(seen.name)
        over = not self.on.control.restarts and ended
        if over or (seen.what is Happening.STARTED and seen.process != self._away.get(seen.name)):
            self._away.pop(seen.name, None)

    def may_end(self) -> bool:
        """See `Strike`."""
        return not self._away


class OneByOne(WorkersEnd):
    """All workers are asked to stop, the next one when the one before is back, and no sooner than it may be."""

    _left: list[str] | None = None
    _next_s = 0.0

    def begin(self) -> bool:
        """See `Strike`."""
        if self._left is None:
            self._left = self.on.control.names()
        return self._one()

    def _one(self) -> bool:
        assert self._left is not None
        numbers = {name: number for number, name in enumerate(self.on.control.names())}
        up = next((name for name in self._left if self.on.control.process(name)), None)
        if up is None or not self.strike(up):
            return False
        self._left.remove(up)
        self.hits = (numbers[up],)
        self._next_s = self.on.context.now() + self.planned.each_s
        return True

    def may_end(self) -> bool:
        """See `Strike`: the next one is struck, if there is any."""
        if self._left and not self._away and self.on.context.now() >= self._next_s and self._one():
            self.on.context.note(self.on.context.now(), Kind.FAULT_INJECTED, worker=self.hits[0], cause=self.cause)
        return not self._left and not self._away


class WorkersHang(OfWorkers):
    """SIGSTOP to workers and all that they started, and SIGCONT at its end."""

    def strike(self, name: str) -> bool:
        """See `OfWorkers`."""
        return self.on.control.pause(name)

    def shows(self) -> bool:
        """See `Strike`: the kernel says that it is stopped."""
        processes = [process for name in self.names if (process := self.on.control.process(name))]
        return any(state.stopped for each in processes if (state := stat(each.pid)))

    def end(self) -> None:
        """See `Strike`."""
        for name in self.names:
            self.on.control.wake(name)


class WorkersSlow(OfWorkers):
    """What workers begin takes longer: the ledger asks for it."""

    def strike(self, name: str) -> bool:
        """See `OfWorkers`."""
        self.on.control.slowed.setdefault(name, []).append((self.planned.factor, self.cause))
        return True

    def shows(self) -> bool:
        """Of each attempt that was slowed down, the ledger notes it."""
        return False

    def end(self) -> None:
        """See `Strike`."""
        for name in self.names:
            self.on.control.slowed[name].remove((self.planned.factor, self.cause))


class ByAction(OfTasks):
    """What the target file says: an action at the beginning, and one at the end."""

    def __init__(self, fault: Fault, window: Window, struck: Struck) -> None:
        super().__init__(fault, window, struck)
        self._says, self._asked = struck.file.faults[fault.type], Asked(struck.actions)
        self._ends = fault.type in ENDS_A_SERVICE

    def begin(self) -> bool:
        """See `Strike`."""
        assert self._says.begin
        if not self._asked.begin(self._filled(self._says.begin)):
            return False
        self._note(Kind.PROCESS_EXITED, self.cause)
        return True

    def shows(self) -> bool:
        """See `Strike`: it is done."""
        return self._asked.done

    def end(self) -> None:
        """See `Strike`."""
        self._asked.end(self._filled(self._says.end) if self._says.end else None)
        self._note(Kind.PROCESS_STARTED, NO_CAUSE)

    def _note(self, kind: Kind, cause: int) -> None:
        """The end of a service that soak does not start itself."""
        if self._ends:
            self.on.context.note_process(self.on.context.now(), kind, self.at.service, cause=cause)

    def _filled(self, action: Action) -> Action:
        return expand(action, {"for": f"{self.real_s:g}", "process": self.at.what})


class Locked(OfTasks):
    """The write lock of an SQLite database, held by soak."""

    def __init__(self, fault: Fault, window: Window, struck: Struck, path: str) -> None:
        super().__init__(fault, window, struck)
        self._path, self._lock = path, SqliteLock()
        self._held = False

    def begin(self) -> bool:
        """See `Strike`."""
        self._held = self._lock.begin(self._path)
        return self._held

    def shows(self) -> bool:
        """See `Strike`: nobody else can write while it is held."""
        return self._held

    def end(self) -> None:
        """See `Strike`."""
        self._lock.end()
