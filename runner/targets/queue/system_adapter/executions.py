"""Executions of attempts, each with its planned fate."""

import math
from collections.abc import Callable
from typing import Protocol

from soak.runner.targets.context import RunContext
from soak.runner.targets.queue.names import Workers
from soak.runner.targets.queue.system_adapter.body_server import BodyServer, Execution
from soak.runner.targets.queue.system_adapter.change_reader import ChangeReader
from soak.runner.targets.queue.system_adapter.process_control import ProcessControl
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.queue.actions import BODY_FAILS, Action
from soak.simulation.queue.mishaps import limited, rules

_LOCK_MARGIN_REAL_S, _LOCK_MARGIN_SHARE = 0.005, 0.15
"""A database counts as busy once the timeout is over; the lock is held longer by this time, and this share of the timeout.

SQLite waits in several sleeps, each of which lasts somewhat longer than it asked for.
"""


_FAILS = {Action.TRANSIENT: "transient", Action.PERMANENT: "permanent", Action.TIME_LIMIT: "transient"}
"""How a body ends that fails."""


class WriteLock(Protocol):
    """The write lock of the system's database."""

    def hold(self, then: Callable[[], None]) -> None:
        """Hold the lock, and call `then` as soon as it is held."""

    def release(self) -> None:
        """Release one hold."""


class Executions:
    """Notified by the body server when a body starts and ends, it decides what happens in between.

    Without a `lock`, an attempt that should find the database busy ends late, with a transient error.
    """

    def __init__(
        self,
        context: RunContext,
        workers: Workers,
        change_reader: ChangeReader,
        process_control: ProcessControl,
        body_server: BodyServer,
        busy_timeout_real_s: float,
        lock: WriteLock | None,
    ) -> None:
        body_server.answer(started=self._started, ended=self._ended, lost=self._lost)
        self._body_server = body_server
        self._context = context
        self._workers = workers
        self._plan = context.plan
        self._queue = queue_of(context.plan.scenario)
        self._limited, self._rules = limited(context.plan), rules(context.plan)
        self._change_reader = change_reader
        self._process_control = process_control
        self._lock = lock
        self._locking: set[int] = set()
        self._killed: dict[str, tuple[float, int]] = {}
        """By worker: when its process was killed last, and by which cause. Others of its attempts end with it."""
        self._locked_s = (busy_timeout_real_s * (1 + _LOCK_MARGIN_SHARE) + _LOCK_MARGIN_REAL_S) * context.clock.speed

    def _started(self, execution: Execution) -> None:
        start_s = self._context.clock.scenario(execution.started_at)
        self._note(start_s, Kind.EXECUTION_STARTED, execution)
        service_s, execution.cause, within = self._plan.fate(execution.number, execution.attempt, start_s)
        service_s = self._begun(execution, service_s)
        action, struck_s, end_s = self._action(execution), start_s + within * service_s, start_s + service_s
        if action is Action.CRASH:
            self._context.at(struck_s, lambda: self._context.insist(lambda: self._crash(execution)))
            return
        if action is Action.HANG:
            self._context.at(struck_s, lambda: self._context.insist(lambda: self._hang(execution)))
            end_s += self._plan.fault_of(execution.cause).hang_for_s
        self._context.at(end_s, lambda: self._finish(execution))

    def _begun(self, execution: Execution, service_s: float) -> float:
        """An attempt has begun; returns how long it takes, other than planned if it is slow."""
        slow = self._action(execution) is Action.SLOW
        if slow:
            self._inject(execution)
            service_s *= self._queue.fleet.strikes[self._plan.fault_of(execution.cause).name].factor
        limited_s, cause = self._limited(execution.number, service_s, execution.cause)
        if limited_s < service_s and (slow or not execution.cause):
            if slow:
                self._context.note(self._context.now(), Kind.FAULT_SEEN, cause=execution.cause)
            execution.cause = cause
        if self._action(execution) is Action.TIME_LIMIT:
            self._blame(execution)
        return limited_s

    def _blame(self, execution: Execution) -> None:
        """What becomes of an attempt is put down to its cause."""
        self._change_reader.blame.setdefault(execution.number, {})[execution.attempt] = execution.cause

    def _ended(self, execution: Execution, at: float) -> None:
        t_s = self._context.clock.scenario(at)
        action = self._action(execution)
        if action in {Action.HANG, Action.SLOW}:
            self._context.note(t_s, Kind.FAULT_SEEN, cause=execution.cause)
        self._note_end(t_s, execution, execution.cause if action in BODY_FAILS else NO_CAUSE)
        self._release_later(execution)

    def _lost(self, execution: Execution) -> None:
        """The process of a body is gone: with another one in it that the runner killed, or by itself."""
        now_s, gone = self._context.now(), self._plan.vocabulary.cause("", "process_gone")
        killed_s, cause = self._killed.get(execution.worker, (-math.inf, gone))
        if self._context.clock.scenario(execution.started_at) <= killed_s:
            execution.cause = gone = cause
            self._blame(execution)
        self._note_end(now_s, execution, gone)
        self._lose(now_s, execution, gone)
        self._release_later(execution)

    def _finish(self, execution: Execution) -> None:
        """The service time is over."""
        if execution.over:
            return
        action = self._action(execution)
        if (action in BODY_FAILS or action is Action.DB_LOCK) and action is not Action.TIME_LIMIT:
            self._inject(execution)
        if action is Action.DB_LOCK:
            self._meet_lock(execution)
        elif action in _FAILS:
            error = self._plan.vocabulary.causes[execution.cause].error
            self._body_server.finish(execution, end=_FAILS[action], error=error)
        else:
            over = action is Action.OVER_BUDGET
            self._body_server.finish(
                execution, end="ok", tokens=self._rules(execution.number).hard_tokens + 1 if over else 0
            )

    def _meet_lock(self, execution: Execution) -> None:
        """Its state write finds the database busy for its whole timeout."""
        if (lock := self._lock) is None:
            error = self._plan.vocabulary.causes[execution.cause].error
            late_s = self._context.now() + self._locked_s
            self._context.at(late_s, lambda: self._body_server.finish(execution, end="transient", error=error))
            return

        def write() -> None:
            if execution.over:
                lock.release()
                return
            self._locking.add(id(execution))
            self._body_server.finish(execution, end="ok")

        lock.hold(write)

    def _release_later(self, execution: Execution) -> None:
        """Its write begins now: how long the worker took to hear that its body is over must not count as waiting."""
        if self._lock and id(execution) in self._locking:
            self._locking.remove(id(execution))
            self._context.at(self._context.now() + self._locked_s, self._lock.release)

    def _crash(self, execution: Execution) -> None:
        if execution.over:
            return
        worker = execution.worker
        self._process_control.kill(worker)
        self._killed[worker] = self._context.now(), execution.cause
        now_s = self._dies(execution, execution.cause)
        self._context.note_process(now_s, Kind.PROCESS_EXITED, worker, self._workers.number(worker), execution.cause)
        self._context.at(
            now_s + self._queue.worker_restart_s, lambda: self._context.insist(lambda: self._restart(worker))
        )

    def _lose(self, t_s: float, execution: Execution, cause: int) -> None:
        """A task that was acknowledged as it was handed out is lost with its worker."""
        if self._queue.acks_early:
            self._note(t_s, Kind.TASK_LOST, execution, cause)
            self._change_reader.lost(execution.number)

    def _dies(self, execution: Execution, cause: int) -> float:
        """The process of a body has been killed, now."""
        execution.over, execution.cause, now_s = True, cause, self._context.now()
        self._inject(execution)
        self._note_end(now_s, execution, cause)
        self._lose(now_s, execution, cause)
        return now_s

    def _restart(self, worker: str) -> None:
        """Start the process of a worker again."""
        self._process_control.restart(worker)
        self._context.note_process(self._context.now(), Kind.PROCESS_STARTED, worker, self._workers.number(worker))

    def _hang(self, execution: Execution) -> None:
        if execution.over:
            return
        self._process_control.pause(execution.worker)
        self._inject(execution)
        wakes_s = self._context.now() + self._plan.fault_of(execution.cause).hang_for_s
        self._context.at(wakes_s, lambda: self._process_control.wake(execution.worker))

    def _inject(self, execution: Execution) -> None:
        self._blame(execution)
        self._note(self._context.now(), Kind.FAULT_INJECTED, execution, execution.cause)

    def _note_end(self, t_s: float, execution: Execution, cause: int) -> None:
        ran_s = max(0.0, t_s - self._context.clock.scenario(execution.started_at))
        self._note(t_s, Kind.EXECUTION_ENDED, execution, cause, ran_s)

    def _note(self, t_s: float, kind: Kind, execution: Execution, cause: int = NO_CAUSE, value: float = 0.0) -> None:
        worker = self._workers.number(execution.worker)
        number, attempt = execution.number, execution.attempt
        self._context.note(t_s, kind, number=number, attempt=attempt, worker=worker, cause=cause, value=value)

    def _action(self, execution: Execution) -> Action:
        return Action(self._plan.action[execution.cause])
