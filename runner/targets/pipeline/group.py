"""The processes of a run, kept alive by a supervisor of their own, or by soak with the settings of the scenario."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from soak.runner.console import remark
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ending import ask_to_stop, kill_tree
from soak.runner.targets.processes.following import LineFollower
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.launch import StartError
from soak.runner.targets.processes.managed import State
from soak.runner.targets.processes.prepared import Prepared
from soak.runner.targets.processes.probes import Probed, Subject, probe
from soak.runner.targets.processes.rounds import Round, Rounds
from soak.runner.targets.processes.starting import Programs
from soak.runner.targets.processes.supervising import Policy, Report, Supervisor, What, When
from soak.runner.targets.processes.watching import Sight, Watcher, started_at
from soak.schemas.language.model import Scenario
from soak.schemas.systems.pipeline.settings import Supervisor as Supervision
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.schemas.target.model import Process, TargetFile

SUPERVISOR = "supervisor"
_LOOK_EVERY_S, _SETTLED_S = 0.05, 0.1
_DRAINS_WITHIN_S = 20.0
"""How long a supervisor that does not say may take to stop, beside the grace of each process."""


class Happening(Enum):
    """What was seen of a process."""

    STARTED = auto()
    HEALTHY = auto()
    ENDED = auto()
    ABANDONED = auto()
    GREEN = auto()
    RED = auto()


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that happened to a process of this name, at a time in seconds since 1970. exit: its status, where it is known."""

    at: float
    name: str
    what: Happening
    process: ProcessId | None = None
    reason: str = ""
    began: float | None = None
    """Of a probe: when it was begun."""
    exit: int | None = None


def last_reason(seen: Iterable[Seen], name: str) -> str:
    """Why a process is not ready: how it ended last, or else what its last probe says; empty if nothing does."""
    reasons = [each for each in seen if each.name == name and each.reason]
    # That a process is down, a probe says of every one that has ended.
    ends = [each for each in reasons if each.what is not Happening.RED] or reasons
    return ends[-1].reason if ends else ""


class Group(ABC):
    """Starts the processes and all that they need, follows them, and stops them. `poll` often; it never waits."""

    def __init__(
        self, prepared: Prepared, background: Background, scenario: Scenario, names: tuple[str, ...], speed: float
    ) -> None:
        self._prepared, self._background = prepared, background
        self.file: TargetFile = prepared.file
        self.processes: Mapping[str, Process] = {each.name: each for each in self.file.processes if each.name in names}
        self._supervision, self._speed = pipeline_of(scenario).supervisor, speed
        self.programs = Programs(prepared.launcher, background)
        self.seen: list[Seen] = []

    @abstractmethod
    def start(self) -> None:
        """Start everything, and wait until it is ready. Raises StartError, which says why not."""

    @abstractmethod
    def current(self, name: str) -> ProcessId | None:
        """The process of a name; None while it is down."""

    @abstractmethod
    def poll(self) -> list[Seen]:
        """What happened since the last call, in time order."""

    @abstractmethod
    def probes_from(self, epoch: float) -> None:
        """Make health rounds from now on, the first one an interval after `epoch` (monotonic seconds)."""

    @abstractmethod
    def stop(self) -> None:
        """Begin the shutdown."""

    @property
    @abstractmethod
    def is_stopped(self) -> bool:
        """Whether the shutdown is over."""

    @abstractmethod
    def end_now(self) -> None:
        """Kill what is left of it."""

    def cannot_go_on(self) -> str:
        """Which program that it needs has ended, in words; empty if all run. A supervisor of theirs is under test itself."""
        return next((why for name, why in self.programs.gone().items() if name != SUPERVISOR), "")

    def ids(self) -> dict[str, ProcessId]:
        """The processes that run now."""
        return {name: each for name in self.processes if (each := self.current(name)) is not None}

    def taken(self) -> list[Seen]:
        """What was noted so far, in time order."""
        found, self.seen = sorted(self.seen, key=lambda each: each.at), []
        return found


class Theirs(Group):
    """Kept alive by a supervisor of the user's; found by pid file, command line or port, and probed by soak."""

    def __init__(
        self, prepared: Prepared, background: Background, scenario: Scenario, names: tuple[str, ...], speed: float
    ) -> None:
        super().__init__(prepared, background, scenario, names, speed)
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
        within_s = max(self._supervision.health.start_timeout_s / self._speed, 10.0)
        until = time.monotonic() + within_s
        ready: set[str] = set()
        while len(ready) < len(self.processes):
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
        every_s = self._supervision.health.every_s / self._speed
        self._rounds = Rounds(self._background, probes, every_s, epoch, self.current, self._subject)

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
        return _DRAINS_WITHIN_S + len(self.processes) * self._supervision.grace_s if own is None else own

    def end_now(self) -> None:
        """See `Group`."""
        for each in self.ids().values():
            kill_tree(each)
        self.programs.stop_all()


class Ours(Group):
    """Kept alive by soak, by the settings of the scenario."""

    def __init__(
        self, prepared: Prepared, background: Background, scenario: Scenario, names: tuple[str, ...], speed: float
    ) -> None:
        super().__init__(prepared, background, scenario, names, speed)
        self._up: set[str] = set()
        self._supervisor: Supervisor | None = None

    def start(self) -> None:
        """See `Group`."""
        own = {each.program.name for each in self.file.processes if each.program}
        self.programs.start_all([each for each in self.file.programs if each.name not in own])
        policy = policy_of(self._supervision, self._speed)
        self._supervisor = Supervisor(
            list(self.processes.values()), policy, self._prepared.launcher, self._background, self._reported
        )
        until = time.monotonic() + policy.start_timeout_s + _SETTLED_S
        while not self._supervisor.is_ready:
            self._supervisor.poll()
            if gone := self.programs.gone():
                raise StartError(next(iter(gone.values())))
            # One that ended and is not started again will not be ready, whatever it exited with.
            over = [name for name in self.processes if self._supervisor.state(name) in _OVER]
            if over or time.monotonic() > until:
                raise StartError(self._why_not(over[0] if over else None))
            time.sleep(_LOOK_EVERY_S)

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


_OVER = (State.STOPPED, State.ABANDONED)
_REPORTS = {
    What.STARTED: Happening.STARTED,
    What.READY: Happening.HEALTHY,
    What.EXITED: Happening.ENDED,
    What.ABANDONED: Happening.ABANDONED,
}


def policy_of(supervision: Supervision, speed: float) -> Policy:
    """How soak keeps processes alive, in real seconds."""
    health, restart = supervision.health, supervision.restart
    return Policy(
        When(restart.when.value),
        lambda number: restart.backoff.full_s(number) / speed,
        restart.max_restarts,
        within_s=restart.within_s / speed,
        reset_after_s=restart.reset_after_s / speed,
        start_timeout_s=max(health.start_timeout_s / speed, 5.0),
        health_every_s=health.every_s / speed,
        grace_s=max(supervision.grace_s / speed, 2.0),
        order=supervision.order,
        unhealthy_after=health.unhealthy_after,
    )


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
