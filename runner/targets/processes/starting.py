"""Programs that are started once and not restarted: services, a source, a supervisor of the user's own."""

import time
from collections.abc import Callable, Mapping, Sequence

from soak.runner.interruption import stop_if_asked
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ending import ask_to_stop, kill_session, kill_tree, stop_alone, stop_tree
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.launch import Child, Launcher, StartError
from soak.runner.targets.processes.notify import NotifySocket
from soak.runner.targets.processes.probes import Subject, probe
from soak.schemas.target.model import Probe, ProbeKind, Program

READY_WITHIN_S, GRACE_S = 30.0, 10.0
"""Of programs whose target file does not say."""

_LOOK_EVERY_S = 0.05
_SETTLED_S = 0.5
"""A program without a probe is ready when it has lived for so long."""

_SLACK_S = 1.0


def never() -> bool:
    """Never interrupted."""
    return False


class Programs:
    """Programs by name. All that is started here ends with `stop`, with everything that it started.

    What is alive, and what is gone, may be asked while another thread starts or stops one.
    """

    def __init__(self, launcher: Launcher, background: Background) -> None:
        self._launcher = launcher
        self._background = background
        self._programs: dict[str, Program] = {}
        self._children: dict[str, Child] = {}
        self._notify: dict[str, NotifySocket] = {}
        self._asked_at: dict[str, float] = {}
        """When programs were asked to stop by `ask_to_stop`, in monotonic seconds."""

    def start_all(self, programs: Sequence[Program], interrupted: Callable[[], bool] = never) -> None:
        """Start programs one after the other, each when the one before is ready. Raises StartError, which says why not."""
        for each in programs:
            if interrupted():
                return
            self.start(each, interrupted)

    def start(self, program: Program, interrupted: Callable[[], bool] = never) -> None:
        """Start one, and wait until it is ready. Raises StartError and OutputError."""
        wanted = program.ready is not None and program.ready.kind is ProbeKind.NOTIFY
        notify = NotifySocket(self._background) if wanted else None
        if notify:
            self._notify[program.name] = notify
        child = self._launcher.start(program, notify.environment if notify else None)
        self._programs[program.name], self._children[program.name] = program, child
        self._wait(program, child, interrupted)

    def _wait(self, program: Program, child: Child, interrupted: Callable[[], bool]) -> None:
        ready, began, why = program.ready, time.monotonic(), ""
        within_s = READY_WITHIN_S if ready is None or ready.within_s is None else ready.within_s
        while not interrupted():
            stop_if_asked()
            if (code := child.exit()) is not None:
                raise StartError(ended_early(child, code))
            waited_s = time.monotonic() - began
            if ready is None and waited_s >= _SETTLED_S:
                return
            if ready is not None:
                green, why = self._look(ready, program)
                if green:
                    return
            if waited_s > within_s:
                last = f"; its last line: {line}" if (line := child.last_line()) else ""
                what = f"{program.name} is not ready after {within_s:g} s: {why}{last}"
                raise StartError(f"{what} (see {child.log.name}, or correct its probe)")
            time.sleep(_LOOK_EVERY_S)

    def _look(self, ready: Probe, program: Program) -> tuple[bool, str]:
        """Whether it is ready, and why not."""
        child = self._children[program.name]
        subject = Subject(
            child.log,
            child.log_from,
            self._notify.get(program.name),
            self._launcher.environment_of(program),
            self._launcher.folder_of(program),
        )
        said = self._background.run(probe(ready, subject), ready.timeout_s + _SLACK_S)
        return said.green, said.reason

    def processes(self) -> dict[str, ProcessId]:
        """Those that are alive."""
        return {name: each.id for name, each in list(self._children.items()) if each.exit() is None}

    def gone(self) -> Mapping[str, str]:
        """Those that ended by themselves, in words, by name."""
        codes = ((name, each, each.exit()) for name, each in list(self._children.items()) if name not in self._asked_at)
        return {name: ended_early(each, code) for name, each, code in codes if code is not None}

    def ask_to_stop(self, name: str) -> None:
        """Ask one to stop, without waiting for it: its end is expected from now on. See `is_stopped`."""
        child, program = self._children[name], self._programs[name]
        self._asked_at[name] = time.monotonic()
        environment, folder = self._launcher.environment_of(program), self._launcher.folder_of(program)
        ask_to_stop(child.id, program.stop, environment, folder)

    def is_stopped(self, name: str) -> bool:
        """Whether one that was asked to stop has ended. After its grace it is killed; what it left behind is, too."""
        if (child := self._children.get(name)) is None:
            return True
        grace_s = self._programs[name].stop.grace_s
        if time.monotonic() - self._asked_at[name] > (GRACE_S if grace_s is None else grace_s):
            kill_tree(child.id)
        if child.exit() is None:
            return False
        self.stop(name)
        return True

    def stop(self, name: str, *, alone: bool = False) -> bool:
        """Stop one, and end all that it started; whether it ended by itself in time.

        alone: what it leaves behind stays, so that it can be seen (`orphans`).
        """
        child, program = self._children.pop(name), self._programs.pop(name)
        grace_s = GRACE_S if program.stop.grace_s is None else program.stop.grace_s
        environment, folder = self._launcher.environment_of(program), self._launcher.folder_of(program)
        in_time = child.exit() is not None or (
            stop_alone(child.id, program.stop, grace_s, environment, folder)
            if alone
            else stop_tree(child.id, program.stop, grace_s, environment, folder)
        )
        if not alone:
            kill_session(child.id.pid)
        child.wait(GRACE_S)
        if notify := self._notify.pop(name, None):
            notify.close()
        return in_time

    def stop_all(self) -> dict[str, bool]:
        """Stop those that are left, the last started first; whether each ended by itself in time."""
        return {name: self.stop(name) for name in [*reversed(self._children)]}


def ended_early(child: Child, code: int) -> str:
    """That a program ended which should run, and its last words."""
    how = f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
    last = child.last_line()
    return f"{child.name} {how}{f': {last}' if last else ' without a word'} (see {child.log.name})"
