"""The services and workers of a task system that a target file describes: started, kept alive, struck, stopped.

`with_workers` makes a process of each worker, `w0`, `w1` …, before names in braces are replaced (`prepared.prepare`).
"""

import dataclasses
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec.structs import replace

from soak.kit import WORKER
from soak.runner.targets.context import RunContext
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ending import ask_to_stop, kill, kill_tree, send_all, wait_for_end
from soak.runner.targets.processes.group import Happening, Seen
from soak.runner.targets.processes.identity import ProcessId, stat, tree
from soak.runner.targets.processes.ours import Ours
from soak.runner.targets.processes.prepared import Prepared
from soak.runner.targets.processes.service import Service, with_descendants
from soak.runner.targets.processes.starting import GRACE_S
from soak.runner.targets.processes.supervising import Policy, When
from soak.schemas.braces import filled_known, names_in
from soak.schemas.stream.events import Kind, worker_name
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.model import Kill, Probe, Process, Program, Stop, TargetFile, Workers
from soak.schemas.target.own_ports import OWN
from soak.schemas.target.templates import PORT, texts_of

_FOREVER = 1_000_000_000
_NO_ROUNDS_S = 86_400.0
_START_WITHIN_S = 60.0
_TRIES = 3


_NOBODY = Workers(Program("", "", ".", {}, (), None, Stop()), restarts=False)
"""Of a system that starts its workers itself."""


def with_workers(loaded: LoadedTarget, count: int) -> LoadedTarget:
    """The target file with `count` workers, or as many as it says itself, as processes under their own names."""
    workers = loaded.file.workers
    if workers is None:
        return loaded
    names = [worker_name(number) for number in range(workers.count or count)]
    processes = tuple(_worker(loaded.file, name) for name in names)
    own = names if any(OWN in names_in(text) for text in texts_of(workers)) else ()
    return dataclasses.replace(loaded, file=replace(loaded.file, processes=processes, ports=(*loaded.file.ports, *own)))


def _worker(file: TargetFile, name: str) -> Process:
    assert file.workers
    program = _named(file.workers.program, name)
    how = Kill(file.workers.kill.of, _text(file.workers.kill.command, name))
    return Process(name, program, None, program.ready, None, program.stop, how, None, {})


def _named(program: Program, name: str) -> Program:
    """A worker's program with `{name}` replaced and `{port}` by the name of its port, and no other name."""
    return replace(
        program,
        name=name,
        command=_text(program.command, name) or "",
        directory=_text(program.directory, name) or "",
        environment={WORKER: name, **filled_known(program.environment, _of(name))},
        ready=_probe(program.ready, name),
        stop=replace(program.stop, command=_text(program.stop.command, name)),
    )


def _text(text: str | None, name: str) -> str | None:
    found: str | None = filled_known(text, _of(name))
    return found


def _of(name: str) -> dict[str, str]:
    return {"name": name, OWN: f"{{{PORT}{name}}}"}


def _probe(probe: Probe | None, name: str) -> Probe | None:
    return probe and replace(probe, what=_text(probe.what, name) or "")


class Control:
    """What soak can do to the workers and services of one run. Nothing here waits but `start`, `stop` and `close`.

    restart_s: real seconds from the end of a worker to its next start. listeners: are told what happens to workers, in `look`.
    """

    def __init__(self, prepared: Prepared, background: Background, restart_s: float) -> None:
        self._launcher = prepared.launcher
        self._workers = prepared.file.workers or _NOBODY
        self.services = Service(prepared, background, _policy(restart_s, restarts=self._workers.restarts))
        self.services.numbers = {each.name: number for number, each in enumerate(prepared.file.processes)}
        self.listeners = self.services.listeners
        self.listeners.append(self._saw)
        self._threads = ThreadPoolExecutor(4, "kills")
        self._back_s: dict[str, float] = {}
        """In which time a worker that a fault ends is started again, by name, if not as ever."""
        self._asked: dict[str, tuple[ProcessId, float]] = {}
        """Workers that were asked to stop, and when, in monotonic seconds."""
        self._paused: dict[str, set[ProcessId]] = {}
        self._blamed: dict[str, int] = {}
        self.slowed: dict[str, list[tuple[float, int]]] = {}
        """By worker: how many times as long what it begins now is to take, and the cause of that."""

    # The course of the run.

    def start(self) -> None:
        """Start services, then workers, and wait until all are ready. Raises StartError, which says why one is not."""
        self.services.start()

    def begin(self, context: RunContext) -> None:
        """The clock runs: from here on, ends and starts are events."""
        self.services.unexpected = context.plan.vocabulary.cause("", "died")
        self.services.begin(context)

    def note_workers(self, context: RunContext) -> None:
        """Note the workers that are up: they were started before the clock was."""
        for name in self._group.ids():
            context.note_process(context.now(), Kind.PROCESS_STARTED, name, self.services.numbers[name])

    def look(self) -> None:
        """Note what ended or was started: often, from the thread that drives the run."""
        self.services.look()
        for name, (process, asked_at) in [*self._asked.items()]:
            if not process.is_alive():
                del self._asked[name]
            elif time.monotonic() - asked_at > self._grace_s:
                kill_tree(process)

    def stop(self) -> None:
        """Ask all workers to stop at the same time, kill what is left after their grace, then stop the services."""
        self.wake_all()
        alive = [*self._group.ids().values()]
        for process in alive:
            ask_to_stop(process, self._workers.program.stop, *self._surroundings)
        wait_for_end(alive, self._grace_s)
        self.close()

    def close(self) -> None:
        """End everything at once."""
        self.wake_all()
        self._threads.shutdown(cancel_futures=True)
        self.services.close()

    # Workers.

    @property
    def blamed(self) -> Mapping[str, int]:
        """By worker that a fault was to end: the cause, until it is started again."""
        return self._blamed

    @property
    def restarts(self) -> bool:
        """Whether soak starts a worker again that has ended."""
        return self._workers.restarts

    def names(self) -> list[str]:
        """The names of all workers."""
        return [*self._group.processes]

    def process(self, name: str) -> ProcessId | None:
        """The process that was started for a worker; None while it is down."""
        return self._group.current(name)

    def worker_of(self, pid: int) -> str | None:
        """The worker to which a process of this machine belongs; None for one that is of none that is up."""
        roots = {each.pid: name for name, each in self._group.ids().items()}
        found = stat(pid)
        if found and found.session in roots:
            return roots[found.session]
        while found and found.id.pid not in roots:
            found = stat(found.parent)
        return roots[found.id.pid] if found else None

    def kill(self, name: str, cause: int, back_s: float | None = None) -> bool:
        """Kill a worker as the target file says, by default with all that it started; False if it is down.

        cause: of its end, in the stream. back_s: when it is started again, in real seconds after its end; None: as ever.
        """
        if (process := self._expect_end(name, cause, back_s)) is None:
            return False
        how = self._group.processes[name].kill
        if how.command is None:
            return kill(process, how)
        self._threads.submit(kill, process, how, *self._surroundings)
        return True

    def terminate(self, name: str, cause: int, back_s: float | None = None) -> bool:
        """Ask a worker to stop as the target file says (SIGTERM); after its grace it is killed. False if it is down."""
        if (process := self._expect_end(name, cause, back_s)) is None:
            return False
        self._asked[name] = process, time.monotonic()
        how = self._workers.program.stop
        if how.command is None:
            return ask_to_stop(process, how)
        self._threads.submit(ask_to_stop, process, how, *self._surroundings)
        return True

    def _expect_end(self, name: str, cause: int, back_s: float | None) -> ProcessId | None:
        process = self.process(name)
        if process is not None:
            self.services.expected[name] = self._blamed[name] = cause
            self._back_s.pop(name, None)
            if back_s is not None:
                self._back_s[name] = back_s
        return process

    def pause(self, name: str) -> bool:
        """Stop a worker with all that it started (SIGSTOP); False if it is down."""
        if (process := self.process(name)) is None:
            return False
        paused = self._paused.setdefault(name, set())
        while fresh := {*tree(process.pid)} - paused:
            send_all(fresh, signal.SIGSTOP)
            paused |= fresh
        return True

    def wake(self, name: str) -> None:
        """Let a worker go on that was stopped (SIGCONT)."""
        send_all(self._paused.pop(name, ()), signal.SIGCONT)

    def wake_all(self) -> None:
        """Let all workers go on that were stopped."""
        for name in [*self._paused]:
            self.wake(name)

    # What is measured.

    def pids(self) -> dict[str, int]:
        """The workers and all that they started, by name: `w0`, `w0/4711`."""
        return with_descendants(self._group.ids())

    def service_pids(self) -> dict[str, int]:
        """The services and all that they started, by name: `redis`, `redis/4712`."""
        alive, services = self._group.programs.processes(), self.services.programs
        return with_descendants({name: each for name, each in alive.items() if name in services})

    @property
    def _group(self) -> Ours:
        group = self.services.group
        assert isinstance(group, Ours)
        return group

    @property
    def _grace_s(self) -> float:
        grace_s = self._workers.program.stop.grace_s
        return GRACE_S if grace_s is None else grace_s

    @property
    def _surroundings(self) -> tuple[dict[str, str], Path]:
        """Environment and folder of commands that strike a worker."""
        program = self._workers.program
        return self._launcher.environment_of(program), self._launcher.folder_of(program)

    def _saw(self, seen: Seen) -> None:
        if seen.what is Happening.STARTED:
            self._blamed.pop(seen.name, None)
        if seen.what is Happening.ENDED:
            self._paused.pop(seen.name, None)
            if (back_s := self._back_s.pop(seen.name, None)) is not None:
                self._group.put_off(seen.name, back_s)


def _policy(restart_s: float, *, restarts: bool) -> Policy:
    return Policy(
        When.ALWAYS if restarts else When.NEVER,
        lambda _: restart_s,
        max_restarts=_FOREVER,
        within_s=_NO_ROUNDS_S,
        reset_after_s=_NO_ROUNDS_S,
        start_timeout_s=_START_WITHIN_S,
        health_every_s=_NO_ROUNDS_S,
        grace_s=GRACE_S,
        order=(),
        sweeps=False,
        tries=_TRIES,
    )
