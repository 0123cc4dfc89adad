"""Virtual workers: they claim tasks, renew leases, and follow the planned fate of each attempt.

There is no process to kill and no database to lock: a crash is a worker that goes silent, a busy database a late report
of a transient failure. What is tested is the reaction of the queue.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from soak.contract import BusyError, Claim
from soak.runner.targets.caller import ContractError
from soak.runner.targets.context import AGAIN_REAL_S, RunContext
from soak.runner.targets.queue.kinds import workers_by_queue
from soak.runner.targets.queue.names import worker_name
from soak.runner.targets.queue.queue_adapter.caller import AT_ONCE, QueueCaller
from soak.runner.targets.queue.queue_adapter.reports import Reports
from soak.runner.targets.queue.queue_adapter.tasks import Tasks
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.queue.actions import BODY_FAILS, Action
from soak.simulation.queue.mishaps import limited

_COMPANY = 0.1
"""Share of a poll interval for which concurrent claims wait for another due call, so that the two overlap."""


@dataclass(slots=True, eq=False)
class Execution:
    """One attempt that a worker makes. `beats` is False while it hangs, `ended` True once its body is over, `over` True
    once the worker has let go of it.
    """

    claim: Claim
    number: int
    worker: int
    start_s: float
    cause: int
    action: Action
    beats: bool = True
    over: bool = False
    ended: bool = False


class Workers:
    """All of them; `idle` are those that wait for work."""

    def __init__(
        self, context: RunContext, queue: QueueCaller, tasks: Tasks, reports: Reports, heartbeat_s: float
    ) -> None:
        self._context = context
        self._plan = context.plan
        self._queue = queue
        self._tasks = tasks
        self._heartbeat_s = heartbeat_s
        self._acks_early = queue_of(context.plan.scenario).acks_early
        self._renews = not (self._acks_early or math.isinf(heartbeat_s))
        self._reports = reports
        self._limited = limited(context.plan)
        self._queues = workers_by_queue(queue_of(context.plan.scenario))
        self._idle = list(range(queue_of(context.plan.scenario).workers - 1, -1, -1))
        self._asking: list[int] = []
        """Those that claim at once, and do not know yet what they get."""
        self._wait_until_s = 0.0
        self.busy = 0
        """How many run a task."""

    def poll(self) -> None:
        """Those that are idle claim until one gets nothing: then the others would not either.

        One after the other; or several at once, from a queue that allows that: then `collect` takes what they got.
        """
        if self._queues:
            for numbers in self._queues.values():
                self._poll_in(numbers)
            return
        if self._queue.thread_safe:
            queue = queue_of(self._plan.scenario)
            self._claim_at_once(self._context.now() + queue.poll_interval_s * _COMPANY)
            return
        while self._idle:
            if not self._claim(self._idle[-1]):
                return

    def _poll_in(self, numbers: range) -> None:
        """Those of one queue claim, one after the other."""
        for worker in [each for each in reversed(self._idle) if each in numbers]:
            if not self._claim(worker):
                return

    def _claim(self, worker: int) -> bool:
        """Whether a worker that is idle got something."""
        try:
            claim = self._queue.claim(worker_name(worker))
        except BusyError:
            return False
        if claim is None:
            return False
        number = self._tasks.claimed(claim, worker)
        self._idle.remove(worker)
        self._start(claim, number, worker)
        return True

    def collect(self) -> None:
        """Take what those got that claim at once; not yet, where another call is due soon to make their claims with."""
        while self._asking and (self._queue.claiming or self._context.agenda.next_s > self._wait_until_s):
            if all(isinstance(each, Claim) for each in self._take_answers()):
                self._claim_at_once(0.0)

    def _take_answers(self) -> list[Claim | None | ContractError]:
        asked, self._asking = self._asking, []
        answers = self._queue.claims()
        self._take(asked, answers)
        return answers

    def drop(self) -> None:
        """Those that have not claimed yet do not."""
        self._queue.drop_claims()
        asked, self._asking = self._asking, []
        for worker in asked:
            self._rest(worker)

    def _rest(self, worker: int) -> None:
        """A worker has nothing to do."""
        self._idle.append(worker)

    def _claim_at_once(self, wait_until_s: float) -> None:
        if self._idle and not self._asking:
            self._asking, self._idle = self._idle[-AT_ONCE:][::-1], self._idle[:-AT_ONCE]
            self._wait_until_s = wait_until_s
            self._queue.prepare_claims([worker_name(worker) for worker in self._asking])

    def _take(self, asked: list[int], answers: list[Claim | None | ContractError]) -> None:
        """Start what was claimed, and send the others back. Raises the first ContractError after that."""
        got = [(worker, claim) for worker, claim in zip(asked, answers, strict=True) if isinstance(claim, Claim)]
        for worker in reversed([worker for worker in asked if worker not in dict(got)]):
            self._rest(worker)
        for worker, claim in got:
            rivals = [rival for rival, other in got if _same(claim, other)]
            self._start(claim, self._tasks.claimed(claim, worker, rivals), worker)
        for answer in answers:
            if isinstance(answer, ContractError):
                raise answer

    def _start(self, claim: Claim, number: int, worker: int) -> None:
        start_s = self._context.now()
        service_s, cause, within = self._plan.fate(number, claim.attempt, start_s)
        execution = Execution(claim, number, worker, start_s, cause, Action(self._plan.action[cause]))
        self.busy += 1
        self._note(start_s, Kind.TASK_DISPATCHED, execution)
        self._note(start_s, Kind.EXECUTION_STARTED, execution)
        service_s = self._begun(execution, service_s)
        struck_s, end_s = start_s + within * service_s, start_s + service_s
        if execution.action is Action.CRASH:
            self._context.at(struck_s, lambda: self._crash(execution))
        elif execution.action is Action.HANG:
            self._context.at(struck_s, lambda: self._hang(execution))
            end_s += self._plan.fault_of(execution.cause).hang_for_s
        if execution.action is not Action.CRASH:
            self._context.at(end_s, lambda: self._end(execution))
        self._beat_at(start_s + self._heartbeat_s, execution)

    def _begun(self, execution: Execution, service_s: float) -> float:
        """An attempt has begun; returns how long it takes, other than planned if it is slow."""
        slow = execution.action is Action.SLOW
        if slow:
            self._inject(execution.start_s, execution)
            fault = self._plan.fault_of(execution.cause)
            service_s *= queue_of(self._plan.scenario).fleet.strikes[fault.name].factor
        limited_s, cause = self._limited(execution.number, service_s, execution.cause)
        if limited_s < service_s and (slow or not execution.cause):
            if slow:
                self._context.note(execution.start_s, Kind.FAULT_SEEN, cause=execution.cause)
            execution.cause, execution.action = cause, Action.TIME_LIMIT
        return limited_s

    def _beat_at(self, t_s: float, execution: Execution) -> None:
        if not self._renews:
            return

        def beat() -> None:
            if not execution.over and execution.beats:
                self._beat(t_s, execution)

        self._context.at(t_s, beat)

    def _beat(self, due_s: float, execution: Execution) -> None:
        """A lost lease is not recorded here: the worker learns of it when it reports."""
        now_s = self._context.now()
        try:
            self._queue.heartbeat(execution.claim)
        except BusyError:
            self._beat_at(now_s + AGAIN_REAL_S * self._context.clock.speed, execution)
            return
        self._beat_at(max(due_s + self._heartbeat_s, now_s), execution)

    # What may happen on the way.

    def _crash(self, execution: Execution) -> None:
        now_s, worker = self._context.now(), execution.worker
        self._dies(execution, execution.cause)
        self._context.note_process(now_s, Kind.PROCESS_EXITED, worker_name(worker), worker, execution.cause)
        self._context.at(now_s + queue_of(self._plan.scenario).worker_restart_s, lambda: self._restart(worker))

    def _dies(self, execution: Execution, cause: int) -> None:
        """A worker dies in the middle of its attempt."""
        now_s = self._context.now()
        execution.over = True
        execution.cause = cause
        self._inject(now_s, execution)
        if not execution.ended:
            self._note_end(now_s, execution, cause)
        self.busy -= 1
        if self._acks_early:
            self._tasks.closed(execution.number)
            self._note(now_s, Kind.TASK_LOST, execution, cause)

    def _restart(self, worker: int) -> None:
        self._context.note_process(self._context.now(), Kind.PROCESS_STARTED, worker_name(worker), worker)
        self._rest(worker)

    def _hang(self, execution: Execution) -> None:
        if execution.over:
            return
        now_s = self._context.now()
        self._inject(now_s, execution)
        execution.beats = False
        self._context.at(now_s + self._plan.fault_of(execution.cause).hang_for_s, lambda: self._wake(execution))

    def _wake(self, execution: Execution) -> None:
        """It continues as if nothing had happened, with the late heartbeat."""
        execution.beats = True
        self._beat_at(self._context.now(), execution)

    # The end.

    def _end(self, execution: Execution) -> None:
        if execution.over:
            return
        execution.ended = True
        now_s, action = self._context.now(), execution.action
        fails = action in BODY_FAILS
        if (fails or action is Action.DB_LOCK) and action is not Action.TIME_LIMIT:
            self._inject(now_s, execution)
        elif action in {Action.HANG, Action.SLOW}:
            self._context.note(now_s, Kind.FAULT_SEEN, cause=execution.cause)
        self._note_end(now_s, execution, execution.cause if fails else NO_CAUSE)
        late_s = queue_of(self._plan.scenario).busy_timeout_s if action is Action.DB_LOCK else 0.0
        self._try(now_s + late_s, lambda: self._report(execution))

    def _try(self, t_s: float, action: Callable[[], None]) -> None:
        """Do something at `t_s`, and again for as long as the queue is busy."""

        def do() -> None:
            try:
                action()
            except BusyError:
                self._context.soon(do)

        if t_s <= self._context.now():
            do()
        else:
            self._context.at(t_s, do)

    def _report(self, execution: Execution) -> None:
        if execution.over:
            return
        self._reports.send(execution.claim, execution.number, execution.worker, execution.cause)
        execution.over = True
        self.busy -= 1
        self._rest(execution.worker)

    def _inject(self, now_s: float, execution: Execution) -> None:
        self._tasks.blame.setdefault(execution.number, {})[execution.claim.attempt] = execution.cause
        self._note(now_s, Kind.FAULT_INJECTED, execution, execution.cause)

    def _note_end(self, now_s: float, execution: Execution, cause: int) -> None:
        self._note(now_s, Kind.EXECUTION_ENDED, execution, cause, now_s - execution.start_s)

    def _note(self, t_s: float, kind: Kind, execution: Execution, cause: int = NO_CAUSE, value: float = 0.0) -> None:
        number, attempt, worker = execution.number, execution.claim.attempt, execution.worker
        self._context.note(t_s, kind, number=number, attempt=attempt, worker=worker, cause=cause, value=value)


def _same(claim: Claim, other: Claim) -> bool:
    """Whether two claims are of the same attempt."""
    return (claim.task_id, claim.attempt) == (other.task_id, other.attempt)
