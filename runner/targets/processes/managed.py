"""One process under our supervisor: started, found, ready, ended."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from enum import StrEnum

from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ending import ask_to_stop, kill_session, kill_tree
from soak.runner.targets.processes.finding import AmbiguousError, find
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.launch import Child, Launcher, StartError
from soak.runner.targets.processes.notify import NotifySocket
from soak.runner.targets.processes.probes import Probed, Subject, probe
from soak.runner.targets.processes.watching import Ends
from soak.schemas.errors import OutputError
from soak.schemas.target.model import ProbeKind, Process

_LOOK_EVERY_S = 0.05
_SETTLED_S = 0.5
"""A process without a probe is ready when it has lived for so long."""


class State(StrEnum):
    """What is made of a process."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    ABANDONED = "abandoned"
    STOPPED = "stopped"


class Managed:
    """A process and all its starts. `id`: the one that runs now; of one that forks away, once it has been found."""

    def __init__(
        self,
        process: Process,
        waits: Sequence[str],
        start_timeout_s: float,
        launcher: Launcher,
        background: Background,
        ends: Ends,
        *,
        sweeps: bool = True,
    ) -> None:
        """sweeps: whether what it leaves behind in its session is ended when it has ended."""
        assert process.program is not None
        self._sweeps = sweeps
        self.process = process
        self.waits = waits
        self.state = State.WAITING
        self.id: ProcessId | None = None
        self.due_at = 0.0
        self.restarts = 0
        self.in_a_row = 0
        self.recent: list[float] = []
        """When it was restarted, in monotonic seconds."""
        self.was_ready = False
        self.asked_at: float | None = None
        self.killed = False
        self.trouble = ""
        """Why it was killed, or could not be started."""
        self._program = process.program
        within_s = process.ready.within_s if process.ready else None
        self._start_timeout_s = within_s or start_timeout_s
        self._launcher = launcher
        self._background = background
        self._ends = ends
        self._child: Child | None = None
        self._notify: NotifySocket | None = None
        self._failed_at: float | None = None
        self._started_at = self._looked_at = self._ready_at = 0.0
        self._asked: Future[Probed] | None = None

    def subject(self) -> Subject:
        """What its probes need to know."""
        log, start = (self._child.log, self._child.log_from) if self._child else (None, 0)
        environment = self._launcher.environment_of(self._program)
        folder, port = self._launcher.folder_of(self._program), self.process.port
        return Subject(log, start, self._notify, environment, folder, self.id, int(port) if port else None)

    def start(self) -> None:
        """Start it. What goes wrong is its end: see `end`."""
        self.trouble, self.killed, self._failed_at = "", False, None
        if self.was_started:
            self.restarts += 1
            self.recent.append(time.monotonic())
        self._started_at = time.monotonic()
        self.state = State.STARTING
        self._listen()
        try:
            self._child = self._launcher.start(self._program, self._notify.environment if self._notify else None)
        except (StartError, OutputError) as error:
            self._child, self.trouble, self._failed_at = None, str(error), time.time()
            return
        if self.process.find is None:
            self._found(self._child.id)

    @property
    def was_started(self) -> bool:
        """Whether it was started before."""
        return self._started_at > 0

    def _listen(self) -> None:
        if self._notify:
            self._notify.close()
        probes = (self.process.ready, self.process.live)
        wanted = any(each is not None and each.kind is ProbeKind.NOTIFY for each in probes)
        self._notify = NotifySocket(self._background) if wanted else None

    def _found(self, process: ProcessId) -> None:
        self.id = process
        self._ends.watch(process)

    def look_if_ready(self) -> bool:
        """Whether it has just become ready. Kills it where that took too long."""
        now = time.monotonic()
        if self._failed_at is not None or now < self._looked_at + _LOOK_EVERY_S:
            return False
        self._looked_at = now
        if self.id is None and self.process.find is not None:
            self._look_for_it()
        if self.id is not None and self._is_ready(now):
            self.state, self.was_ready, self._ready_at = State.READY, True, now
            return True
        if now - self._started_at > self._start_timeout_s:
            unfound = self.id is None and self.process.find is not None
            why = f": {self.trouble or 'it was not found (correct its find:)'}" if unfound else ""
            late = f"was not ready within {self._start_timeout_s:g} s{why}"
            self.kill(self.trouble if self.killed else late)
        return False

    def _look_for_it(self) -> None:
        """A process that its command left behind."""
        assert self.process.find
        try:
            found = find(self.process.find)
        except AmbiguousError as error:
            self.trouble = str(error)
            return
        if found:
            self._found(found)

    def _is_ready(self, now: float) -> bool:
        if self.process.ready is None:
            return now - self._started_at >= _SETTLED_S
        if self._asked is None:
            self._asked = self._background.submit(probe(self.process.ready, self.subject()))
        if not self._asked.done():
            return False
        said, self._asked = self._asked.result(), None
        return said.green

    def end(self) -> tuple[float, int | None] | None:
        """When it ended, in seconds since 1970, and with what; None while it runs, or is not there."""
        if self.state not in {State.STARTING, State.READY}:
            return None
        if self._failed_at is not None:
            return self._failed_at, None
        code = self._child.exit() if self._child else None
        if self.id is not None:
            at = self._ends.ended_at(self.id)
            own = self._child is not None and self._child.id == self.id
            return None if at is None or (own and code is None) else (at, code if own else None)
        # A command that forks away ends with 0, and what it left is found later; with anything else it failed.
        return (time.time(), code) if code else None

    def ready_for_s(self, now: float) -> float:
        """How long it was ready."""
        return now - self._ready_at if self.state is State.READY else 0.0

    def restart_after(self, wait_s: float) -> None:
        """It has ended: start it again later."""
        self.gone(State.WAITING)
        self.due_at = time.monotonic() + wait_s

    def gone(self, state: State) -> None:
        """It has ended. What it left in its session ends, too: the next one may need the same port."""
        if self._asked:
            self._asked.cancel()
        if self._child:
            if self._sweeps:
                kill_session(self._child.id.pid)
            self._child.exit()
        self.id, self._asked, self.state = None, None, state

    def last_words(self) -> str:
        """The last line of its output; empty without any."""
        return self._child.last_line() if self._child else ""

    def ask_to_stop(self) -> None:
        """Ask it to stop, as the target file says."""
        assert self.id
        self.asked_at = time.monotonic()
        environment, folder = self._launcher.environment_of(self._program), self._launcher.folder_of(self._program)
        if not ask_to_stop(self.id, self.process.stop, environment, folder):
            self.trouble = "could not be asked to stop"

    def kill(self, why: str) -> None:
        """Kill it with all that descends from it."""
        self.killed, self.trouble = True, why
        if self.id:
            kill_tree(self.id)
        elif self._child and self._child.exit() is None:
            kill_tree(self._child.id)
        elif self._failed_at is None:
            self._failed_at = time.time()

    def end_now(self) -> None:
        """Kill it, and listen to it no more."""
        if self.id or self._child:
            self.kill("the run is over")
        if self._child:
            self._child.wait(5.0)
        if self._notify:
            self._notify.close()
            self._notify = None
