"""The processes of a target file, whatever keeps them alive, as a trial needs them: up, ready, killed, back, stopped."""

import time
from typing import Protocol

from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.managed import State
from soak.runner.targets.processes.prepared import Prepared
from soak.runner.targets.processes.probes import Probed, Subject, probe
from soak.runner.targets.processes.starting import Programs
from soak.runner.targets.processes.supervising import Policy, Report, Supervisor, What, When
from soak.runner.targets.processes.watching import Watcher
from soak.schemas.target.model import Probe

SUPERVISOR = "supervisor"
_SLACK_S = 1.0
_POLICY = Policy(
    when=When.ALWAYS,
    backoff_s=lambda _: 0.2,
    max_restarts=3,
    within_s=600.0,
    reset_after_s=600.0,
    start_timeout_s=60.0,
    health_every_s=3600.0,
    grace_s=10.0,
    order=(),
)
"""How soak keeps them alive in a trial: a scenario says how in a run."""


class Kept(Protocol):
    """Processes that somebody keeps alive."""

    def start(self) -> None:
        """Begin to start them."""

    def poll(self) -> None:
        """Go on; call it often."""

    def current(self, name: str) -> ProcessId | None:
        """The process of a name; None while it is down."""

    def is_ready(self, name: str) -> bool:
        """Whether it is there, and its probe of readiness is green."""

    def subject(self, name: str) -> Subject:
        """What its probes need to know."""

    def trouble(self, name: str) -> str:
        """Why it is not ready, as far as that is known."""

    def is_given_up(self, name: str) -> bool:
        """Whether nobody will start it again."""

    def stop(self) -> bool:
        """Stop them, and leave what they leave behind; whether all ended by themselves in time."""


def kept(prepared: Prepared, programs: Programs, background: Background) -> Kept:
    """The processes of a target file: under its supervisor, or under ours."""
    return Theirs(prepared, programs, background) if prepared.file.supervisor else Ours(prepared, background)


def look(how: Probe, subject: Subject, background: Background) -> Probed:
    """The result of a probe, waited for."""
    return background.run(probe(how, subject), how.timeout_s + _SLACK_S)


class Ours:
    """Kept alive by soak."""

    def __init__(self, prepared: Prepared, background: Background) -> None:
        self._reports: list[Report] = []
        processes = prepared.file.processes
        self._supervisor = Supervisor(processes, _POLICY, prepared.launcher, background, self._reports.append)

    def start(self) -> None:
        """See `Kept`."""
        self._supervisor.poll()

    def poll(self) -> None:
        """See `Kept`."""
        self._supervisor.poll()

    def current(self, name: str) -> ProcessId | None:
        """See `Kept`."""
        return self._supervisor.current(name)

    def is_ready(self, name: str) -> bool:
        """See `Kept`."""
        return self._supervisor.state(name) is State.READY

    def subject(self, name: str) -> Subject:
        """See `Kept`."""
        return self._supervisor.subject(name)

    def trouble(self, name: str) -> str:
        """See `Kept`."""
        ends = [each for each in self._reports if each.name == name and each.what is What.EXITED]
        if not ends:
            return "its probe is not green" if self.current(name) else "it was not started, or not found"
        words = self._supervisor.last_words(name)
        return (ends[-1].reason or f"exited with {ends[-1].exit}") + (f": {words}" if words else "")

    def is_given_up(self, name: str) -> bool:
        """See `Kept`."""
        return self._supervisor.state(name) in {State.ABANDONED, State.STOPPED}

    def stop(self) -> bool:
        """See `Kept`."""
        self._supervisor.stop()
        while not self._supervisor.is_stopped:
            self._supervisor.poll()
            time.sleep(0.02)
        return all(each.green for each in self._reports if each.what is What.STOPPED)


class Theirs:
    """Kept alive by the supervisor of the target file, which runs already; found as the file says."""

    def __init__(self, prepared: Prepared, programs: Programs, background: Background) -> None:
        self._prepared, self._programs, self._background = prepared, programs, background
        self._processes = {each.name: each for each in prepared.file.processes}
        self._watcher = Watcher(background, {name: each.find for name, each in self._processes.items() if each.find})
        self._why: dict[str, str] = {}

    def start(self) -> None:
        """See `Kept`."""

    def poll(self) -> None:
        """See `Kept`."""
        self._watcher.poll()

    def current(self, name: str) -> ProcessId | None:
        """See `Kept`."""
        return self._watcher.current(name)

    def is_ready(self, name: str) -> bool:
        """See `Kept`."""
        how = self._processes[name].ready
        if self.current(name) is None:
            self._why[name] = self._watcher.trouble.get(name, "it was not found (correct its find:)")
            return False
        if how is None:
            return True
        said = look(how, self.subject(name), self._background)
        self._why[name] = said.reason
        return said.green

    def subject(self, name: str) -> Subject:
        """See `Kept`."""
        launcher, port = self._prepared.launcher, self._processes[name].port
        return Subject(
            environment=launcher.environment,
            folder=launcher.here,
            process=self.current(name),
            port=int(port) if port else None,
        )

    def trouble(self, name: str) -> str:
        """See `Kept`."""
        return self._programs.gone().get(SUPERVISOR) or self._why.get(name, "")

    def is_given_up(self, name: str) -> bool:
        """See `Kept`."""
        return SUPERVISOR in self._programs.gone()

    def stop(self) -> bool:
        """See `Kept`."""
        return self._programs.stop(SUPERVISOR, alone=True)
