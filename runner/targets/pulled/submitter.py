"""Submits the plan's work at its times; what the queue cannot take in is offered again and again."""

from collections.abc import Iterator

from runner.targets.agenda import Agenda
from runner.targets.clock import Clock
from runner.targets.contract import Accepted, BusyError, Refused
from runner.targets.journal import Journal
from runner.targets.pulled.caller import Caller
from runner.targets.pulled.tasks import Tasks, key_of, payload_of
from schemas.events import COPY, Kind
from simulation.plan import Plan

AGAIN_REAL_S = 0.002
"""How long after a BusyError the same call is made again."""


class Submitter:
    """Puts every submission on the agenda, one after the other."""

    def __init__(self, plan: Plan, clock: Clock, agenda: Agenda, journal: Journal, queue: Caller, tasks: Tasks) -> None:
        self._queue = queue
        self._tasks = tasks
        self._clock = clock
        self._agenda = agenda
        self._journal = journal
        self._patience_s = plan.scenario.queue.busy_timeout_s
        self._work = _one_by_one(plan)
        self._waiting: set[int] = set()
        self._all_came = False

    def start(self) -> None:
        """Put the first submission on the agenda; each puts the next one there."""
        self._next()

    @property
    def over(self) -> bool:
        """Whether everything was submitted and answered."""
        return self._all_came and not self._waiting

    def _next(self) -> None:
        work = next(self._work, None)
        if work is None:
            self._all_came = True
            return
        due_s, number, cause = work

        def submit() -> None:
            self._next()
            if cause:
                self._journal.note(self._clock.now(), Kind.TASK_DUPLICATE, number=number, cause=cause)
            self._waiting.add(number)
            self._offer(due_s, number, cause, told=cause != 0)

        self._agenda.at(due_s, submit)

    def _offer(self, due_s: float, number: int, cause: int, *, told: bool) -> None:
        now_s = self._clock.now()
        try:
            # A second submission of a key comes after the first, also where that one still waits.
            answer = None if number & COPY and number ^ COPY in self._waiting else self._enqueue(number)
        except BusyError:
            answer = None
        if answer is None:
            self._again(now_s, due_s, number, cause, told=told)
            return
        self._waiting.remove(number)
        if isinstance(answer, Accepted):
            self._tasks.accepted(answer.task_id, number, due_s)
            self._journal.note(now_s, Kind.TASK_ENQUEUED, number=number, cause=cause, value=due_s)
        else:
            self._skipped(now_s, number, cause)

    def _enqueue(self, number: int) -> Accepted | Refused:
        return self._queue.enqueue(key_of(number), payload_of(number))

    def _skipped(self, now_s: float, number: int, cause: int) -> None:
        if not number & COPY:
            never = f"refused the key {key_of(number)!r}, which it was never given (a queue starts empty)"
            raise self._queue.broke("enqueue", never)
        self._journal.note(now_s, Kind.TASK_SKIPPED, number=number, cause=cause)

    def _again(self, now_s: float, due_s: float, number: int, cause: int, *, told: bool) -> None:
        if not told and now_s > due_s + self._patience_s:
            self._journal.note(now_s, Kind.TASK_DEFERRED, number=number, value=due_s)
            told = True
        again_s = now_s + AGAIN_REAL_S * self._clock.speed
        self._agenda.at(again_s, lambda: self._offer(due_s, number, cause, told=told))


def _one_by_one(plan: Plan) -> Iterator[tuple[float, int, int]]:
    for chunk in plan.submissions():
        yield from zip(chunk.due_s.tolist(), chunk.number.tolist(), chunk.cause.tolist(), strict=True)
