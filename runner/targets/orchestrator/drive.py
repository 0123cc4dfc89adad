"""One real run: the system is started, driven through the plan, watched, and stopped again."""

import selectors
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from runner.targets.agenda import Agenda
from runner.targets.clock import Clock
from runner.targets.history import History
from runner.targets.journal import Journal
from runner.targets.orchestrator.body import DESK
from runner.targets.orchestrator.continuation import Continuation
from runner.targets.orchestrator.desk import Desk
from runner.targets.orchestrator.disk import Disk
from runner.targets.orchestrator.executions import Executions
from runner.targets.orchestrator.follower import Follower
from runner.targets.orchestrator.lock import Lock
from runner.targets.orchestrator.names import process_index
from runner.targets.orchestrator.outages import Outages
from runner.targets.orchestrator.sampler import Sampler
from runner.targets.orchestrator.settings import settings_of, write_settings
from runner.targets.orchestrator.submitter import Submitter
from runner.targets.orchestrator.system import System
from runner.targets.orchestrator.target import DATABASE, needs_disk
from schemas.block import Block
from schemas.events import CENSUS, NO_CAUSE, Kind
from simulation.plan import Plan
from systems.orchestrator.db_store import Store
from systems.orchestrator.model import TaskState as SystemState

FLUSH_REAL_S = 1.0
"""How often what happened is handed to the judge and the event stream."""

_READ_REAL_S = 0.05
_WATCH_REAL_S = 0.25


class Drive:
    """Everything of one run; leaving it as a context ends every process it started."""

    def __init__(self, plan: Plan, directory: Path, speed: float, history: History | None = None) -> None:
        self._plan = plan
        self._continuation = Continuation(directory / DATABASE, history)
        self._stack = ExitStack()
        try:
            self._build(directory, speed)
        except BaseException:
            self._stack.close()
            raise

    def _build(self, directory: Path, speed: float) -> None:
        plan, enter = self._plan, self._stack.enter_context
        sockets = Path(enter(tempfile.TemporaryDirectory(prefix="soak-")))
        disk = enter(closing(self._own_disk(directory))) if needs_disk(plan.scenario) else None
        database = ((disk.place if disk else directory) / DATABASE).resolve()
        settings = settings_of(plan.scenario.queue, database, sockets, speed)
        write_settings(settings, sockets / "settings.json")
        self._selector = enter(selectors.DefaultSelector())
        past = self._continuation.history
        self._agenda, self._journal = Agenda(), Journal(plan, past.until_s)
        self._store = enter(closing(Store(database, replace(settings, busy_timeout_s=0.0))))
        self._lock = enter(closing(Lock(database, self._selector)))
        desk = enter(closing(Desk(sockets / "desk", self._selector)))
        self._system = enter(closing(System(plan.scenario.queue, directory, sockets, {DESK: str(desk.path)})))
        self._system.wait_until_ready()
        self._clock = Clock(speed, time.time() - past.until_s / speed)
        self._follower = Follower(self._store, self._journal, self._clock, plan.vocabulary)
        self._follower.go_on(self._continuation)
        common = plan, self._clock, self._agenda, self._journal
        self._submitter = Submitter(*common, self._follower, self._store, self._continuation)
        self._outages = Outages(*common, self._system, self._lock, disk, database)
        self._sampler = Sampler(self._clock, self._journal, self._store, self._system, database)
        Executions(*common, self._follower, self._system, self._lock, desk, settings.busy_timeout_s)

    def _own_disk(self, directory: Path) -> Disk:
        return Disk(directory / "disk", self._plan.rate.mean_per_s * self._plan.scenario.duration_s)

    def __enter__(self) -> "Drive":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def blocks(self) -> Generator[Block, None, None]:
        """The events of the run, a block every FLUSH_REAL_S."""
        self._close_the_ledger()
        self._put_on_the_agenda()
        over = False
        while not over:
            over = self._go_on(self._clock.now() + FLUSH_REAL_S * self._clock.speed)
            until_s = self._clock.now()
            self._follower.read()
            if not over:
                yield self._journal.take(until_s)
        self._system.close()
        self._follower.read()
        until_s = self._clock.now()
        counts = self._store.snapshot().counts
        for state, kind in CENSUS.items():
            self._journal.note(until_s, kind, value=counts[SystemState[state.name]])
        yield self._journal.take(until_s)

    def _close_the_ledger(self) -> None:
        """What ran when the runner was gone did not outlive it."""
        past, gone = self._continuation.history, self._plan.vocabulary.cause("", "runner_gone")
        for key, each in past.running.items():
            cause = NO_CAUSE if key in self._continuation.done else gone
            ran_s = past.until_s - each.started_s
            at = {"number": each.number, "attempt": each.attempt, "worker": each.worker}
            self._journal.note(past.until_s, Kind.EXECUTION_ENDED, cause=cause, value=ran_s, **at)

    def _put_on_the_agenda(self) -> None:
        self._submitter.start()
        self._outages.start()
        self._every(self._plan.scenario.telemetry.sample_interval_s, self._sampler.sample)
        self._every(_READ_REAL_S * self._clock.speed, self._follower.read)
        self._every(_WATCH_REAL_S * self._clock.speed, self._revive)

    def _every(self, interval_s: float, action: Callable[[], None]) -> None:
        def again() -> None:
            action()
            self._agenda.at(self._clock.now() + interval_s, again)

        self._agenda.at(self._clock.now() + interval_s, again)

    def _go_on(self, until_s: float) -> bool:
        """Do what is due and hear what is said up to `until_s`; returns whether the run is over."""
        while (now_s := self._clock.now()) < until_s:
            wait_s = self._clock.real(min(self._agenda.next_s, until_s) - now_s)
            for key, _ in self._selector.select(max(0.0, wait_s)):
                key.data()
            self._agenda.run(self._clock.now())
            if self._is_over():
                return True
        return False

    def _is_over(self) -> bool:
        """Whether the time is up, or all work was submitted after the end of arrivals and nothing is open."""
        scenario, now_s = self._plan.scenario, self._clock.now()
        if now_s < scenario.duration_s:
            return False
        return now_s >= scenario.horizon_s or (
            self._submitter.over and not self._submitter.waiting and not self._follower.open_tasks
        )

    def _revive(self) -> None:
        """Start again what ended without being told to."""
        for name in self._system.gone():
            now_s, died = self._clock.now(), self._plan.vocabulary.cause("", "died")
            self._system.lost(name)
            self._journal.note(now_s, Kind.PROCESS_EXITED, worker=process_index(name), cause=died)
            restart_s = now_s + self._plan.scenario.queue.worker_restart_s
            self._agenda.at(restart_s, partial(self._restart, name))

    def _restart(self, name: str) -> None:
        self._system.restart(name)
        self._journal.note(self._clock.now(), Kind.PROCESS_STARTED, worker=process_index(name))
