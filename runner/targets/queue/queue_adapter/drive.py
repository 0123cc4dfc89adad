"""One real run against an attached queue: one thread, an agenda and a real clock."""

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

from soak.contract import Accepted, BusyError, Queue, QueueSettings, Refused
from soak.runner.console import remark
from soak.runner.targets.caller import PATIENCE_S, ContractError
from soak.runner.targets.context import FLUSH_REAL_S, RunContext
from soak.runner.targets.losses import put_losses
from soak.runner.targets.queue.queue_adapter.caller import QueueCaller
from soak.runner.targets.queue.queue_adapter.fleet import FleetWorkers
from soak.runner.targets.queue.queue_adapter.reports import Reports
from soak.runner.targets.queue.queue_adapter.tasks import Tasks
from soak.runner.targets.queue.queue_adapter.workers import Workers
from soak.runner.targets.queue.settings import LEAST_INTERVAL_REAL_S, queue_settings
from soak.runner.targets.resources import Resources
from soak.runner.targets.submitter import Submission, refused
from soak.runner.targets.users_submitter import submitter_of
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import COPY, Kind
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan

_AFTER_POLL_S = 1e-6
"""Rounds of the watchdog and samples often fall on a poll: so they come with its claims, not before them."""


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
        settings = queue_settings(plan.scenario, directory, speed)
        self._queue = QueueCaller(kind, settings, patience_s)
        self._context = RunContext.begin(plan, speed)
        self._tasks = Tasks(self._queue, plan.vocabulary, plan.kind_of)
        intakes = self._queue if self._queue.thread_safe else None
        self._submitter, self._tasks.ended = submitter_of(self._context, self._queue, self._answered, intakes=intakes)
        self._reports = Reports(self._context, self._queue, self._tasks)
        workers = FleetWorkers if queue_of(plan.scenario).fleet.varies else Workers
        self._workers = workers(self._context, self._queue, self._tasks, self._reports, settings.heartbeat_s * speed)
        self._resources = Resources(self._context, dict, directory)

    def __enter__(self) -> "Drive":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()
        try:
            self._queue.close()
        except (BusyError, ContractError) as error:
            # A run of days must not lose its verdict over this, and the error would hide what ended the run.
            remark(f"{error or 'it is busy'} (at the end of the run: {self._queue.name} was not closed)")

    def blocks(self) -> Generator[Block, None, None]:
        """The events of the run, a block every FLUSH_REAL_S; the last one ends with the queue's own census."""
        context = self._context
        self._put_on_the_agenda()
        try:
            while not self._go_on(context.now() + FLUSH_REAL_S * context.clock.speed):
                yield context.journal.take(context.now())
        except Exception:
            # Events before the queue failed are evidence, too.
            yield context.journal.take(context.now())
            if count := self._tasks.claimed_twice:
                remark(
                    f"{self._queue.name}.claim handed out a task that another worker held, {count} times, before the error below"
                )
            raise
        until_s = context.now()
        context.take_census(self._queue.snapshot, until_s)
        yield context.journal.take(until_s)

    def _put_on_the_agenda(self) -> None:
        context, queue = self._context, queue_of(self._context.plan.scenario)
        least_s = LEAST_INTERVAL_REAL_S * context.clock.speed
        self._submitter.start()
        put_losses(context)
        self._resources.start()
        after_s = _AFTER_POLL_S if self._queue.thread_safe else 0.0
        context.every(max(least_s, queue.watchdog_interval_s), self._reports.recover, after_s)
        context.every(context.plan.scenario.telemetry.sample_interval_s, self._sample, after_s)
        for share in range(queue.dispatchers):
            interval_s = max(least_s, queue.poll_interval_s)
            context.every(interval_s, self._workers.poll, interval_s * share / queue.dispatchers)

    def _go_on(self, until_s: float) -> bool:
        """Do what is due up to `until_s`; returns whether the run is over."""
        context = self._context
        while (now_s := context.now()) < until_s:
            time.sleep(context.clock.real(max(0.0, min(context.agenda.next_s, until_s) - now_s)))
            self._act()
            if context.is_over(lambda: not self._submitter.over or bool(self._tasks.open)):
                self._workers.drop()
                return True
        return False

    def _act(self) -> None:
        """Do what is due now. What workers claimed at the same time is taken last, so that it follows from the rest."""
        try:
            self._context.agenda.run(self._context.now())
        except ContractError:
            with suppress(ContractError):
                self._workers.collect()
            raise
        self._workers.collect()

    def _answered(self, work: Submission, answer: Accepted | Refused) -> None:
        now_s = self._context.now()
        if isinstance(answer, Accepted):
            self._tasks.accepted(answer.task_id, work.number, work.due_s)
            self._context.note(now_s, Kind.TASK_ENQUEUED, number=work.number, cause=work.cause, value=work.due_s)
        elif work.number & COPY:
            self._context.note(now_s, Kind.TASK_SKIPPED, number=work.number, cause=work.cause)
        else:
            raise self._queue.broke("enqueue", refused(work))

    def _sample(self) -> None:
        """Sample the queue; a busy one is not asked again before the next sample."""
        now_s, deferred_s = self._context.now(), self._submitter.oldest_deferred_s
        oldest_due_s = min(self._tasks.due_s.values(), default=now_s)
        oldest_s = max(0.0, now_s - min(oldest_due_s, now_s if deferred_s is None else deferred_s))
        self._context.note(now_s, Kind.SAMPLE_OLDEST_PENDING, value=oldest_s)
        try:
            pending = self._queue.snapshot().pending
        except BusyError:
            return
        self._context.note(now_s, Kind.SAMPLE_QUEUE_DEPTH, value=pending)
        self._context.note(now_s, Kind.SAMPLE_BUSY_WORKERS, value=self._workers.busy)
