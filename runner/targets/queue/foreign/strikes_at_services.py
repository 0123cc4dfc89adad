"""Faults of what workers stand on: services, the network to them, their disks and their clock."""

import resource
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path

from soak.runner.console import remark
from soak.runner.targets.processes.ending import send_all
from soak.runner.targets.processes.identity import ProcessId, tree
from soak.runner.targets.processes.proxy import Proxy
from soak.runner.targets.queue.foreign.proxies import names_of
from soak.runner.targets.queue.foreign.strikes import OfTasks, Struck
from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.services import DATABASE
from soak.schemas.target.model import Program

_TRIES = 3
"""How often a service is started again that does not come up."""

_ROLES: Mapping[str, str] = {
    QueueFault.DB_OUTAGE: DATABASE,
    QueueFault.DISPATCHER_CRASH: "dispatcher",
    QueueFault.WATCHDOG_CRASH: "watchdog",
}
"""The role of the service that a fault strikes which names none."""

SURVIVES = "env --ignore-signal=XFSZ"
"""In front of a command: a file that may not grow is an error for it, and not its end (GNU coreutils 8.31)."""


class OfService(OfTasks):
    """Strikes a service of the target file."""

    def __init__(self, fault: Fault, window: Window, struck: Struck) -> None:
        super().__init__(fault, window, struck)
        services = struck.control.services
        name = self.at.service or _ROLES.get(fault.type, "")
        found = services.program(fault.type) or services.named(name)
        assert found is not None, "what names no service of the file is left out"
        self.program: Program = found

    @property
    def process(self) -> ProcessId | None:
        """Its process; None while it is down."""
        return self.on.control.services.process(self.program)

    @property
    def tree(self) -> list[ProcessId]:
        """Its process and all that descends from it."""
        return tree(self.process.pid) if self.process else []


class ServiceEnds(OfService):
    """A service is killed, or stopped as the target file says, and started again at the end."""

    _gone: "Future[bool] | None" = None
    _back: "Future[str] | None" = None
    _struck_s = 0.0
    _tries = 0

    def begin(self) -> bool:
        """See `Strike`."""
        services = self.on.control.services
        if self._gone is None:
            if self.process is None:
                return False
            self._struck_s = self.on.context.now()
            politely = self.fault.type == QueueFault.SERVICE_RESTART
            self._gone = services.take_down(self.program, self.cause, politely=politely)
        if not self._gone.done():
            return False
        if not self._gone.result():
            self._gone = None
            services.was_not_taken_down(self.program)
            return False
        services.was_taken_down(self.program)
        return True

    def since_s(self, begun_s: float) -> float:
        """See `Strike`."""
        return self._struck_s

    def shows(self) -> bool:
        """See `Strike`."""
        return True

    def end(self) -> None:
        """See `Strike`."""
        self._tries += 1
        self._back = self.on.control.services.bring_back(self.program)

    def goes_on(self) -> bool:
        """See `Strike`: it is being started."""
        if self._back is None or not self._back.done():
            return self._back is not None
        if (why := self._back.result()) and self._tries < _TRIES:
            self.end()
            return True
        self.on.control.services.is_back(self.program, why)
        self._back = None
        return False


class ServiceHangs(OfService):
    """SIGSTOP to a service and all that it started, and SIGCONT at its end."""

    _stopped: frozenset[ProcessId] = frozenset()

    def begin(self) -> bool:
        """See `Strike`."""
        while fresh := {*self.tree} - self._stopped:
            send_all(fresh, signal.SIGSTOP)
            self._stopped |= fresh
        return bool(self._stopped)

    def shows(self) -> bool:
        """See `Strike`."""
        return bool(self._stopped)

    def end(self) -> None:
        """See `Strike`."""
        send_all(self._stopped, signal.SIGCONT)


class DiskFull(OfService):
    """No file of a service can grow, as if its disk were full.

    A limit of processes (RLIMIT_FSIZE) needs no rights and no disk of its own.
    """

    def __init__(self, fault: Fault, window: Window, struck: Struck) -> None:
        super().__init__(fault, window, struck)
        self._limits: dict[ProcessId, tuple[int, int]] = {}
        self._told = False

    def begin(self) -> bool:
        """See `Strike`."""
        found = self.tree
        if mortal := [each for each in found if not _survives(each.pid)]:
            if not self._told:
                self._told = True
                what = f"process {mortal[0].pid} of {self.program.name} would be ended by a file that may not grow"
                remark(f"{what} (let it ignore SIGXFSZ, or say how its disk fills up in faults: {self.fault.type})")
            return False
        for each in found:
            for limits in _limited(each.pid, 0):
                self._limits[each] = limits
        return bool(self._limits)

    def shows(self) -> bool:
        """See `Strike`."""
        return bool(self._limits)

    def end(self) -> None:
        """See `Strike`."""
        for process, (soft, _) in self._limits.items():
            if process.is_alive():
                [*_limited(process.pid, soft)]


def _limited(pid: int, soft: int) -> Iterator[tuple[int, int]]:
    """Limit the size of files that a process writes; yields what the limits were, where that can be done."""
    try:
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, before[1]))
    except OSError:
        return
    yield before


def _survives(pid: int) -> bool:
    """Whether a process ignores SIGXFSZ, or handles it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigIgn:", "SigCgt:"))]
    return any(mask >> (signal.SIGXFSZ - 1) & 1 for mask in masks)


class OfNetwork(OfTasks):
    """Strikes a proxy; it is seen once that has held up anything."""

    _before = 0

    @property
    def proxy(self) -> Proxy:
        """The proxy that it strikes."""
        return self.on.proxies[self.fault.dependency]

    def shows(self) -> bool:
        """See `Strike`."""
        return self.proxy.struck > self._before


class NetworkCut(OfNetwork):
    """Nothing gets through."""

    def begin(self) -> bool:
        """See `Strike`."""
        self._before = self.proxy.struck
        self.proxy.cut(drops=self.at.drops)
        return True

    def end(self) -> None:
        """See `Strike`."""
        self.proxy.heal()


class NetworkDelay(OfNetwork):
    """All gets through later."""

    def begin(self) -> bool:
        """See `Strike`."""
        self._before = self.proxy.struck
        self.proxy.slow_down(self.on.context.clock.real(self.at.by_s))
        return True

    def end(self) -> None:
        """See `Strike`."""
        self.proxy.slow_down(0.0)


class ConnectionsEnd(OfNetwork):
    """The connections that there are, are closed."""

    @property
    def proxy(self) -> Proxy:
        """The proxy in front of the service."""
        names = names_of(self.at.service, self.on.file)
        return next(proxy for name, proxy in self.on.proxies.items() if name in names)

    def begin(self) -> bool:
        """See `Strike`: while there is none, it waits for one."""
        self._before = self.proxy.struck
        return bool(self.proxy.close_connections())


class ClockJump(OfTasks):
    """The clock of all programs is set forward."""

    def begin(self) -> bool:
        """See `Strike`."""
        assert self.on.clock is not None, "what has no clock of its own is left out"
        own = (self.on.file.faketime or 1.0) / self.on.context.clock.speed
        self.on.clock.jump(self.at.by_s * own)
        return True

    def shows(self) -> bool:
        """See `Strike`."""
        return True
