"""Executions on workers that come and go."""

from collections.abc import Callable
from typing import Protocol

from soak.contract import BusyError, Snapshot
from soak.runner.targets.context import RunContext
from soak.runner.targets.queue.fleet import roster_of
from soak.runner.targets.queue.names import Workers
from soak.runner.targets.queue.system_adapter.body_server import BodyServer, Execution
from soak.runner.targets.queue.system_adapter.caller import SystemCaller
from soak.runner.targets.queue.system_adapter.change_reader import ChangeReader
from soak.runner.targets.queue.system_adapter.executions import Executions, WriteLock
from soak.runner.targets.queue.system_adapter.process_control import ProcessControl, ProcessIds
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.settings import queue_of

_LOOK_REAL_S = 0.005
"""How often it is looked whether a worker that was asked to stop has ended."""


class Processes(ProcessControl, Protocol):
    """Processes of workers that can be started and asked to stop."""

    def start_worker(self, name: str) -> None:
        """Start a worker, of a name that may be new."""

    def terminate(self, name: str) -> None:
        """SIGTERM: it finishes its attempt and exits."""

    def has_ended(self, name: str) -> bool:
        """Whether a process that was asked to stop has exited; then it is forgotten."""


class AttachedProcesses(ProcessIds):
    """Those of a system that owns its workers: they die and are restarted; nothing asks them to stop."""

    def __init__(self, system: SystemCaller, insist: Callable[[Callable[[], None]], None]) -> None:
        super().__init__(system)
        self._insist = insist

    def start_worker(self, name: str) -> None:
        """Ask the system to restart a worker that was killed."""
        self._insist(lambda: self.restart(name))

    def terminate(self, name: str) -> None:
        """Not of such a system: it is refused before the run."""
        raise NotImplementedError

    def has_ended(self, name: str) -> bool:
        """Not of such a system: it is refused before the run."""
        raise NotImplementedError


class FleetExecutions(Executions):
    """Executions of attempts by workers whose number changes."""

    def __init__(
        self,
        context: RunContext,
        workers: Workers,
        change_reader: ChangeReader,
        process_control: Processes,
        body_server: BodyServer,
        busy_timeout_real_s: float,
        lock: WriteLock | None,
        snapshot: Callable[[], Snapshot],
    ) -> None:
        super().__init__(context, workers, change_reader, process_control, body_server, busy_timeout_real_s, lock)
        self._processes = process_control
        self._snapshot = snapshot
        self._last_pending = 0
        self._running: dict[int, Execution] = {}
        self._idle_s: dict[int, float] = {}
        self._slowed: dict[int, int] = {}
        self._roster = roster_of(context, self)

    # What happens to workers anyway.

    def _begun(self, execution: Execution, service_s: float) -> float:
        number = self._workers.number(execution.worker)
        self._running[number] = execution
        self._slowed.pop(number, None)
        begun_s = self._context.clock.scenario(execution.started_at)
        self._change_reader.begun(execution.worker, execution.number, execution.attempt, begun_s)
        factor, slowed = self._roster.slowed(number)
        if slowed:
            self._slowed[number] = slowed
        return super()._begun(execution, service_s * factor)

    def _ended(self, execution: Execution, at: float) -> None:
        number = self._rests(execution)
        if slowed := self._slowed.pop(number, NO_CAUSE):
            self._context.note(self._context.clock.scenario(at), Kind.FAULT_SEEN, cause=slowed)
        super()._ended(execution, at)

    def _lost(self, execution: Execution) -> None:
        self._rests(execution)
        super()._lost(execution)

    def _rests(self, execution: Execution) -> int:
        number = self._workers.number(execution.worker)
        self._running.pop(number, None)
        self._idle_s[number] = self._context.now()
        return number

    def _crash(self, execution: Execution) -> None:
        if not execution.over:
            number = self._rests(execution)
            super()._crash(execution)
            self._roster.went_down(number)

    def _restart(self, worker: str) -> None:
        self._roster.come_back(self._workers.number(worker))

    def is_leaving(self, name: str) -> bool:
        """Whether the process of this name is a worker that was asked to stop."""
        number = self._workers.known(name)
        return 0 <= number < len(self._roster.workers) and self._roster.workers[number].leaving

    def died(self, name: str) -> None:
        """A worker ended by itself, as is recorded."""
        self._roster.went_down(self._workers.number(name))

    def revive(self, name: str) -> None:
        """Start a worker again that ended by itself."""
        self._roster.come_back(self._workers.number(name))

    # What the roster asks for.

    def pending(self) -> int:
        """Tasks that are PENDING; of a busy system as it was last known."""
        try:
            self._last_pending = self._snapshot().pending
        except BusyError:
            pass
        return self._last_pending

    def idle_since(self, number: int) -> float | None:
        """Since when a worker has had nothing to do; None while it has."""
        return None if number in self._running else self._idle_s.get(number, 0.0)

    def reachable(self, number: int) -> bool:
        """Whether anything can be done to a worker: to one whose name is known."""
        return bool(self._workers.name(number))

    def start(self, number: int) -> None:
        """Start the process of a worker."""
        self._idle_s[number] = self._context.now()
        self._processes.start_worker(self._workers.name(number))

    def ask_to_stop(self, number: int) -> None:
        """Let a worker end after its attempt."""
        self._processes.terminate(self._workers.name(number))
        self._look_again(number)

    def _look_again(self, number: int) -> None:
        self._context.at(self._context.now() + _LOOK_REAL_S * self._context.clock.speed, lambda: self._look(number))

    def _look(self, number: int) -> None:
        if not self._roster.workers[number].leaving:
            # It was killed meanwhile.
            return
        if self._processes.has_ended(self._workers.name(number)):
            self._roster.stopped(number)
        else:
            self._look_again(number)

    def kill(self, number: int, cause: int) -> None:
        """Kill the process of a worker."""
        self._process_control.kill(self._workers.name(number))
        self._change_reader.killed(self._workers.name(number), cause)
        execution = self._running.get(number)
        self._slowed.pop(number, None)
        if execution is None or execution.over:
            self._context.note(self._context.now(), Kind.FAULT_INJECTED, worker=number, cause=cause)
        else:
            self._rests(execution)
            self._dies(execution, cause)

    def stop(self, number: int, cause: int) -> bool:
        """Stop the process of a worker."""
        self._process_control.pause(self._workers.name(number))
        execution = self._running.get(number)
        task, attempt = (execution.number, execution.attempt) if execution else (-1, 0)
        now_s = self._context.now()
        self._context.note(now_s, Kind.FAULT_INJECTED, number=task, attempt=attempt, worker=number, cause=cause)
        return True

    def go_on(self, number: int) -> None:
        """Continue the process of a worker."""
        self._process_control.wake(self._workers.name(number))


def make_executions(
    context: RunContext,
    workers: Workers,
    change_reader: ChangeReader,
    process_control: Processes,
    body_server: BodyServer,
    busy_timeout_real_s: float,
    lock: WriteLock | None,
    snapshot: Callable[[], Snapshot],
) -> FleetExecutions | None:
    """Executions as the scenario asks for them; those of workers that come and go are returned."""
    bodies = context, workers, change_reader, process_control, body_server, busy_timeout_real_s, lock
    if queue_of(context.plan.scenario).fleet.varies:
        return FleetExecutions(*bodies, snapshot)
    Executions(*bodies)
    return None
