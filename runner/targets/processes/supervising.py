"""Our supervisor of a user's processes: starts them in order, restarts those that end, gives up, and stops them in order."""

import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.launch import Launcher
from soak.runner.targets.processes.managed import Managed, State
from soak.runner.targets.processes.probes import Subject
from soak.runner.targets.processes.rounds import Round, Rounds
from soak.runner.targets.processes.watching import Ends
from soak.schemas.target.model import Process
from soak.schemas.target.order import start_order


class When(StrEnum):
    """After which ends a process is started again."""

    ALWAYS = "always"
    FAILURE = "failure"
    NEVER = "never"


class Policy(Struct, frozen=True):
    """How processes are kept alive; all times in real seconds.

    backoff_s: from the end that was noticed to restart n in a row, n from 1; the row ends after reset_after_s of being ready.
    max_restarts: with more of them within within_s the process is given up. start_timeout_s: a process that is not ready by
    then is killed, which counts as a failure. unhealthy_after: red probes in a row after which it is killed; None: never.
    sweeps: whether what a process leaves behind in its session is ended before it is started again. tries: how often a process
    may end, before the run, without having been ready; None: as often as within start_timeout_s.
    """

    when: When
    backoff_s: Callable[[int], float]
    max_restarts: int
    within_s: float
    reset_after_s: float
    start_timeout_s: float
    health_every_s: float
    grace_s: float
    order: Sequence[str]
    unhealthy_after: int | None = None
    sweeps: bool = True
    tries: int | None = None


class What(StrEnum):
    """What the supervisor reports."""

    STARTED = "started"
    READY = "ready"
    EXITED = "exited"
    ABANDONED = "abandoned"
    PROBED = "probed"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Report(Struct, frozen=True):
    """Something that happened, at a time in seconds since 1970.

    exit: of an end, what it exited with (below 0: the signal; None: not known). count: restarts of this process so far.
    backoff_s: until the restart that follows; None: none follows. green, reason: of a probe, or why a start failed. STOPPING is
    of all (empty name) when the shutdown begins, and of each process when it is asked to stop; STOPPED: `green` if in time.
    """

    at: float
    what: What
    name: str
    process: ProcessId | None = None
    exit: int | None = None
    count: int = 0
    backoff_s: float | None = None
    green: bool = False
    reason: str = ""


class Supervisor:
    """Keeps processes alive. Call `poll` often (every 20 ms): it never waits, but for a command that stops a process.

    on: called with each report, in `poll`, in the thread that calls it. epoch: of the health rounds, in monotonic seconds.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        policy: Policy,
        launcher: Launcher,
        background: Background,
        on: Callable[[Report], None],
        epoch: float | None = None,
    ) -> None:
        self._policy = policy
        self._on = on
        ends = Ends(background)
        names = {each.name for each in processes}
        waits = {
            each.name: [name for name in (each.program.after if each.program else ()) if name in names]
            for each in processes
        }
        by_name = {each.name: each for each in processes}
        self._managed: Mapping[str, Managed] = {
            name: Managed(
                by_name[name], waits[name], policy.start_timeout_s, launcher, background, ends, sweeps=policy.sweeps
            )
            for name in start_order(waits)
        }
        self._background = background
        self.rounds_from(time.monotonic() if epoch is None else epoch)
        self._stopping: list[str] | None = None
        self._red: dict[str, int] = {}

    def rounds_from(self, epoch: float) -> None:
        """Make health rounds at multiples of their interval after `epoch`, in monotonic seconds."""
        self._rounds = Rounds(
            self._background,
            {name: each.process.live for name, each in self._managed.items()},
            self._policy.health_every_s,
            epoch,
            self.current,
            self.subject,
            lambda name: self._managed[name].state is State.STARTING,
        )

    def current(self, name: str) -> ProcessId | None:
        """The process of a name; None while it is down."""
        return self._managed[name].id

    def subject(self, name: str) -> Subject:
        """What probes of a process need to know."""
        return self._managed[name].subject()

    def state(self, name: str) -> State:
        """What is made of a process now."""
        return self._managed[name].state

    def last_words(self, name: str) -> str:
        """The last line of the output of a process; empty without any."""
        return self._managed[name].last_words()

    def restarts(self, name: str) -> int:
        """How often a process was started again."""
        return self._managed[name].restarts

    def put_off(self, name: str, wait_s: float) -> None:
        """A process that is down is started again so long from now, in real seconds, whatever the policy says."""
        if self._managed[name].state is State.WAITING:
            self._managed[name].due_at = time.monotonic() + wait_s

    @property
    def is_ready(self) -> bool:
        """Whether every process is ready."""
        return all(each.state is State.READY for each in self._managed.values())

    @property
    def is_stopped(self) -> bool:
        """Whether the shutdown has ended."""
        return self._stopping is not None and not self._stopping

    def poll(self) -> None:
        """Start what is due, notice what ended, make health rounds, go on with a shutdown."""
        for name, each in self._managed.items():
            self._follow(name, each)
        for found in self._rounds.poll():
            self._probed(found)
        if self._stopping is not None:
            self._go_on_stopping()

    def stop(self) -> None:
        """Begin the shutdown: each process in the order of the policy, those not named there first, the last started first."""
        if self._stopping is None:
            first = [name for name in reversed([*self._managed]) if name not in self._policy.order]
            self._stopping = [*first, *(name for name in self._policy.order if name in self._managed)]
            self._on(Report(time.time(), What.STOPPING, ""))

    def end_now(self) -> None:
        """Kill every process with all that it started: when the run is over without a shutdown."""
        for each in self._managed.values():
            each.end_now()

    def _follow(self, name: str, each: Managed) -> None:
        if each.state is State.WAITING and self._stopping is None and self._may_start(each):
            each.start()
            self._started(name, each)
        if each.state is State.STARTING and each.look_if_ready():
            self._on(Report(time.time(), What.READY, name, each.id, count=each.restarts))
        if (end := each.end()) is not None:
            self._ended(name, each, *end)

    def _may_start(self, each: Managed) -> bool:
        ready = all(self._managed[name].was_ready for name in each.waits)
        return ready and time.monotonic() >= each.due_at

    def _started(self, name: str, each: Managed) -> None:
        if each.id:
            self._on(Report(time.time(), What.STARTED, name, each.id, count=each.restarts))

    def _ended(self, name: str, each: Managed, at: float, code: int | None) -> None:
        """A process ended by itself, was killed, or did not start: restart it later, or not at all."""
        process, now = each.id, time.monotonic()
        if self._stopping is not None:
            each.gone(State.STOPPED)
            self._on(Report(at, What.EXITED, name, process, code, each.restarts, None, reason=each.trouble))
            return
        policy = self._policy
        again = policy.when is When.ALWAYS or (policy.when is When.FAILURE and code != 0)
        if not again:
            each.gone(State.STOPPED)
            self._on(Report(at, What.EXITED, name, process, code, each.restarts, None, reason=each.trouble))
            return
        if each.ready_for_s(now) >= policy.reset_after_s:
            each.in_a_row = 0
        each.recent = [t for t in each.recent if now - t <= policy.within_s]
        if len(each.recent) >= policy.max_restarts:
            each.gone(State.ABANDONED)
            self._on(Report(at, What.EXITED, name, process, code, each.restarts, None, reason=each.trouble))
            self._on(Report(time.time(), What.ABANDONED, name, process, code, each.restarts))
            return
        each.in_a_row += 1
        wait_s = policy.backoff_s(each.in_a_row)
        each.restart_after(wait_s)
        self._on(Report(at, What.EXITED, name, process, code, each.restarts, wait_s, reason=each.trouble))

    def _probed(self, found: Round) -> None:
        each = self._managed[found.name]
        self._on(Report(found.at, What.PROBED, found.name, found.process, green=found.green, reason=found.reason))
        if each.state is not State.READY or found.green:
            self._red[found.name] = 0
            return
        self._red[found.name] = self._red.get(found.name, 0) + 1
        if self._policy.unhealthy_after is not None and self._red[found.name] >= self._policy.unhealthy_after:
            self._red[found.name] = 0
            each.kill(f"{self._policy.unhealthy_after} probes in a row were red: {found.reason}")

    def _go_on_stopping(self) -> None:
        while self._stopping:
            name = self._stopping[0]
            each = self._managed[name]
            if each.id is None:
                # Down when its turn came, or ended meanwhile.
                self._stopping.pop(0)
                if each.asked_at is not None:
                    self._on(Report(time.time(), What.STOPPED, name, green=not each.killed))
                each.gone(State.STOPPED)
                continue
            if each.asked_at is None:
                self._on(Report(time.time(), What.STOPPING, name, each.id))
                each.ask_to_stop()
            elif time.monotonic() - each.asked_at > (each.process.stop.grace_s or self._policy.grace_s):
                each.kill("did not stop within its grace period")
            return
