"""What was seen of processes, as events: ends and starts, when they are healthy and pass something on again, probes."""

import time
from collections.abc import Callable, Mapping

import psutil
from msgspec import Struct

from soak.runner.targets.context import RunContext
from soak.runner.targets.pipeline.blame import Blame
from soak.runner.targets.pipeline.book import MINUTE_S
from soak.runner.targets.pipeline.disputes import Disputes
from soak.runner.targets.pipeline.epochs import Epochs
from soak.runner.targets.pipeline.flow import settling_s
from soak.runner.targets.pipeline.says import Said, Says
from soak.runner.targets.pipeline.timeseries import TimeSeries
from soak.runner.targets.processes.group import Group, Happening, Seen
from soak.runner.targets.processes.identity import ProcessId
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.pipeline.exits import CLEAN, exit_word
from soak.schemas.systems.pipeline.settings import AlertRule, Pipeline

_PROBES = {Happening.GREEN: Kind.PROBE_GREEN, Happening.RED: Kind.PROBE_FAILED}
_UNDER_WAY_S = 1.0
"""Real seconds that an export takes at most."""

_ALERTS = {"fired": Kind.REPORTED_ALERT_FIRED, "resolved": Kind.REPORTED_ALERT_RESOLVED}


class Life(Struct, frozen=True):
    """A process from its start on: who it is, and when it started, in scenario time."""

    process: ProcessId | None
    started_s: float


class Observer:
    """Notes what the group and its supervisor say. began_at: what is said from then on until `begin` is not of the run.

    timeseries: where exports arrive, if soak offers that: they are counted there.
    listeners: called with everything that is seen of a process.
    """

    def __init__(
        self,
        context: RunContext,
        pipeline: Pipeline,
        group: Group,
        says: Says,
        epochs: Epochs,
        blame: Blame,
        began_at: float,
        timeseries: TimeSeries | None = None,
    ) -> None:
        self._began_at = began_at
        self._context, self._pipeline, self._group = context, pipeline, group
        self._says, self._epochs, self._blame = says, epochs, blame
        self._number = {each.name: number for number, each in enumerate(pipeline.processes)}
        self._words = {name: context.plan.vocabulary.name(name) for name in self._number}
        self.expected: dict[str, int] = {}
        """By process, the cause of its next end: a fault that is to end it."""
        self.struck_s: dict[str, float] = {}
        """By process, when a fault struck last that is to end it: by its clock the system may report an end a little before."""
        self.silent: dict[str, Life] = {}
        """Processes that have not passed anything on since they started."""
        self.listeners: list[Callable[[Seen], None]] = []
        self.stopping = False
        self.reported: dict[str, int] = {}
        self._exits: dict[int, int] = {}
        """By process id, the status that the supervisor says it ended with."""
        self._counts: dict[str, int] = {}
        self._counted: dict[str, int] = {}
        self._settling_s = settling_s(context.clock.speed)
        self._timeseries, self._disputes = timeseries, Disputes()
        self._begins_at = 0.0
        self._said_exports = 0
        """Exports that the supervisor reports as made."""
        self._rss: dict[str, int] = {}
        """The most memory that the supervisor has reported, by what it is of."""

    def begin(self) -> None:
        """All processes run: scenario time begins, or goes on."""
        self._group.poll()
        self._begins_at = time.time()
        if self._timeseries is not None:
            # What was exported before is not of the run.
            list(self._timeseries.arrivals())
        for what, said in self._says.read():
            if said.at < self._began_at:
                self._hear(what, said)
        now_s = self._context.now()
        for name, process in self._group.ids().items():
            for kind in (Kind.PROCESS_STARTED, Kind.PROCESS_HEALTHY):
                self._note(now_s, kind, name)
            self.silent[name] = Life(process, now_s)

    def look(self) -> None:
        """Note what happened to processes."""
        for seen in self._group.poll():
            self._take(seen)

    def _take(self, seen: Seen) -> None:
        t_s = min(self._epochs.one(seen.at), self._context.now())
        match seen.what:
            case Happening.STARTED:
                self._note(t_s, Kind.PROCESS_STARTED, seen.name)
                self.silent[seen.name] = Life(seen.process, t_s)
            case Happening.HEALTHY:
                self._note(t_s, Kind.PROCESS_HEALTHY, seen.name)
            case Happening.ENDED:
                cause = self._cause_of_end(seen)
                t_s = t_s if cause == NO_CAUSE else max(t_s, self.struck_s.get(seen.name, 0.0))
                self._note(t_s, Kind.PROCESS_EXITED, seen.name, cause)
                self.silent.pop(seen.name, None)
            case Happening.ABANDONED:
                self._note(t_s, Kind.PROCESS_ABANDONED, seen.name)
            case Happening.GREEN | Happening.RED if "probes" not in self._says:
                self._probe(t_s, seen.name, green=seen.what is Happening.GREEN)
        if "probes" in self._says:
            self._dispute(seen.name, self._disputes.saw(seen))
            if seen.what in _PROBES:
                # What the supervisor reports of its probes is shown.
                return
        for listener in self.listeners:
            listener(seen)

    def _cause_of_end(self, seen: Seen) -> int:
        vocabulary, cause = self._context.plan.vocabulary, self.expected.pop(seen.name, None)
        status = self._status(seen)
        if cause is not None:
            return cause if status != CLEAN else vocabulary.cause(vocabulary.causes[cause].fault, status)
        return NO_CAUSE if self.stopping else vocabulary.cause("", status)

    def _status(self, seen: Seen) -> str:
        """How a process ended, by soak as its parent, or by its supervisor's word if that is there already."""
        if seen.exit is None and seen.process is not None:
            self.listen()
            return exit_word(self._exits.pop(seen.process.pid, None))
        return exit_word(seen.exit)

    def _note(self, t_s: float, kind: Kind, name: str, cause: int = NO_CAUSE) -> None:
        self._context.note(t_s, kind, worker=self._number[name], cause=cause, value=self._words[name])

    def _probe(self, t_s: float, name: str, *, green: bool) -> None:
        if self.stopping:
            return
        kind, cause = (Kind.PROBE_GREEN, NO_CAUSE) if green else (Kind.PROBE_FAILED, self._blame.at(t_s))
        self._context.note(t_s, kind, worker=self._number[name], cause=cause)

    def _dispute(self, name: str, count: int) -> None:
        """Note that green probes of the supervisor are not what was seen."""
        for _ in range(0 if self.stopping else count):
            self._context.note(self._context.now(), Kind.PROBE_DISPUTED, worker=self._number[name])

    def output(self, name: str, t_s: float) -> None:
        """A process has passed something on at a time: noted, if it is the first since its start."""
        life = self.silent.get(name)
        if life is not None and t_s >= life.started_s:
            self._note(t_s, Kind.PROCESS_OUTPUT, name)
            del self.silent[name]

    # What the supervisor reports.

    def listen(self) -> None:
        """Note what has been exported, and what the supervisor has reported."""
        for at, well in self._timeseries.arrivals() if self._timeseries else ():
            # What is not answered fails when its supervisor gives up, which it says itself.
            if well or "exports" not in self._says:
                self._export(min(self._epochs.one(at), self._context.now()), well=well)
        for what, said in self._says.read():
            self._hear(what, said)

    def _hear(self, what: str, said: Said) -> None:
        """A line of a file. What the stream knows already is not noted again."""
        if what == "restarts":
            self._restart(said)
        t_s = min(self._epochs.one(said.at), self._context.now())
        if t_s <= self._context.known_s:
            return
        match what:
            case "probes" if said.process in self._number and said.green is not None:
                self._probe(t_s, said.process, green=said.green)
                if said.green:
                    self._dispute(said.process, self._disputes.said(said.process, said.at))
                for listener in self.listeners:
                    listener(Seen(said.at, said.process, Happening.GREEN if said.green else Happening.RED))
            case "processes" if said.event == "abandoned" and said.process in self._number:
                self._note(t_s, Kind.PROCESS_ABANDONED, said.process)
            case "processes" if said.event == "exited" and said.pid is not None and said.exit is not None:
                self._exits[said.pid] = said.exit
            case "alerts" if said.state in _ALERTS and said.rule in {*AlertRule} and not self._is_old(said):
                self._context.note(t_s, _ALERTS[said.state], value=self._context.plan.vocabulary.name(said.rule))
            case "resources" if said.rss_bytes is not None:
                self._rss[said.process] = max(said.rss_bytes, self._rss.get(said.process, 0))
            case "exports" if said.ok is not None:
                # One that began before the run may have arrived before it.
                self._said_exports += said.ok and said.at > self._begins_at + _UNDER_WAY_S
                if self._timeseries is None or not said.ok:
                    self._export(t_s, well=said.ok)

    def _is_old(self, said: Said) -> bool:
        """Whether an alert is of a minute that was closed when the runner died: it was reported then."""
        return said.minute is not None and (said.minute + 1) * MINUTE_S + self._settling_s <= self._context.known_s

    def _restart(self, said: Said) -> None:
        if said.process not in self._number:
            return
        last = self._counts.get(said.process, 0)
        count = last + 1 if said.count is None else said.count
        # A supervisor that was started anew counts from the beginning.
        if count <= last:
            self._counted[said.process] = self._counted.get(said.process, 0) + last
        self._counts[said.process] = count
        self.reported[said.process] = self._counted.get(said.process, 0) + count

    def _export(self, t_s: float, *, well: bool) -> None:
        """Time series were exported, or could not be."""
        if well:
            self._context.note(t_s, Kind.EXPORT_MADE)
        else:
            self._context.note(t_s, Kind.EXPORT_FAILED, cause=self._blame.at(t_s))

    def tell_restarts(self, t_s: float, known: Mapping[str, int] | None) -> None:
        """At the end: how often each process was restarted, by its supervisor's own count. known: of one that writes no file."""
        if known is None and "restarts" not in self._says:
            return
        counts = self.reported if known is None else known
        for name, number in self._number.items():
            self._context.note(t_s, Kind.REPORTED_RESTARTS, worker=number, value=counts.get(name, 0))

    def tell_exports(self, t_s: float) -> None:
        """At the end: how often the supervisor says that it exported, where that is counted as it arrives."""
        if self._timeseries is not None and "exports" in self._says:
            self._context.note(t_s, Kind.REPORTED_EXPORTS, value=self._said_exports)

    def tell_resources(self, t_s: float) -> None:
        """At the end: the most memory that the supervisor has reported of each process, if it has reported any."""
        for name, number in self._number.items() if self._rss else ():
            self._context.note(t_s, Kind.REPORTED_PROCESS_RSS, worker=number, value=self._rss.get(name, 0))


class Usage:
    """Samples of the resources of each process, from outside."""

    def __init__(self, context: RunContext, pipeline: Pipeline, group: Group) -> None:
        self._context, self._group = context, group
        self._number = {each.name: number for number, each in enumerate(pipeline.processes)}
        self._known: dict[ProcessId, psutil.Process] = {}
        self._cpu: dict[ProcessId, tuple[float, float]] = {}

    def sample(self, t_s: float) -> None:
        """Note one sample of each process that runs."""
        known: dict[ProcessId, psutil.Process] = {}
        for name, process in self._group.ids().items():
            try:
                each = known[process] = self._known.get(process) or psutil.Process(process.pid)
                with each.oneshot():
                    times, rss, files = each.cpu_times(), each.memory_info().rss, each.num_fds()
            except psutil.Error:
                continue
            number = self._number[name]
            self._context.note(t_s, Kind.SAMPLE_PROCESS_RSS, worker=number, value=rss)
            self._context.note(t_s, Kind.SAMPLE_PROCESS_OPEN_FILES, worker=number, value=files)
            self._note_cpu(t_s, number, process, times.user + times.system)
        self._known = known

    def _note_cpu(self, t_s: float, number: int, process: ProcessId, used_s: float) -> None:
        before_s, before_used_s = self._cpu.get(process, (t_s, used_s))
        self._cpu[process] = t_s, used_s
        if real_s := self._context.clock.real(t_s - before_s):
            share = max(0.0, used_s - before_used_s) / real_s
            self._context.note(t_s, Kind.SAMPLE_PROCESS_CPU, worker=number, value=share)
