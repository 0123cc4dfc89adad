"""Processes that a supervisor of the user's keeps alive: found from outside, followed and probed."""

import time
from collections.abc import Container
from concurrent.futures import Future
from pathlib import Path

from soak.runner.console import remark
from soak.runner.interruption import stop_if_asked
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ending import ask_to_stop, kill_tree
from soak.runner.targets.processes.following import LineFollower
from soak.runner.targets.processes.group import SUPERVISOR, Group, Happening, Seen
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.launch import StartError
from soak.runner.targets.processes.prepared import Prepared
from soak.runner.targets.processes.probes import Probed, Subject, probe
from soak.runner.targets.processes.rounds import Round, Rounds
from soak.runner.targets.processes.supervising import Policy
from soak.runner.targets.processes.watching import Sight, Watcher
from soak.schemas.target.model import Process

_LOOK_EVERY_S, _SETTLED_S = 0.05, 0.1
_READY_WITHIN_S = 10.0
"""The least time that a supervisor is given to start the processes."""
_DRAINS_WITHIN_S = 20.0
"""How long a supervisor that does not say may take to stop, beside the grace of each process."""


class Theirs(Group):
    """Kept alive by a supervisor of the user's; found by pid file, command line or port, and probed by soak."""

    def __init__(self, prepared: Prepared, background: Background, policy: Policy, names: Container[str]) -> None:
        super().__init__(prepared, background, policy, names)
        finds = {name: each.find for name, each in self.processes.items() if each.find is not None}
        self._watcher = Watcher(background, finds)
        self._starting: dict[str, _Start] = {}
        self._rounds: Rounds | None = None
        self._supervisor: ProcessId | None = None
        self._asked_at: float | None = None
        gives_up = self.file.supervisor.gives_up if self.file.supervisor else None
        self._ended = False
        self._gives_up = LineFollower(Path(gives_up.log), gives_up.pattern) if gives_up else None

    def start(self) -> None:
        """See `Group`."""
        self.programs.start_all(self.file.programs)
        self._supervisor = self.programs.processes().get(SUPERVISOR)
        within_s = max(self._policy.start_timeout_s, _READY_WITHIN_S)
        until = time.monotonic() + within_s
        ready: set[str] = set()
        while len(ready) < len(self.processes):
            stop_if_asked()
            ready |= {each.name for each in self.poll() if each.what is Happening.HEALTHY}
            if gone := self.programs.gone():
                raise StartError(next(iter(gone.values())))
            if time.monotonic() > until:
                missing = [name for name in self.processes if name not in ready]
                raise StartError(self._not_ready(missing[0], within_s))
            time.sleep(_LOOK_EVERY_S)

    def _not_ready(self, name: str, within_s: float) -> str:
        if self.current(name) is None:
            why = self._watcher.trouble.get(name, "it was not found (see its find: and the log of the supervisor)")
            return f"{name} does not run {within_s:g} s after the start: {why}"
        start = self._starting.get(name)
        why = start.why if start else "it ends again and again"
        return f"{name} is not ready {within_s:g} s after the start: {why} (see its log, or correct its probe)"

    def current(self, name: str) -> ProcessId | None:
        """See `Group`."""
        return self._watcher.current(name)

    def poll(self) -> list[Seen]:
        """See `Group`."""
        for each in self._watcher.poll():
            if each.change is Sight.STARTED:
                self.seen.append(Seen(each.at, each.name, Happening.STARTED, each.process))
                self._starting[each.name] = _Start(each.process)
            else:
                self.seen.append(Seen(each.at, each.name, Happening.ENDED, each.process))
                self._starting.pop(each.name, None)
        self._look_at_starts()
        if self._asked_at is None:
            self.seen += [Seen(time.time(), name, Happening.ABANDONED, reason=why) for name, why in self._given_up()]
        for found in self._rounds.poll() if self._rounds else ():
            self.seen.append(_probed(found))
        return self.taken()

    def _given_up(self) -> list[tuple[str, str]]:
        """The processes that are not restarted any more, and why: their supervisor says so, or has ended itself."""
        found = [(each.text, "its supervisor gave up") for each in (self._gives_up.poll() if self._gives_up else ())]
        if not self._ended and (why := self.programs.gone().get(SUPERVISOR)):
            self._ended = True
            remark(f"the supervisor has ended, and nothing keeps the processes alive: {why}")
            found += [(name, why) for name in self.processes]
        return [(name, why) for name, why in found if name in self.processes]

    def _look_at_starts(self) -> None:
        for name, start in list(self._starting.items()):
            process = self.processes[name]
            if start.is_green(process, self._background, self._subject(name)):
                self.seen.append(Seen(time.time(), name, Happening.HEALTHY, start.process))
                del self._starting[name]

    def _subject(self, name: str) -> Subject:
        launcher, port = self._prepared.launcher, self.processes[name].port
        return Subject(
            environment=launcher.environment,
            folder=launcher.here,
            process=self.current(name),
            port=int(port) if port else None,
        )

    def probes_from(self, epoch: float) -> None:
        """See `Group`."""
        probes = {name: each.live or each.ready for name, each in self.processes.items()}
        self._rounds = Rounds(self._background, probes, self._policy.health_every_s, epoch, self.current, self._subject)

    def stop(self) -> None:
        """See `Group`."""
        self._asked_at = time.monotonic()
        self._rounds = None
        if self._supervisor is not None and self.file.supervisor is not None:
            ask_to_stop(self._supervisor, self.file.supervisor.program.stop)

    @property
    def is_stopped(self) -> bool:
        """See `Group`. A supervisor that does not stop within its grace is killed."""
        assert self._asked_at is not None
        if self._supervisor is None or not self._supervisor.is_alive():
            return not any(each.is_alive() for each in self.ids().values()) or self._waited_s > _SETTLED_S * 5
        if self._waited_s > self._grace_s:
            kill_tree(self._supervisor)
        return False

    @property
    def _waited_s(self) -> float:
        return time.monotonic() - (self._asked_at or 0.0)

    @property
    def _grace_s(self) -> float:
        own = self.file.supervisor.program.stop.grace_s if self.file.supervisor else None
        return _DRAINS_WITHIN_S + len(self.processes) * self._policy.grace_s if own is None else own

    def end_now(self) -> None:
        """See `Group`."""
        for each in self.ids().values():
            kill_tree(each)
        self.programs.stop_all()


class _Start:
    """A process that was started and is not healthy yet: probed again and again."""

    def __init__(self, process: ProcessId) -> None:
        self.process = process
        self.why = ""
        self._began = time.monotonic()
        self._looked = 0.0
        self._asked: Future[Probed] | None = None

    def is_green(self, process: Process, background: Background, subject: Subject) -> bool:
        """Whether it is healthy by now; without a probe, when it has lived for a moment."""
        how, now = process.ready or process.live, time.monotonic()
        if how is None:
            return now - self._began >= _SETTLED_S
        if self._asked is not None:
            if not self._asked.done():
                return False
            said, self._asked = self._asked.result(), None
            self.why = said.reason
            return said.green
        if now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            self._asked = background.submit(probe(how, subject))
        return False


def _probed(found: Round) -> Seen:
    what = Happening.GREEN if found.green else Happening.RED
    return Seen(found.at, found.name, what, found.process, found.reason, began=found.began)
