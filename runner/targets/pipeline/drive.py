"""One real run of a pipeline: everything is started, the source goes, all is followed, and it is shut down."""

import json
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing
from enum import Enum, auto
from pathlib import Path

from soak.runner.targets.context import RunContext
from soak.runner.targets.losses import put_losses
from soak.runner.targets.offspring import Offspring, offspring_ended
from soak.runner.targets.pipeline.book import Seen
from soak.runner.targets.pipeline.config import CONFIG, REPLAY, SYSTEM, values_of, write_settings
from soak.runner.targets.pipeline.continuation import Continuation
from soak.runner.targets.pipeline.ending import Ending
from soak.runner.targets.pipeline.epochs import FILE as EPOCHS
from soak.runner.targets.pipeline.faults import Faults
from soak.runner.targets.pipeline.feed import AHEAD_REAL_S, EVERY_REAL_S, Feed
from soak.runner.targets.pipeline.flow import Flow
from soak.runner.targets.pipeline.ledgers import Ledgers
from soak.runner.targets.pipeline.logs import Logs
from soak.runner.targets.pipeline.metrics import Metrics
from soak.runner.targets.pipeline.observer import Observer, Usage
from soak.runner.targets.pipeline.places import Place, PlaceKind, places_of
from soak.runner.targets.pipeline.policy import policy_of
from soak.runner.targets.pipeline.remains import note_remains
from soak.runner.targets.pipeline.replayed import plays_back
from soak.runner.targets.pipeline.says import Says
from soak.runner.targets.pipeline.strikes import Struck
from soak.runner.targets.pipeline.timeseries import PORT, TimeSeries
from soak.runner.targets.processes.actions import Actions
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.group import SUPERVISOR, Group
from soak.runner.targets.processes.ours import Ours
from soak.runner.targets.processes.ports import free_ports
from soak.runner.targets.processes.prepared import Prepared, prepare
from soak.runner.targets.processes.theirs import Theirs
from soak.runner.targets.resources import Resources
from soak.schemas.errors import SoakError, writing
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import CENSUS
from soak.schemas.systems.pipeline.settings import SOURCE, pipeline_of
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.templates import expand
from soak.simulation.plan import Plan

_LOOK_REAL_S = 0.05
_READ_REAL_S = 1.0
_HOLD_REAL_S = 0.15
"""A stretch is closed so long after its end: what was written by then can be read."""


class Sends(Enum):
    """Until when the source sends: one of the user's own until it is stopped, one that replays the plan to its end."""

    ALWAYS = auto()
    UNTIL_STOPPED = auto()
    ITS_SHARE = auto()


class Drive:
    """Everything of one run; leaving it as a context ends every process it started."""

    def __init__(
        self, plan: Plan, loaded: LoadedTarget, directory: Path, speed: float, continuation: Continuation
    ) -> None:
        self._plan, self._pipeline, self._speed = plan, pipeline_of(plan.scenario), speed
        self._directory, self._system = directory, directory / SYSTEM
        self._continuation = continuation
        self._stack = ExitStack()
        try:
            self._build(loaded)
        except BaseException:
            self.close()
            raise

    def _build(self, loaded: LoadedTarget) -> None:
        enter, plan, past = self._stack.enter_context, self._plan, self._continuation
        self._offspring: Offspring = enter(offspring_ended(loaded.file.name))
        self._background = enter(Background())
        ports = free_ports(loaded.file.ports)
        settings = write_settings(plan.scenario, self._speed, ports, self._system / CONFIG)
        values = values_of(plan.scenario, plan.seed, self._speed, self._system.resolve())
        prepared = prepare(loaded, self._system, values, ports)
        self._file = prepared.file
        self._tell_source(prepared, settings)
        port = prepared.ports.get(PORT)
        self._timeseries = None if port is None else enter(closing(TimeSeries(self._background, port)))
        self._context = RunContext.held(plan, self._speed, past.known_s, past.from_s)
        self._flow = Flow(plan, places_of(self._pipeline, self._file), self._speed)
        self._epochs = past.epochs
        ours = plays_back(loaded)
        self._ledgers = Ledgers(
            plan, self._flow, self._file.streams.get(SOURCE), self._epochs, self._directory, ours=ours
        )
        self._stack.callback(self._ledgers.close_files)
        self._ledgers.open(past.restore(self._ledgers))
        plan.is_offered = ours
        self._feed = None
        self._sends = Sends.ALWAYS if self._file.source is not None and not ours else Sends.ITS_SHARE
        if ours:
            first = past.next_record(self._flow)
            self._feed = enter(closing(Feed(plan, self._system / REPLAY, self._speed, first)))
            self._feed.write(past.from_s + AHEAD_REAL_S * self._speed)
        self._start(prepared)

    def _start(self, prepared: Prepared) -> None:
        enter, past = self._stack.enter_context, self._continuation
        names = tuple(each.name for each in self._pipeline.processes)
        kind = Ours if self._file.supervisor is None else Theirs
        policy = policy_of(self._pipeline.supervisor, self._speed)
        self._group: Group = kind(prepared, self._background, policy, names)
        self._stack.callback(self._group.end_now)
        self._group.start()
        launcher = prepared.launcher
        self._actions = enter(closing(Actions(self._background, launcher.environment, launcher.here)))
        files = self._file.supervisor.says if self._file.supervisor else {}
        beside = (self._epochs, self._flow.blame, past.began_at, self._timeseries)
        self._observer = Observer(self._context, self._pipeline, self._group, Says(files), *beside)
        self._usage = Usage(self._context, self._pipeline, self._group)
        logs = {each.name: Path(each.log) for each in self._file.processes if each.log is not None}
        numbered = {number: logs[name] for number, name in enumerate(names) if name in logs}
        self._logs = enter(closing(Logs(self._context, numbered)))
        self._metrics = Metrics(self._context, self._pipeline, self._group, self._background, self._ledgers)
        self._resources = Resources(self._context, self._pids, self._directory)
        struck = Struck(
            self._context,
            self._pipeline,
            self._file,
            self._group,
            self._observer,
            self._ledgers,
            self._flow,
            self._metrics,
            self._actions,
            self._timeseries,
            self._system,
        )
        self._faults = Faults(self._context, struck)
        self._stack.callback(self._faults.undo)
        self._observer.listeners.append(self._faults.saw)
        self._ending = Ending(self._context, self._pipeline, self._group, self._offspring, prepared)
        if (checking := self._plan.checking) is not None:
            checking.know({f"port.{name}": str(port) for name, port in prepared.ports.items()})
        self._stack.callback(self._context.close)

    def _tell_source(self, prepared: Prepared, settings: Mapping[str, object]) -> None:
        """Leave beside the evidence with what the system was configured."""
        path = self._system / "source.json"
        with writing(path):
            path.write_text(json.dumps({"endpoint": None, "region": None, "configuration": settings}, indent=2) + "\n")

    def _pids(self) -> dict[str, int]:
        found = {name: each.pid for name, each in self._group.ids().items()}
        if supervisor := self._group.programs.processes().get(SUPERVISOR):
            found[SUPERVISOR] = supervisor.pid
        return found

    def __enter__(self) -> "Drive":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything."""
        self._stack.close()

    def blocks(self) -> Generator[Block, None, None]:
        """The events of the run, a block at a time."""
        context = self._context
        self._go()
        self._flow.journal = context.journal
        self._ledgers.on_rows = self._passed_on
        every_s = context.plan.scenario.telemetry.sample_interval_s
        hold_s = _HOLD_REAL_S * self._speed
        self._complete_s = context.from_s
        context.every(every_s, lambda: self._close_stretch((context.now() - hold_s) // every_s * every_s), hold_s)
        context.every_real(_READ_REAL_S, self._read)
        put_losses(context)
        self._resources.start()
        self._faults.start()
        try:
            taken_s = context.from_s
            while not context.is_over(self._is_open):
                until_s = context.now() + context.flush_s
                self._go_on(until_s)
                if self._complete_s > taken_s:
                    taken_s = self._complete_s
                    yield context.journal.take(taken_s)
            yield from self._shut_down()
        except SoakError:
            # What was seen before it failed is evidence, too.
            yield context.journal.take(context.now())
            raise

    def _go(self) -> None:
        """Everything is ready: scenario time begins, or goes on."""
        context, source = self._context, self._file.source
        self._metrics.begin()
        context.go()
        started_at = context.clock.started_at
        self._epochs.begin(time.time(), started_at, self._directory / EPOCHS)
        if source and source.go:
            action = expand(source.go, {"epoch": f"{started_at:.6f}"})
            if failed := self._actions.do(action):
                raise SoakError(f"the source does not go: {failed} (correct source.go of the target file)")
        self._observer.begin()
        # Also where the supervisor reports its probes: what it says is held against them.
        self._group.probes_from(time.monotonic() - context.clock.real(context.now()))

    def _end_source(self) -> None:
        """The time of arrivals is over: of what is sent from now on, some would always be on its way."""
        if self._sends is Sends.ALWAYS:
            self._group.programs.ask_to_stop(SOURCE)
            self._sends = Sends.UNTIL_STOPPED
        elif self._sends is Sends.UNTIL_STOPPED and self._group.programs.is_stopped(SOURCE):
            self._sends = Sends.ITS_SHARE

    def _go_on(self, until_s: float) -> None:
        """Let it run up to a time."""
        context = self._context
        while (now_s := context.now()) < until_s:
            self._observer.look()
            context.agenda.run(context.now())
            if now_s >= self._plan.ends_s:
                self._end_source()
            wait_s = context.clock.real(min(context.agenda.next_s, until_s) - now_s)
            time.sleep(max(0.0, min(_LOOK_REAL_S, wait_s)))

    def _read(self) -> None:
        if self._feed is not None:
            self._feed.write(self._context.now() + (AHEAD_REAL_S + EVERY_REAL_S) * self._speed)
        self._observer.listen()
        self._ledgers.read(self._context.now())
        self._logs.look()
        if why := self._group.cannot_go_on():
            raise SoakError(f"the run cannot go on: {why}")

    def _passed_on(self, place: Place, seen: Seen) -> None:
        """Rows came to a place: perhaps the first since their process was started."""
        writer = self._pipeline.writer(place.stream) if place.kind is PlaceKind.SINK else place.part
        if writer is None or (life := self._observer.silent.get(self._pipeline.processes[writer].name)) is None:
            return
        after_s = seen.at_s[seen.at_s >= life.started_s]
        if len(after_s):
            self._observer.output(self._pipeline.processes[writer].name, float(after_s.min()))

    def _close_stretch(self, until_s: float) -> None:
        if until_s <= self._complete_s:
            return
        self._read()
        self._metrics.take(until_s)
        self._metrics.ask()
        self._usage.sample(self._context.now())
        self._ledgers.close(until_s)
        self._ledgers.readable.say_early()
        self._complete_s = until_s

    def _is_open(self) -> bool:
        """Whether something of the run is still to come: records on their way, minutes to close, faults to undo."""
        self._read()
        flow, plan = self._flow, self._plan
        if self._context.now() < plan.ends_s + flow.settling_s + 2 * _HOLD_REAL_S * self._speed:
            return True
        sent_all = self._feed is None or (self._feed.ended and flow.book.sent > self._feed.last)
        sending = self._sends is not Sends.ITS_SHARE
        waits = any(value > 0 for value in flow.waiting.now().values())
        lags = any(flow.lags(place) for place in flow.places)
        return not sent_all or sending or waits or lags or any(self._faults.under_way)

    def _shut_down(self) -> Generator[Block, None, None]:
        context = self._context
        self._metrics.ask()
        self._metrics.take(context.now(), patiently=True)
        self._read()
        self._faults.undo()
        self._observer.stopping = True
        self._ending.begin()
        while not self._ending.is_over():
            self._observer.look()
            time.sleep(_LOOK_REAL_S)
        self._observer.look()
        self._observer.listen()
        self._ledgers.read(context.now())
        self._ending.note_orphans()
        known = (
            {name: self._group.restarts(name) for name in self._group.processes}
            if isinstance(self._group, Ours)
            else None
        )
        now_s = context.now()
        self._ledgers.close(now_s)
        self._logs.look()
        self._observer.tell_restarts(now_s, known)
        self._observer.tell_resources(now_s)
        self._observer.tell_exports(now_s)
        self._logs.tell_sizes(now_s)
        note_remains(self._flow, self._pipeline, now_s, self._ledgers.unread())
        for kind in CENSUS.values():
            context.note(now_s, kind)
        yield context.journal.take(now_s)
