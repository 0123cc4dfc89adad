"""Faults of a service: one of its processes is killed, what it stands on is gone, locked or slow."""

import math
import signal
import threading
import time
from concurrent.futures import Future

from msgspec import Struct

from soak.runner.targets.context import RunContext
from soak.runner.targets.gateway.watch import Watch
from soak.runner.targets.processes.actions import Actions
from soak.runner.targets.processes.ending import kill, send_all
from soak.runner.targets.processes.group import Happening, Seen
from soak.runner.targets.processes.identity import ProcessId, tree
from soak.runner.targets.processes.probes import Probed
from soak.runner.targets.processes.service import Service
from soak.runner.targets.processes.strikes import Asked, SqliteLock, Strike
from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.language.windows import Window
from soak.schemas.systems.gateway.faults import GatewayFault
from soak.schemas.systems.gateway.settings import gateway_of
from soak.schemas.target.model import Action, Program, TargetFile
from soak.schemas.target.templates import expand
from soak.simulation.plan import Plan

_SLOWER, _MUCH_SLOWER = 1.3, 2.0
"""By which factor the median request must be slower than before to show a slow database, and whatever else is gone."""

_ROUND_S = 0.05
_PROBED_EVERY_S = 0.5
_LOOK_AGAIN_S = 0.25


def why_not(fault: Fault, file: TargetFile | None) -> str:
    """Why a fault is not possible with a target file (None: without one); empty if it is."""
    if fault.type == TELEMETRY_LOSS:
        return ""
    if file is None:
        return "what answers at a URL cannot be struck from outside (describe the service in a target file)"
    if fault.type in file.faults:
        return ""
    outages = {each.outage for each in file.services}
    match fault.type:
        case GatewayFault.GATEWAY_KILL if not file.processes:
            return "the target file names no process to kill (add processes:, or faults: gateway_kill)"
        case GatewayFault.STORE_OUTAGE | GatewayFault.LOCK_OUTAGE if fault.type not in outages:
            return f"the target file has no service with outage: {fault.type} (add it, or faults: {fault.type})"
        case GatewayFault.STORE_SLOW if GatewayFault.STORE_OUTAGE not in outages:
            what = "only a database that is a service of the target file can be slowed down"
            return f"{what} (add outage: {GatewayFault.STORE_OUTAGE} to it, or faults: {fault.type})"
    return ""


class Struck(Struct, frozen=True):
    """What faults work on."""

    context: RunContext
    plan: Plan
    file: TargetFile
    service: Service
    actions: Actions
    watch: Watch


def strike_of(fault: Fault, window: Window, struck: Struck) -> Strike:
    """What a fault does: what the target file says, if it says so, or else what soak does itself."""
    if says := struck.file.faults.get(fault.type):
        return Locked(fault, window, struck, says.sqlite) if says.sqlite else ByAction(fault, window, struck)
    match fault.type:
        case GatewayFault.GATEWAY_KILL:
            return ProcessKill(fault, window, struck)
        case GatewayFault.STORE_SLOW:
            return Slow(fault, window, struck)
    return Outage(fault, window, struck)


class OfService(Strike):
    """Seen by requests that fail from then on."""

    def __init__(self, fault: Fault, window: Window, struck: Struck) -> None:
        super().__init__(fault, window, struck.context)
        self.on = struck
        self.struck_s = window.start_s
        self._before_s = math.nan

    def mark(self) -> None:
        """It strikes now."""
        self.struck_s, self._before_s = self.on.context.now(), self.on.watch.median_s()

    def shows(self) -> bool:
        """See `Strike`."""
        return self.on.watch.failed_within(self.struck_s, self.window.end_s + self._late_s) or self.slows(_MUCH_SLOWER)

    @property
    def _late_s(self) -> float:
        """For so long after its end a request may still fail by it."""
        return gateway_of(self.on.plan.scenario).timeout_s

    def slows(self, times: float) -> bool:
        """Whether the median request is slower than before by a factor."""
        # Of what is not a number, nothing is said.
        return self.on.watch.median_s(self.struck_s, self.window.end_s) >= times * self._before_s


class ByAction(OfService):
    """What the target file says: an action at the beginning, and one at the end."""

    def __init__(self, fault: Fault, window: Window, struck: Struck) -> None:
        super().__init__(fault, window, struck)
        self._says, self._asked = struck.file.faults[fault.type], Asked(struck.actions)

    def begin(self) -> bool:
        """See `Strike`."""
        assert self._says.begin
        if self.fault.type == GatewayFault.GATEWAY_KILL and self.on.file.processes:
            self.on.service.expected.setdefault(self.on.file.processes[0].name, self.cause)
        if not self._asked.begin(self._filled(self._says.begin)):
            return False
        self.mark()
        return True

    def _filled(self, action: Action) -> Action:
        return expand(action, {"for": f"{self.real_s:g}"})

    def end(self) -> None:
        """See `Strike`."""
        self._asked.end(self._filled(self._says.end) if self._says.end else None)


class Locked(OfService):
    """The write lock of an SQLite database, held by soak."""

    def __init__(self, fault: Fault, window: Window, struck: Struck, path: str) -> None:
        super().__init__(fault, window, struck)
        self._path, self._lock = path, SqliteLock()

    def begin(self) -> bool:
        """See `Strike`."""
        if not self._lock.begin(self._path):
            return False
        self.mark()
        return True

    def end(self) -> None:
        """See `Strike`."""
        self._lock.end()


class ProcessKill(OfService):
    """The first process of the target file is killed; the service itself, or soak, starts it again."""

    _struck: ProcessId | None = None
    _ended = False

    def begin(self) -> bool:
        """See `Strike`."""
        process, service = self.on.file.processes[0], self.on.service
        if (found := service.group.current(process.name)) is None:
            return False
        service.expected[process.name] = self.cause
        if not kill(found, process.kill):
            service.expected.pop(process.name)
            return False
        self._struck = found
        return True

    def may_end(self) -> bool:
        """See `Strike`."""
        return self._ended

    def saw(self, seen: Seen) -> None:
        """See `Strike`."""
        self._ended = self._ended or (seen.what is Happening.ENDED and seen.process == self._struck)


class Outage(OfService):
    """A service of the target file is killed, and started again at the end."""

    _gone: "Future[bool] | None" = None
    _back: "Future[str] | None" = None
    _probed: "Future[Probed] | None" = None
    _red = False
    _probed_at = 0.0

    @property
    def _program(self) -> Program:
        program = self.on.service.program(self.fault.type)
        assert program
        return program

    def begin(self) -> bool:
        """See `Strike`."""
        if self._gone is None:
            self.mark()
            self._gone = self.on.service.take_down(self._program, self.cause)
        if not self._gone.done():
            return False
        if not self._gone.result():
            self._gone = None
            self.on.service.was_not_taken_down(self._program)
            return False
        self.on.service.was_taken_down(self._program)
        return True

    def since_s(self, begun_s: float) -> float:
        """See `Strike`."""
        return self.struck_s

    def shows(self) -> bool:
        """See `Strike`: by requests, or by a probe of the service itself."""
        self._probe()
        return self._red or super().shows()

    def _probe(self) -> None:
        if self._probed is not None and self._probed.done():
            # One that ends after the service was started again says nothing.
            self._red = self._red or (self._back is None and not self._probed.result().green)
            self._probed = None
        now = time.monotonic()
        if self._probed is None and self._back is None and now - self._probed_at >= _PROBED_EVERY_S:
            self._probed_at = now
            self._probed = self.on.service.probe(self._program)

    def end(self) -> None:
        """See `Strike`."""
        self._back = self.on.service.bring_back(self._program)

    def goes_on(self) -> bool:
        """See `Strike`: it is being started."""
        if self._back is None or not self._back.done():
            return self._back is not None
        self.on.service.is_back(self._program, self._back.result())
        self._back = None
        return False


class Slow(OfService):
    """The processes of the database run for a part of the time only: stopped by a signal, and continued, again and again."""

    def __init__(self, fault: Fault, window: Window, struck: Struck) -> None:
        super().__init__(fault, window, struck)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._brake, name="slow", daemon=True)

    @property
    def _root(self) -> ProcessId | None:
        program = self.on.service.program(GatewayFault.STORE_OUTAGE)
        assert program
        return self.on.service.process(program)

    def begin(self) -> bool:
        """See `Strike`."""
        if self._root is None:
            return False
        self.mark()
        self._thread.start()
        return True

    def shows(self) -> bool:
        """See `Strike`: requests take longer."""
        return self.slows(_SLOWER)

    def end(self) -> None:
        """See `Strike`."""
        self._over.set()
        self._thread.join()

    def _brake(self) -> None:
        works_s = _ROUND_S / dict(gateway_of(self.on.plan.scenario).slow)[self.fault.name]
        processes, looked_s = list[ProcessId](), 0.0
        try:
            while not self._over.wait(works_s):
                if time.monotonic() - looked_s > _LOOK_AGAIN_S:
                    root, looked_s = self._root, time.monotonic()
                    processes = tree(root.pid) if root else []
                send_all(processes, signal.SIGSTOP)
                self._over.wait(_ROUND_S - works_s)
                send_all(processes, signal.SIGCONT)
        finally:
            send_all(processes, signal.SIGCONT)
