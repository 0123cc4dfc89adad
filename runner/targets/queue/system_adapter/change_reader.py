"""Reads the system's changes as they appear and records them as events."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress

from soak.contract import Accepted, BusyError, Change, ChangeType, Refused, TaskId
from soak.runner.targets.caller import ContractError
from soak.runner.targets.context import RunContext
from soak.runner.targets.keys import number_of
from soak.runner.targets.queue.names import Workers
from soak.runner.targets.submitter import Submission
from soak.schemas.errors import quoted
from soak.schemas.stream.events import COPY, Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.queue.actions import LOSES_LEASE

REMEMBERED = 2_000
_AHEAD_REAL_S = 1.0
"""Allowed difference of the system's clock."""

KINDS = {
    ChangeType.ENQUEUED: Kind.TASK_ENQUEUED,
    ChangeType.SKIPPED: Kind.TASK_SKIPPED,
    ChangeType.CONTENDED: Kind.LEASE_CONTENDED,
    ChangeType.DISPATCHED: Kind.TASK_DISPATCHED,
    ChangeType.RETRY: Kind.TASK_RETRY,
    ChangeType.DONE: Kind.TASK_DONE,
    ChangeType.FAILED: Kind.TASK_FAILED,
    ChangeType.BLOCKED: Kind.TASK_BLOCKED,
    ChangeType.CANCELLED: Kind.TASK_CANCELLED,
    ChangeType.DEAD_LETTERED: Kind.TASK_DEAD_LETTERED,
    ChangeType.EXPIRED: Kind.LEASE_EXPIRED,
    ChangeType.REFUSED: Kind.LEASE_REFUSED,
}
"""The event of each change."""

_EXPIRED = "lease_expired"
_CLOSING = frozenset({ChangeType.DONE, ChangeType.FAILED, ChangeType.BLOCKED, ChangeType.CANCELLED})
_OF_A_FAILURE = frozenset(
    {
        ChangeType.RETRY,
        ChangeType.DEAD_LETTERED,
        ChangeType.FAILED,
        ChangeType.BLOCKED,
        ChangeType.EXPIRED,
        ChangeType.REFUSED,
    }
)


class ChangeReader:
    """Records `changes`. `blame`: the fault of an attempt, by task number and attempt."""

    def __init__(self, context: RunContext, changes: Callable[[], list[Change]], workers: Workers) -> None:
        self._context = context
        self._changes = changes
        self._workers = workers
        self._times_out = queue_of(context.plan.scenario).times_out
        self.latest_s = 0.0
        """Time of the latest change."""
        self._numbers: dict[TaskId, int] = {}
        self._highest = -1
        """The highest task number that was offered."""
        self.open: set[TaskId] = set()
        """Accepted tasks that are not closed, according to the system."""
        self._closed: deque[tuple[TaskId, int]] = deque()
        self.blame: dict[int, dict[int, int]] = {}
        self._submitted: dict[int, Submission] = {}
        self._given: dict[str, tuple[int, int]] = {}
        """By worker: the task and attempt that it was given last."""
        self._down: dict[str, tuple[float, int]] = {}
        """By worker that was killed and has begun nothing since: when, and the cause."""
        self.ended: Callable[[int, float], None] = lambda number, t_s: None
        """To be called with the number of each task that is closed, and when."""

    def answered(self, work: Submission, answer: Accepted | Refused) -> None:
        """The system answered a submission; its change is still to come."""
        self.expect(work)
        if isinstance(answer, Accepted):
            self.accepted(answer.task_id, work.number)

    def expect(self, work: Submission) -> None:
        """A submission whose change is still to come."""
        self._submitted[work.number] = work
        self._highest = max(self._highest, work.number)

    def accepted(self, task_id: TaskId, number: int) -> None:
        """The system gave a task this id."""
        self._numbers[task_id] = number
        self._highest = max(self._highest, number)
        self.open.add(task_id)

    def killed(self, worker: str, cause: int) -> None:
        """A worker was killed: what it has been given and not begun, or is given until it begins anything, is lost by that."""
        self._down[worker] = self._context.now(), cause
        if worker in self._given:
            self._blame(*self._given[worker], cause)

    def begun(self, worker: str, number: int, attempt: int, at_s: float) -> None:
        """A worker has begun an attempt. Of one that was killed, what was lost until now is read first."""
        if worker not in self._down:
            return
        killed_s, cause = self._down[worker]
        if at_s <= killed_s:
            # Heard of only now.
            self._blame(number, attempt, cause)
            return
        with suppress(BusyError):
            self.read()
        del self._down[worker]
        self.blame.get(number, {}).pop(attempt, None)

    def _blame(self, number: int, attempt: int, cause: int) -> None:
        self.blame.setdefault(number, {}).setdefault(attempt, cause)

    def lost(self, number: int) -> None:
        """Nobody has a task any more: it was acknowledged as it was handed out, and its worker died."""
        for task_id in [each for each in self.open if self._numbers.get(each) == number]:
            self._close(task_id, number)

    def read(self) -> None:
        """Record new changes. Raises BusyError, and ContractError for impossible ones."""
        changes = self._changes()
        # Timestamps use the machine's clock: setting it is not a contract violation.
        self._context.clock.refuse_step()
        now_s = self._context.now()
        for change in changes:
            t_s = self._context.clock.scenario(change.at)
            if change.at < self._context.clock.started_at - _AHEAD_REAL_S:
                raise ContractError(
                    f"changes reported task {change.key!r} with a time before the start of the run (at={change.at})"
                )
            if t_s > now_s + _AHEAD_REAL_S * self._context.clock.speed:
                raise ContractError(f"changes reported task {change.key!r} with a time in the future (at={change.at})")
            # A log is in the order of commits; the clock may stray by less than a transaction takes.
            self.latest_s = max(self.latest_s, min(t_s, now_s))
            self._tell(change, self.latest_s)

    def _tell(self, change: Change, t_s: float) -> None:
        if change.type is ChangeType.SKIPPED:
            number = self._by_key(change.key) | COPY
            work = self._submitted.pop(number, None)
            self._context.note(t_s, Kind.TASK_SKIPPED, number=number, cause=work.cause if work else NO_CAUSE)
            return
        number = self._number(change)
        if change.type is ChangeType.ENQUEUED:
            work = self._submitted.pop(number, None) or Submission(t_s, number, NO_CAUSE)
            self._context.note(t_s, Kind.TASK_ENQUEUED, number=number, cause=work.cause, value=work.due_s)
        elif change.type is ChangeType.CONTENDED:
            self._context.note(t_s, Kind.LEASE_CONTENDED, number=number, attempt=change.attempt, value=1)
        else:
            self._attempt(change, number, t_s)

    def _number(self, change: Change) -> int:
        """The number of a task, by the system's id, or by its key if it was closed long ago."""
        number = self._numbers.get(change.task_id) if change.task_id is not None else None
        return self._by_key(change.key) if number is None else number

    def _by_key(self, key: str) -> int:
        number = number_of(key) if key.isdecimal() else -1
        if not 0 <= number <= self._highest:
            raise ContractError(f"changes reported the key {quoted(key)}, which was never enqueued")
        return number

    def _attempt(self, change: Change, number: int, t_s: float) -> None:
        cause = self._cause(change, number) if change.type in _OF_A_FAILURE else NO_CAUSE
        if change.type is ChangeType.DISPATCHED:
            self._given[change.worker] = number, change.attempt
            if change.worker in self._down:
                self._blame(number, change.attempt, self._down[change.worker][1])
        due_s = self._context.clock.scenario(change.due) if change.due else 0.0
        worker = self._workers.number(change.worker)
        self._context.note(
            t_s, KINDS[change.type], number=number, attempt=change.attempt, worker=worker, cause=cause, value=due_s
        )
        if change.type in _CLOSING and change.task_id is not None:
            self._close(change.task_id, number)
            self.ended(number, t_s)

    def _close(self, task_id: TaskId, number: int) -> None:
        """Forget a task, but not at once: a worker that lost its lease may still come back to it."""
        self.open.discard(task_id)
        self._closed.append((task_id, number))
        if len(self._closed) > REMEMBERED:
            forgotten_id, forgotten = self._closed.popleft()
            self._numbers.pop(forgotten_id, None)
            self.blame.pop(forgotten, None)

    def _cause(self, change: Change, number: int) -> int:
        known = self.blame.get(number, {}).get(change.attempt)
        if known and self._times_out and (change.type is ChangeType.EXPIRED or change.error in {"", _EXPIRED}):
            # That its lease expired by itself may be read only after the attempt, which went on, has failed.
            known = known if self._context.plan.action[known] in LOSES_LEASE else None
        return known or self._context.plan.vocabulary.cause("", change.error or _EXPIRED)
