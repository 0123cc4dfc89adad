"""Submits the plan's work at its times; what the system cannot take in is offered again and again."""

from collections.abc import Iterator

from runner.targets.agenda import Agenda
from runner.targets.clock import Clock
from runner.targets.journal import Journal
from runner.targets.orchestrator.continuation import Continuation
from runner.targets.orchestrator.follower import Follower
from runner.targets.orchestrator.names import key_of, payload_of
from schemas.events import COPY, Kind
from simulation.plan import Plan
from systems.orchestrator.db_store import BusyError, Store
from systems.orchestrator.model import Enqueued, Skipped

_AGAIN_REAL_S = 0.002


class Submitter:
    """`store` must not wait for a busy database: everything else would wait with it."""

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        agenda: Agenda,
        journal: Journal,
        follower: Follower,
        store: Store,
        continuation: Continuation,
    ) -> None:
        self._continuation = continuation
        self._store = store
        self._clock = clock
        self._agenda = agenda
        self._journal = journal
        self._follower = follower
        self._work = _one_by_one(plan)
        self._waiting: set[int] = set()
        self.over = False
        """Whether everything was submitted."""

    def start(self) -> None:
        """Put the first submission on the agenda; each puts the next one there."""
        self._next()

    @property
    def waiting(self) -> int:
        """How many submissions the system has not taken in yet."""
        return len(self._waiting)

    def _next(self) -> None:
        work = next(self._work, None)
        while work is not None and self._continuation.knows(work[1]):
            self._told_before(*work)
            work = next(self._work, None)
        if work is None:
            self.over = True
            return
        due_s, number, cause = work

        def submit() -> None:
            self._next()
            self._submit(due_s, number, cause)

        self._agenda.at(due_s, submit)

    def _told_before(self, due_s: float, number: int, cause: int) -> None:
        """A submission of before the runner was gone, of which the stream may not know yet."""
        history = self._continuation.history
        if number not in history.submitted:
            self._follower.submitted[number] = due_s, cause
        if cause and number not in history.duplicated:
            self._journal.note(history.until_s, Kind.TASK_DUPLICATE, number=number, cause=cause)

    def _submit(self, due_s: float, number: int, cause: int) -> None:
        if cause:
            self._journal.note(self._clock.now(), Kind.TASK_DUPLICATE, number=number, cause=cause)
        self._follower.submitted[number] = due_s, cause
        self._waiting.add(number)
        self._offer(due_s, number, cause != 0)

    def _offer(self, due_s: float, number: int, told: bool) -> None:
        try:
            # A second submission of a key comes after the first, also where that one still waits.
            answer = None if number & COPY and number ^ COPY in self._waiting else self._enqueue(number)
        except BusyError:
            answer = None
        if answer is None:
            self._again(due_s, number, told)
            return
        self._waiting.remove(number)
        if isinstance(answer, Enqueued):
            self._follower.accepted(answer.task_id, number)

    def _enqueue(self, number: int) -> Enqueued | Skipped:
        return self._store.enqueue(key_of(number), payload_of(number))

    def _again(self, due_s: float, number: int, told: bool) -> None:
        now_s = self._clock.now()
        if not told:
            # It was offered in time; that the system could not take it in is not the load generator's fault.
            self._journal.note(now_s, Kind.TASK_DEFERRED, number=number, value=due_s)
        self._agenda.at(now_s + _AGAIN_REAL_S * self._clock.speed, lambda: self._offer(due_s, number, True))


def _one_by_one(plan: Plan) -> Iterator[tuple[float, int, int]]:
    for chunk in plan.submissions():
        yield from zip(chunk.due_s.tolist(), chunk.number.tolist(), chunk.cause.tolist(), strict=True)
