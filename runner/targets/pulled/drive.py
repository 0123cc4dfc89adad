"""One real run against an attached queue: one thread, an agenda and a real clock."""

import math
import time
from collections.abc import Callable, Generator
from pathlib import Path

from runner.console import remark
from runner.targets.agenda import Agenda
from runner.targets.clock import Clock
from runner.targets.contract import BusyError, Queue, QueueSettings, Snapshot
from runner.targets.journal import Journal
from runner.targets.pulled.caller import PATIENCE_S, Caller, ContractError
from runner.targets.pulled.faults import put_losses
from runner.targets.pulled.reports import Reports
from runner.targets.pulled.submitter import AGAIN_REAL_S, Submitter
from runner.targets.pulled.tasks import Tasks
from runner.targets.pulled.workers import Workers
from schemas.block import Block
from schemas.events import CENSUS, Kind
from schemas.model import Queue as Model
from simulation.plan import Plan

FLUSH_REAL_S = 1.0
"""How often what happened is handed to the judge and the event stream."""

LEAST_INTERVAL_REAL_S = 0.002
"""Polls, heartbeats and watchdog rounds come no more often than this."""


def settings_of(queue: Model, directory: Path, speed: float) -> QueueSettings:
    """The scenario's queue in real seconds."""
    return QueueSettings(
        directory=directory,
        lease_s=queue.lease_s / speed,
        heartbeat_s=max(LEAST_INTERVAL_REAL_S, queue.heartbeat_s / speed),
        backoff_s=tuple(backoff_s / speed for backoff_s in queue.backoff_s),
        max_attempts=queue.max_attempts,
        soft_tokens=queue.soft_tokens,
        hard_tokens=queue.hard_tokens,
        workers=queue.workers,
        speed=speed,
    )


class Drive:
    """Everything of one run; leaving it as a context closes the queue."""

    def __init__(
        self,
        plan: Plan,
        kind: Callable[[QueueSettings], Queue],
        directory: Path,
        speed: float,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._plan = plan
        settings = settings_of(plan.scenario.queue, directory, speed)
        self._queue = Caller(kind, settings, patience_s)
        self._agenda, self._journal = Agenda(), Journal(plan, 0.0)
        self._clock = Clock(speed, time.time())
        self._tasks = Tasks(self._queue, plan.vocabulary)
        of_the_queue = self._queue, self._tasks
        on_the_way = plan, self._clock, self._agenda, self._journal
        self._submitter = Submitter(*on_the_way, *of_the_queue)
        self._workers = Workers(*on_the_way, *of_the_queue, settings.heartbeat_s * speed)
        self._reports = Reports(plan, self._clock, self._journal, *of_the_queue)

    def __enter__(self) -> "Drive":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._queue.close()
        except (BusyError, ContractError) as error:
            # A run of days does not lose its verdict to that; and it would hide what ended the run.
            remark(f"{error or 'it is busy'} (at the end of the run: {self._queue.name} is not closed)")

    def blocks(self) -> Generator[Block, None, None]:
        """The events of the run, a block every FLUSH_REAL_S; the last one ends with the queue's own census."""
        self._put_on_the_agenda()
        while not self._go_on(self._clock.now() + FLUSH_REAL_S * self._clock.speed):
            yield self._journal.take(self._clock.now())
        until_s = self._clock.now()
        self._census(until_s)
        yield self._journal.take(until_s)

    def _put_on_the_agenda(self) -> None:
        queue, least_s = self._plan.scenario.queue, LEAST_INTERVAL_REAL_S * self._clock.speed
        self._submitter.start()
        put_losses(self._plan, self._clock, self._agenda, self._journal)
        self._every(max(least_s, queue.watchdog_interval_s), self._reports.recover)
        self._every(self._plan.scenario.telemetry.sample_interval_s, self._sample)
        for share in range(queue.dispatchers):
            interval_s = max(least_s, queue.poll_interval_s)
            self._every(interval_s, self._workers.poll, interval_s * share / queue.dispatchers)

    def _every(self, interval_s: float, action: Callable[[], None], phase_s: float = 0.0) -> None:
        """Do `action` at every multiple of the interval, shifted by `phase_s`; those that are missed are left out."""

        def again() -> None:
            action()
            put()

        def put() -> None:
            rounds = math.floor((self._clock.now() - phase_s) / interval_s) + 1
            self._agenda.at(rounds * interval_s + phase_s, again)

        put()

    def _go_on(self, until_s: float) -> bool:
        """Do what is due up to `until_s`; returns whether the run is over."""
        while (now_s := self._clock.now()) < until_s:
            time.sleep(self._clock.real(max(0.0, min(self._agenda.next_s, until_s) - now_s)))
            self._agenda.run(self._clock.now())
            if self._is_over():
                return True
        return False

    def _is_over(self) -> bool:
        """Whether the time is up, or all work was submitted after the end of arrivals and nothing is open."""
        scenario, now_s = self._plan.scenario, self._clock.now()
        if now_s < scenario.duration_s:
            return False
        return now_s >= scenario.horizon_s or (self._submitter.over and not self._tasks.open)

    def _sample(self) -> None:
        """Note the state of the queue; one that is busy is not asked again before the next sample."""
        now_s = self._clock.now()
        try:
            pending = self._queue.snapshot().pending
        except BusyError:
            return
        oldest_s = max(0.0, now_s - min(self._tasks.due_s.values(), default=now_s))
        self._journal.note(now_s, Kind.SAMPLE_QUEUE_DEPTH, value=pending)
        self._journal.note(now_s, Kind.SAMPLE_OLDEST_PENDING, value=oldest_s)
        self._journal.note(now_s, Kind.SAMPLE_BUSY_WORKERS, value=self._workers.busy)

    def _census(self, until_s: float) -> None:
        """Note what the queue itself holds; nothing when it stays busy, and then the verdict is not PASS."""
        snapshot = self._snapshot(time.monotonic() + PATIENCE_S)
        for state, kind in CENSUS.items() if snapshot else ():
            self._journal.note(until_s, kind, value=getattr(snapshot, state.name.lower()))

    def _snapshot(self, until: float) -> Snapshot | None:
        while time.monotonic() < until:
            try:
                return self._queue.snapshot()
            except BusyError:
                time.sleep(AGAIN_REAL_S)
        return None
