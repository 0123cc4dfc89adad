"""Virtual workers that come and go."""

from soak.contract import Claim
from soak.runner.targets.context import RunContext
from soak.runner.targets.queue.fleet import roster_of
from soak.runner.targets.queue.queue_adapter.caller import QueueCaller
from soak.runner.targets.queue.queue_adapter.reports import Reports
from soak.runner.targets.queue.queue_adapter.tasks import Tasks
from soak.runner.targets.queue.queue_adapter.workers import Execution, Workers
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE


class FleetWorkers(Workers):
    """Workers whose number changes."""

    def __init__(
        self, context: RunContext, queue: QueueCaller, tasks: Tasks, reports: Reports, heartbeat_s: float
    ) -> None:
        super().__init__(context, queue, tasks, reports, heartbeat_s)
        self._running: dict[int, Execution] = {}
        self._idle_s: dict[int, float] = {}
        self._slowed: dict[int, int] = {}
        self._roster = roster_of(context, self)

    # What happens to workers anyway.

    def _start(self, claim: Claim, number: int, worker: int) -> None:
        self._slowed.pop(worker, None)
        super()._start(claim, number, worker)

    def _begun(self, execution: Execution, service_s: float) -> float:
        self._running[execution.worker] = execution
        factor, slowed = self._roster.slowed(execution.worker)
        if slowed:
            self._slowed[execution.worker] = slowed
        return super()._begun(execution, service_s * factor)

    def _end(self, execution: Execution) -> None:
        if not execution.over and (slowed := self._slowed.pop(execution.worker, NO_CAUSE)):
            self._context.note(self._context.now(), Kind.FAULT_SEEN, cause=slowed)
        super()._end(execution)

    def _crash(self, execution: Execution) -> None:
        if not execution.over:
            self._running.pop(execution.worker, None)
            self._idle_s.pop(execution.worker, None)
            super()._crash(execution)
            self._roster.went_down(execution.worker)

    def _restart(self, worker: int) -> None:
        self._roster.come_back(worker)

    def _rest(self, worker: int) -> None:
        if self._running.pop(worker, None) is not None or worker not in self._idle_s:
            self._idle_s[worker] = self._context.now()
        super()._rest(worker)
        if self._roster.workers[worker].leaving:
            self._exit(worker)

    def _exit(self, worker: int) -> None:
        self._idle.remove(worker)
        self._idle_s.pop(worker, None)
        self._roster.stopped(worker)

    # What the roster asks for.

    def pending(self) -> int:
        """Tasks that are PENDING."""
        return len(self._tasks.due_s)

    def idle_since(self, number: int) -> float | None:
        """Since when a worker has had nothing to do; None while it has."""
        return None if number in self._running else self._idle_s.get(number, 0.0)

    def reachable(self, number: int) -> bool:
        """Whether anything can be done to a worker: always."""
        return True

    def start(self, number: int) -> None:
        """A worker is there."""
        self._rest(number)

    def ask_to_stop(self, number: int) -> None:
        """A worker ends now, or after its attempt."""
        self._settled(number)
        if number in self._idle:
            self._exit(number)

    def kill(self, number: int, cause: int) -> None:
        """A worker goes silent."""
        self._settled(number)
        execution = self._running.pop(number, None)
        self._idle_s.pop(number, None)
        if execution is None:
            self._idle.remove(number)
            self._context.note(self._context.now(), Kind.FAULT_INJECTED, worker=number, cause=cause)
        else:
            self._dies(execution, cause)

    def stop(self, number: int, cause: int) -> bool:
        """Not of virtual workers: it is refused before the run."""
        raise NotImplementedError

    def go_on(self, number: int) -> None:
        """See `stop`."""
        raise NotImplementedError

    def _settled(self, number: int) -> None:
        """Whether a worker that is asking for work gets some is known before anything is done to it."""
        if number in self._asking:
            self._take_answers()
