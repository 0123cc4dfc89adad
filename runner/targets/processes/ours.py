"""Processes that soak keeps alive itself."""

import time
from collections.abc import Container

from soak.runner.interruption import stop_if_asked
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.group import Group, Happening, Seen, last_reason
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.launch import StartError
from soak.runner.targets.processes.managed import State
from soak.runner.targets.processes.prepared import Prepared
from soak.runner.targets.processes.supervising import Policy, Report, Supervisor, What
from soak.runner.targets.processes.watching import started_at

_LOOK_EVERY_S, _SETTLED_S = 0.05, 0.1

_OVER = (State.STOPPED, State.ABANDONED)
_REPORTS = {
    What.STARTED: Happening.STARTED,
    What.READY: Happening.HEALTHY,
    What.EXITED: Happening.ENDED,
    What.ABANDONED: Happening.ABANDONED,
}


class Ours(Group):
    """Kept alive by soak, by the settings of the scenario."""

    def __init__(self, prepared: Prepared, background: Background, policy: Policy, names: Container[str]) -> None:
        super().__init__(prepared, background, policy, names)
        self._up: set[str] = set()
        self._supervisor: Supervisor | None = None

    def start(self) -> None:
        """See `Group`."""
        own = {each.program.name for each in self.file.processes if each.program}
        self.programs.start_all([each for each in self.file.programs if each.name not in own])
        policy = self._policy
        self._supervisor = Supervisor(
            list(self.processes.values()), policy, self._prepared.launcher, self._background, self._reported
        )
        until = time.monotonic() + policy.start_timeout_s + _SETTLED_S
        while not self._supervisor.is_ready:
            stop_if_asked()
            self._supervisor.poll()
            if gone := self.programs.gone():
                raise StartError(next(iter(gone.values())))
            # One that ended and is not started again will not be ready, whatever it exited with.
            over = [name for name in self.processes if self._supervisor.state(name) in _OVER or self._has_tried(name)]
            if over or time.monotonic() > until:
                raise StartError(self._why_not(over[0] if over else None))
            time.sleep(_LOOK_EVERY_S)

    def _has_tried(self, name: str) -> bool:
        """Whether a process has ended without being ready as often as it may."""
        ends = sum(each.name == name and each.what is Happening.ENDED for each in self.seen)
        return self._policy.tries is not None and ends >= self._policy.tries

    def _why_not(self, name: str | None) -> str:
        assert self._supervisor
        name = name or next(each for each in self.processes if self._supervisor.state(each) != "ready")
        why = last_reason(self.seen, name) or "its probe is not green"
        words = f": {last}" if (last := self._supervisor.last_words(name)) else ""
        return f"{name} is not ready: {why}{words} (see {name}.log)"

    def _reported(self, report: Report) -> None:
        if report.what is What.STARTED:
            self._up.add(report.name)
        elif report.what is What.READY and report.name not in self._up and report.process is not None:
            # Its command left it behind: it was found later.
            self._up.add(report.name)
            self.seen.append(Seen(started_at(report.process), report.name, Happening.STARTED, report.process))
        elif report.what is What.EXITED:
            self._up.discard(report.name)
        if report.what in _REPORTS:
            what = _REPORTS[report.what]
            reason = report.reason or (f"exited with {report.exit}" if report.what is What.EXITED else "")
            self.seen.append(Seen(report.at, report.name, what, report.process, reason, exit=report.exit))
        elif report.what is What.PROBED:
            what = Happening.GREEN if report.green else Happening.RED
            self.seen.append(Seen(report.at, report.name, what, report.process, report.reason))

    def current(self, name: str) -> ProcessId | None:
        """See `Group`."""
        return self._supervisor.current(name) if self._supervisor else None

    def poll(self) -> list[Seen]:
        """See `Group`."""
        assert self._supervisor
        self._supervisor.poll()
        return self.taken()

    def probes_from(self, epoch: float) -> None:
        """See `Group`."""
        assert self._supervisor
        self._supervisor.rounds_from(epoch)

    def restarts(self, name: str) -> int:
        """How often a process was started again."""
        return self._supervisor.restarts(name) if self._supervisor else 0

    def put_off(self, name: str, wait_s: float) -> None:
        """A process that is down is started again so long from now, in real seconds, whatever the policy says."""
        if self._supervisor:
            self._supervisor.put_off(name, wait_s)

    def stop(self) -> None:
        """See `Group`."""
        assert self._supervisor
        self._supervisor.stop()

    @property
    def is_stopped(self) -> bool:
        """See `Group`."""
        return self._supervisor is None or self._supervisor.is_stopped

    def end_now(self) -> None:
        """See `Group`."""
        if self._supervisor:
            self._supervisor.end_now()
        self.programs.stop_all()
