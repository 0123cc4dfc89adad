"""The programs of a target file: started, followed, taken down by faults and started again, stopped."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from soak.runner.console import remark
from soak.runner.interruption import stop_if_asked
from soak.runner.targets.context import RunContext
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ending import kill, stop_tree, wait_for_end
from soak.runner.targets.processes.group import SUPERVISOR, Group, Happening, Seen
from soak.runner.targets.processes.identity import ProcessId, tree
from soak.runner.targets.processes.launch import StartError
from soak.runner.targets.processes.ours import Ours
from soak.runner.targets.processes.prepared import Prepared
from soak.runner.targets.processes.probes import Probed, Subject, probe
from soak.runner.targets.processes.starting import GRACE_S, READY_WITHIN_S
from soak.runner.targets.processes.supervising import Policy, When
from soak.runner.targets.processes.theirs import Theirs
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.target.model import ProbeKind, Program

_BACKOFF_S, _LONGEST_BACKOFF_S = 0.5, 30.0
KEPT_ALIVE = Policy(
    When.ALWAYS,
    lambda number: min(_LONGEST_BACKOFF_S, _BACKOFF_S * 2 ** (number - 1)),
    max_restarts=1_000_000,
    within_s=3600.0,
    reset_after_s=60.0,
    start_timeout_s=60.0,
    health_every_s=10.0,
    grace_s=10.0,
    order=(),
)
"""How soak keeps processes alive that no supervisor of a target file does: for as long as the run lasts. In real seconds."""

_OF_NOW = frozenset({ProbeKind.HTTP, ProbeKind.TCP, ProbeKind.EXEC})
_LOOK_EVERY_S, _SLACK_S = 0.05, 1.0
_ENDS_WITHIN_S, _STARTS_WITHIN_S = 10.0, 30.0
_STOPS_WITHIN_S = 60.0


class Service:
    """All programs of a run. One that ends does not end the run: what its end does to requests is for the judge to see."""

    def __init__(self, prepared: Prepared, background: Background, policy: Policy = KEPT_ALIVE) -> None:
        """policy: how soak keeps the processes alive that no supervisor of the target file does."""
        self._prepared, self._background = prepared, background
        file = prepared.file
        names = tuple(each.name for each in file.processes)
        kind = Ours if file.supervisor is None else Theirs
        self.group: Group = kind(prepared, background, policy, names)
        self.programs = {each.name: each for each in file.services}
        self.numbers = {name: number for number, name in enumerate((*names, *self.programs, SUPERVISOR))}
        """By name, the number under which the stream has a process; others have none."""
        self._threads = ThreadPoolExecutor(2, "outages")
        self._taken_down: set[str] = set()
        self._coming_back: list[Future[str]] = []
        self._reported: set[str] = set()
        self.expected: dict[str, int] = {}
        """By process, the cause of its next end: a fault that is to end it."""
        self.unexpected = NO_CAUSE
        """The cause of all other ends."""
        self.listeners: list[Callable[[Seen], None]] = []

    def start(self) -> None:
        """Start everything, and wait until all is ready. Raises StartError, which says why it is not."""
        self.group.start()
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        how, launcher = self._prepared.file.ready, self._prepared.launcher
        if how is None:
            return
        subject = Subject(environment=launcher.environment, folder=launcher.here)
        until = time.monotonic() + (READY_WITHIN_S if how.within_s is None else how.within_s)
        while not (said := self._background.run(probe(how, subject), how.timeout_s + _SLACK_S)).green:
            stop_if_asked()
            if time.monotonic() > until:
                raise StartError(f"the service is not ready: {said.reason} (start it, or correct ready:)")
            time.sleep(_LOOK_EVERY_S)

    # While it runs.

    def begin(self, context: RunContext) -> None:
        """The clock runs: from here on, ends and starts are events."""
        self.group.poll()
        self._context = context

    def look(self) -> None:
        """Note which processes ended or were started."""
        context = self._context
        for seen in self.group.poll():
            t_s = min(context.clock.scenario(seen.at), context.now())
            if seen.what is Happening.ENDED:
                self._note(t_s, Kind.PROCESS_EXITED, seen.name, self.expected.pop(seen.name, self.unexpected))
            elif seen.what is Happening.STARTED:
                self._note(t_s, Kind.PROCESS_STARTED, seen.name)
            elif seen.what is Happening.ABANDONED and SUPERVISOR not in self.group.programs.gone():
                remark(f"{seen.name} is not started again{f': {seen.reason}' if seen.reason else ''}")
            for listener in self.listeners:
                listener(seen)
        self._look_at_programs()

    def _look_at_programs(self) -> None:
        for name, why in self.group.programs.gone().items():
            if name not in self._taken_down and name not in self._reported:
                self._reported.add(name)
                if name != SUPERVISOR:  # whose end the group itself has told
                    remark(f"the run goes on, but {why}")
                self._note(self._context.now(), Kind.PROCESS_EXITED, name, self.unexpected)

    def _note(self, t_s: float, kind: Kind, name: str, cause: int = NO_CAUSE) -> None:
        self._context.note_process(t_s, kind, name, self.numbers.get(name, -1), cause)

    def pids(self) -> dict[str, int]:
        """What is measured, by name: the processes and their supervisor with all that they started; without any, the services."""
        alive = self.group.programs.processes()
        roots = {name: each for name, each in alive.items() if name not in self.programs}
        roots |= self.group.ids()
        return with_descendants(roots or alive)

    # Outages.

    def program(self, fault_type: str) -> Program | None:
        """The service that faults of a type take down."""
        return next((each for each in self.programs.values() if each.outage == fault_type), None)

    def named(self, name: str) -> Program | None:
        """The service of a name, or else the first one of a role."""
        found = self.programs.get(name)
        return found or next((each for each in self.programs.values() if each.role == name), None)

    def take_down(self, program: Program, cause: int, *, politely: bool = False) -> "Future[bool]":
        """Kill a service, in the background: whether it is gone. politely: stop it as the target file says."""
        if (process := self.process(program)) is None:
            done: Future[bool] = Future()
            done.set_result(False)
            return done
        self._taken_down.add(program.name)
        self.expected[program.name] = cause
        return self._threads.submit(self._stop if politely else self._kill, program, process)

    def process(self, program: Program) -> ProcessId | None:
        """The process of a service; None while it is down."""
        return self.group.programs.processes().get(program.name)

    def probe(self, program: Program) -> "Future[Probed] | None":
        """Whether a service is ready now, by its probe; None where that says nothing of now."""
        how, launcher = program.ready, self._prepared.launcher
        if how is None or how.kind not in _OF_NOW:
            return None
        subject = Subject(
            environment=launcher.environment_of(program),
            folder=launcher.folder_of(program),
            process=self.process(program),
        )
        return self._background.submit(probe(how, subject))

    def _kill(self, program: Program, process: ProcessId) -> bool:
        launcher = self._prepared.launcher
        kill(process, program.kill, launcher.environment_of(program), launcher.folder_of(program))
        return wait_for_end([process], _ENDS_WITHIN_S)

    def _stop(self, program: Program, process: ProcessId) -> bool:
        launcher, grace_s = self._prepared.launcher, program.stop.grace_s
        environment, folder = launcher.environment_of(program), launcher.folder_of(program)
        stop_tree(process, program.stop, GRACE_S if grace_s is None else grace_s, environment, folder)
        return not process.is_alive()

    @property
    def is_down(self) -> bool:
        """Whether a service is down by a fault, or being started again after it."""
        return bool(self._taken_down)

    def was_taken_down(self, program: Program) -> None:
        """Note that it is gone."""
        self._note(self._context.now(), Kind.PROCESS_EXITED, program.name, self.expected.pop(program.name, NO_CAUSE))

    def was_not_taken_down(self, program: Program) -> None:
        """It could not be killed, or was not there: it is tried again."""
        self._taken_down.discard(program.name)
        self.expected.pop(program.name, None)

    def bring_back(self, program: Program) -> "Future[str]":
        """Start a service again, in the background: empty, or why it could not be."""
        found = self._threads.submit(self._start_again, program)
        self._coming_back.append(found)
        return found

    def wait_until_back(self) -> None:
        """Wait for services that are being started again: the run is over."""
        for each in self._coming_back:
            wait([each], _STARTS_WITHIN_S)

    def _start_again(self, program: Program) -> str:
        programs = self.group.programs
        programs.stop(program.name)
        try:
            programs.start(program)
        except StartError as error:
            return str(error)
        return ""

    def is_back(self, program: Program, why: str) -> None:
        """Note that it was started again, or say why not."""
        self._taken_down.discard(program.name)
        self._reported.discard(program.name)
        if why:
            self._reported.add(program.name)
            remark(f"the run goes on, but {program.name} could not be started again: {why}")
        else:
            self._note(self._context.now(), Kind.PROCESS_STARTED, program.name)

    # The end.

    def stop(self) -> None:
        """Stop the processes in order, then the services, and wait for it."""
        self.group.stop()
        until = time.monotonic() + _STOPS_WITHIN_S
        while not self.group.is_stopped and time.monotonic() < until:
            self.group.poll()
            time.sleep(_LOOK_EVERY_S)
        self.close()

    def close(self) -> None:
        """End what is left."""
        self._threads.shutdown(cancel_futures=True)
        self.group.end_now()


def with_descendants(roots: Mapping[str, ProcessId]) -> dict[str, int]:
    """The process ids of these and of all that they started, by name; what a process of a name started is `name/pid`."""
    found = {name: each.pid for name, each in roots.items()}
    named = set(found.values())
    for name, root in roots.items():
        for each in tree(root.pid):
            if each.pid not in named:
                named.add(each.pid)
                found[f"{name}/{each.pid}"] = each.pid
    return found
