"""The states of tasks, inferred from what was seen: submissions that were answered, and executions that started and ended.

Nothing that a system says of itself is used. Attempts are numbered in the order of their starts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from soak.contract import Snapshot
from soak.runner.targets.context import RunContext
from soak.runner.targets.submitter import Submission
from soak.schemas.stream.events import COPY, NEW_STATE, Kind
from soak.schemas.stream.states import OPEN, TaskState
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.target.model import Promise, Promises
from soak.simulation.queue.mishaps import rules

REDELIVERED = "redelivered"
"""The error of a task that is started again although its last execution has not failed: that one died, or still runs."""

REFUSED = "refused"
"""The error of a task whose submission was refused although its key was never submitted before."""


@dataclass(slots=True, eq=False)
class _Task:
    """A task. running: its executions that have neither ended nor died. failed: how many have failed. died: the cause of its
    last death. final: it has failed in a way after which the system promises not to start it again.
    """

    state: TaskState = TaskState.NONE
    starts: int = 0
    running: int = 0
    failed: int = 0
    died: int = NO_CAUSE
    final: bool = False


class Account:
    """Follows every task, and notes the change of state that each thing seen implies.

    ended: to be called with the number of each task that is closed, and when, in scenario time.
    """

    def __init__(self, context: RunContext, promises: Promises) -> None:
        self._context, self._promises = context, promises
        self._rules = rules(context.plan)
        self._tasks: dict[int, _Task] = {}
        self._due_s: dict[int, Submission] = {}
        self._open = {TaskState.PENDING: 0, TaskState.IN_PROGRESS: 0}
        self._closed = dict.fromkeys((TaskState.DONE, TaskState.FAILED, TaskState.BLOCKED), 0)
        self.highest = -1
        """The highest number of a task that was submitted, or of its copy."""
        self.running = 0
        """Executions that run."""
        self.latest_s = 0.0
        """When an execution last started or ended, in scenario time."""
        self.ended: Callable[[int, float], None] = lambda number, t_s: None

    @property
    def open(self) -> int:
        """Accepted tasks that are not closed."""
        return sum(self._open.values())

    def snapshot(self) -> Snapshot:
        """How many tasks are in each state, as far as can be inferred."""
        closed = self._closed
        return Snapshot(
            pending=self._open[TaskState.PENDING],
            in_progress=self._open[TaskState.IN_PROGRESS],
            done=closed[TaskState.DONE],
            failed=closed[TaskState.FAILED],
            blocked=closed[TaskState.BLOCKED],
            busy_workers=self.running,
        )

    # Submissions.

    def offered(self, work: Submission) -> None:
        """A task is being submitted: its body may start before the answer comes."""
        self._due_s[work.number] = work
        self.highest = max(self.highest, work.number | COPY)

    def waits(self, number: int) -> bool:
        """Whether a submission was neither answered nor has its body started."""
        return number in self._due_s

    def has(self, number: int) -> bool:
        """Whether a task is known to have been accepted, or refused."""
        return number in self._tasks

    def accepted(self, number: int, t_s: float) -> None:
        """A submission was accepted, or its body has started, which shows the same."""
        if (work := self._due_s.pop(number, None)) is not None:
            self._tasks[number] = task = _Task()
            self._note(t_s, Kind.TASK_ENQUEUED, number, cause=work.cause, value=work.due_s)
            self._becomes(task, TaskState.PENDING)

    def refused(self, number: int, t_s: float) -> None:
        """A submission was refused: a key that comes again is skipped, any other task has failed."""
        work = self._due_s.pop(number, None)
        if work is None:
            # Its body has started: whatever refused it, it was accepted.
            return
        if number & COPY:
            self._note(t_s, Kind.TASK_SKIPPED, number, cause=work.cause)
            return
        self._due_s[number] = work
        self.accepted(number, t_s)
        self._close(self._tasks[number], number, Kind.TASK_FAILED, t_s, cause=self._cause(REFUSED))

    # Executions.

    def started(self, number: int, worker: int, t_s: float) -> int:
        """An execution has started; returns the number of its attempt, from 1."""
        self.accepted(number, t_s)
        task = self._tasks.setdefault(number, _Task())
        task.starts += 1
        if task.state in OPEN or self._is_forbidden(task):
            self._take_up(task, number, worker, t_s)
        self._note(t_s, Kind.EXECUTION_STARTED, number, task.starts, worker)
        self.latest_s = t_s
        task.running += 1
        self.running += 1
        return task.starts

    def _is_forbidden(self, task: _Task) -> bool:
        """Whether a task that is closed must not be started again, by the system's own word."""
        needed = {TaskState.FAILED: Promise.RETRIES, TaskState.BLOCKED: Promise.GUARDRAIL}.get(task.state)
        return task.final or (needed is not None and needed in self._promises)

    def _take_up(self, task: _Task, number: int, worker: int, t_s: float) -> None:
        if task.state is not TaskState.PENDING and not task.final:
            cause = task.died or self._cause(REDELIVERED)
            self._note(t_s, Kind.TASK_RETRY, number, task.starts - 1, worker, cause, t_s)
        self._note(t_s, Kind.TASK_DISPATCHED, number, task.starts, worker)
        task.died, task.final = NO_CAUSE, False
        self._becomes(task, TaskState.IN_PROGRESS)

    def succeeded(self, number: int, attempt: int, worker: int, t_s: float, ran_s: float) -> None:
        """An execution has succeeded: its task is DONE."""
        task = self._over(number, attempt, worker, t_s, NO_CAUSE, ran_s)
        if task.state in OPEN:
            self._close(task, number, Kind.TASK_DONE, t_s, attempt, worker)

    def blocked(self, number: int, attempt: int, worker: int, t_s: float, cause: int, ran_s: float) -> None:
        """An execution went over its hard budget: its task is BLOCKED, until it is seen to start again."""
        task = self._over(number, attempt, worker, t_s, cause, ran_s)
        if task.state in OPEN:
            self._close(task, number, Kind.TASK_BLOCKED, t_s, attempt, worker, cause)

    def failed(
        self,
        number: int,
        attempt: int,
        worker: int,
        t_s: float,
        cause: int,
        ran_s: float,
        *,
        transient: bool,
        since_s: float | None = None,
    ) -> None:
        """An execution has failed: its task waits for the next attempt, where there is to be one, or has FAILED.

        since_s: when it failed at the earliest, from which the system may count its wait; None: when that was seen.
        """
        task = self._over(number, attempt, worker, t_s, cause, ran_s)
        task.failed += 1
        if task.state is not TaskState.IN_PROGRESS:
            return
        queue = self._rules(number)
        made = attempt if Promise.CRASHES_COUNT in self._promises else task.failed
        if transient and Promise.RETRIES in self._promises and made < queue.last_attempt:
            wait_s = queue.backoff.least_s(made) if Promise.BACKOFF in self._promises else 0.0
            due_s = max(t_s, (t_s if since_s is None else since_s) + wait_s)
            self._note(t_s, Kind.TASK_RETRY, number, attempt, worker, cause, due_s)
            self._becomes(task, TaskState.PENDING)
        elif not task.running:
            task.final = not transient and Promise.PERMANENT_ERRORS in self._promises
            self._close(task, number, Kind.TASK_FAILED, t_s, attempt, worker, cause)

    def died(self, number: int, attempt: int, worker: int, t_s: float, cause: int, ran_s: float) -> None:
        """The process of an execution is gone: what becomes of its task is up to the system, unless that was its last attempt."""
        task = self._over(number, attempt, worker, t_s, cause, ran_s)
        task.died = cause
        counts = Promise.CRASHES_COUNT in self._promises and Promise.RETRIES in self._promises
        if counts and attempt >= self._rules(number).last_attempt and task.state in OPEN and not task.running:
            self._close(task, number, Kind.TASK_FAILED, t_s, attempt, worker, cause)

    def _over(self, number: int, attempt: int, worker: int, t_s: float, cause: int, ran_s: float) -> _Task:
        self._note(t_s, Kind.EXECUTION_ENDED, number, attempt, worker, cause, ran_s)
        self.latest_s = t_s
        task = self._tasks[number]
        task.running -= 1
        self.running -= 1
        return task

    # States.

    def _close(
        self,
        task: _Task,
        number: int,
        kind: Kind,
        t_s: float,
        attempt: int = 0,
        worker: int = -1,
        cause: int = NO_CAUSE,
    ) -> None:
        if task.state is TaskState.PENDING:
            # Its last execution had failed, and one that was started before it has not.
            self._note(t_s, Kind.TASK_DISPATCHED, number, attempt, worker)
        self._note(t_s, kind, number, attempt, worker, cause)
        self._becomes(task, NEW_STATE[kind])
        self.ended(number, t_s)

    def _becomes(self, task: _Task, state: TaskState) -> None:
        for counts in (self._open, self._closed):
            if task.state in counts:
                counts[task.state] -= 1
            if state in counts:
                counts[state] += 1
        task.state = state

    def _cause(self, error: str) -> int:
        return self._context.plan.vocabulary.cause("", error)

    def _note(
        self,
        t_s: float,
        kind: Kind,
        number: int,
        attempt: int = 0,
        worker: int = -1,
        cause: int = NO_CAUSE,
        value: float = 0.0,
    ) -> None:
        self._context.note(t_s, kind, number=number, attempt=attempt, worker=worker, cause=cause, value=value)
