"""One real run of the orchestrator: it is started, driven through the plan, watched, and stopped again."""

import selectors
from collections.abc import Generator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from soak.contract import Change
from soak.runner.targets.context import RunContext
from soak.runner.targets.losses import put_losses
from soak.runner.targets.queue.names import Workers
from soak.runner.targets.queue.orchestrator.continuation import Continuation
from soak.runner.targets.queue.orchestrator.disk import Disk
from soak.runner.targets.queue.orchestrator.lock import Lock
from soak.runner.targets.queue.orchestrator.outages import Outages
from soak.runner.targets.queue.orchestrator.pulse import FILE, Pulse
from soak.runner.targets.queue.orchestrator.system import OrchestratorSystem
from soak.runner.targets.queue.orchestrator.target import DATABASE, needs_disk
from soak.runner.targets.queue.settings import system_settings
from soak.runner.targets.queue.system_adapter.body_server import BodyServer
from soak.runner.targets.queue.system_adapter.change_reader import ChangeReader
from soak.runner.targets.queue.system_adapter.drive import drive
from soak.runner.targets.queue.system_adapter.fleet import make_executions
from soak.runner.targets.queue.system_adapter.sampler import Sampler
from soak.runner.targets.resources import Resources
from soak.runner.targets.sockets import socket_directory
from soak.runner.targets.users_submitter import submitter_of
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan

_WATCH_REAL_S = 1.0


class Drive:
    """Everything of one run; leaving it as a context ends every process it started."""

    def __init__(self, plan: Plan, directory: Path, speed: float, continuation: Continuation) -> None:
        self._plan = plan
        self._varies = queue_of(plan.scenario).fleet.varies
        self._continuation = continuation
        self._stack = ExitStack()
        try:
            self._build(directory, speed)
        except BaseException:
            self._stack.close()
            raise

    def _build(self, directory: Path, speed: float) -> None:
        plan, past, enter = self._plan, self._continuation, self._stack.enter_context
        sockets = Path(enter(socket_directory()))
        disk = enter(closing(self._own_disk(directory))) if needs_disk(plan.scenario) else None
        self._selector = enter(selectors.DefaultSelector())
        self._body_server = body_server = enter(closing(BodyServer(sockets / "desk", self._selector)))
        settings = system_settings(plan.scenario, directory, body_server.path, speed)
        database = ((disk.place if disk else directory) / DATABASE).resolve()
        self._context = context = RunContext.held(plan, speed, past.history.until_s, past.from_s)
        # Closed after the system: what that does while stopping is not observed either.
        self._pulse = enter(closing(Pulse(directory / FILE, context.now)))
        self._system = system = enter(
            closing(OrchestratorSystem(settings, database, past.last_event, held=True, finishes=self._varies))
        )
        lock = enter(closing(Lock(database, self._selector)))
        self._workers = Workers(queue_of(plan.scenario))
        self._change_reader = change_reader = ChangeReader(context, self._changes, self._workers)
        for task_id, number in past.tasks.items():
            change_reader.accepted(task_id, number)
        past.restore_blame(plan, change_reader)
        known, recorded = partial(past.knew, context=context, change_reader=change_reader), past.history.offered
        self._submitter, change_reader.ended = submitter_of(
            context, system, change_reader.answered, known, system, recorded, past.history.closed_s
        )
        bodies = context, self._workers, change_reader, system, body_server, settings.busy_timeout_s, lock
        self._fleet = make_executions(*bodies, system.snapshot)
        self._outages = Outages(context, system, lock, disk)
        self._samples = (
            Sampler(context, system.snapshot, system.files, lambda: self._submitter.oldest_deferred_s),
            Resources(context, system.processes, directory),
        )
        enter(closing(context))

    def _own_disk(self, directory: Path) -> Disk:
        return Disk(directory / "disk", self._plan.rate.expected(self._plan.scenario.duration_s))

    def _changes(self) -> list[Change]:
        return self._continuation.moved(self._system.changes())

    def __enter__(self) -> "Drive":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def blocks(self) -> Generator[Block, None, None]:
        """The events of the run, a block at a time."""
        self._continuation.close_the_ledger(self._context)
        put_losses(self._context)
        for sampler in self._samples:
            sampler.start()
        self._context.every_real(_WATCH_REAL_S, self._revive)
        self._submitter.start()
        self._go()
        yield from drive(
            self._context,
            self._selector,
            self._system,
            self._system,
            self._body_server,
            self._change_reader,
            self._submitter,
        )

    def _go(self) -> None:
        """Start the clock now that everything is ready: startup is not part of the run."""
        self._context.go()
        self._continuation.let_clocks_stand_still(self._context.clock.started_at)
        # Only now: one that is taken up again may lock the database.
        self._outages.start()
        self._pulse.start()
        self._system.go()

    def _revive(self) -> None:
        """Restart processes that exited by themselves."""
        for name in self._system.gone():
            if self._fleet and self._fleet.is_leaving(name):
                continue
            now_s, died = self._context.now(), self._plan.vocabulary.cause("", "died")
            self._system.lost(name)
            self._context.note_process(now_s, Kind.PROCESS_EXITED, name, self._workers.known(name), died)
            if self._fleet and self._workers.known(name) >= 0:
                self._fleet.died(name)
            self._context.at(now_s + queue_of(self._plan.scenario).worker_restart_s, partial(self._restart, name))

    def _restart(self, name: str) -> None:
        if self._fleet and self._workers.known(name) >= 0:
            self._fleet.revive(name)
            return
        self._system.restart(name)
        self._context.note_process(self._context.now(), Kind.PROCESS_STARTED, name, self._workers.known(name))
