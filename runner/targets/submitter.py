"""Submits the plan's work at its times; submissions that the system cannot accept are retried."""

from collections import deque
from collections.abc import Callable, Container, Iterator
from typing import NamedTuple, Protocol, TypeAlias

from soak.contract import Accepted, BusyError, Refused
from soak.runner.targets.context import RunContext
from soak.runner.targets.keys import key_of, payload_of
from soak.schemas.stream.events import COPY, Kind
from soak.simulation.plan import Plan


class Submission(NamedTuple):
    """A submission: its time, task number, and the cause of a duplicate (0: the original)."""

    due_s: float
    number: int
    cause: int


Answer: TypeAlias = Accepted | Refused


class Intake(Protocol):
    """What accepts the work."""

    def enqueue(self, key: str, payload: str) -> Answer:
        """See `soak.contract`. Raises BusyError."""


class Intakes(Protocol):
    """Two connections at a time."""

    def enqueue_twice(self, key: str, payload: str) -> tuple[Answer | None, Answer | None]:
        """Offer a key on both at the same instant; None stands for BusyError."""


class Submitter:
    """`answered` is called with the answer of each submission; `known`: those submitted by an earlier runner.

    `intakes`: a key that is due twice at the same instant is offered on two connections; without it, one after the other.
    `recorded`: those that an earlier runner had offered in vain, and recorded.
    """

    def __init__(
        self,
        context: RunContext,
        intake: Intake,
        answered: Callable[[Submission, Answer], None],
        known: Callable[[Submission], bool] = lambda _: False,
        intakes: Intakes | None = None,
        recorded: Container[int] = frozenset(),
    ) -> None:
        self._context = context
        self._intake = intake
        self._intakes = intakes
        self._answered = answered
        self._recorded = recorded
        self._work = (each for each in _one_by_one(context.plan) if not known(each))
        self._ahead: Submission | None = None
        self._waiting: set[int] = set()
        self._deferred: deque[Submission] = deque()
        """Deferred submissions, the oldest first: only the first of them is retried."""
        self._all_came = False

    def start(self) -> None:
        """Put the first submission on the agenda; each puts the next one there."""
        self._ahead = next(self._work, None)
        self._next()

    @property
    def over(self) -> bool:
        """Whether everything was submitted and answered."""
        return self._all_came and not self._waiting

    @property
    def oldest_deferred_s(self) -> float | None:
        """Due time of the oldest deferred submission; None if there is none."""
        return next((each.due_s for each in self._deferred if not each.cause), None)

    def _next(self) -> None:
        first, self._ahead = self._ahead, next(self._work, None)
        if first is None:
            self._all_came = True
        elif self._intakes and are_twins(first, self._ahead):
            assert self._ahead
            second, self._ahead = self._ahead, next(self._work, None)
            self._context.at(first.due_s, lambda: self._submit(first, second))
        else:
            self._context.at(first.due_s, lambda: self._submit(first))

    def _submit(self, *work: Submission) -> None:
        if work[0].due_s >= self._context.plan.ends_s:
            # Arrivals have ended since it was put on the agenda.
            self._all_came = True
            return
        self._next()
        for each in work:
            if each.cause and each.number not in self._recorded:
                self._context.note(self._context.now(), Kind.TASK_DUPLICATE, number=each.number, cause=each.cause)
            self._waiting.add(each.number)
        if len(work) == 2 and not self._deferred:
            answers = self._offer_both(work[0])
        else:
            answers = [None if self._deferred else self._offer(each) for each in work]
        for each, answer in zip(work, answers, strict=True):
            if answer is None:
                self._defer(each)
            else:
                self._take(each, answer)

    def _offer(self, work: Submission) -> Answer | None:
        """The answer; None while the system is busy."""
        # A second submission of a key comes after the first, also where that one still waits.
        if work.number & COPY and work.number ^ COPY in self._waiting:
            return None
        try:
            return self._intake.enqueue(key_of(work.number), self._payload(work.number))
        except BusyError:
            return None

    def _payload(self, number: int) -> str:
        return payload_of(number, self._context.plan.kind_of(number))

    def _offer_both(self, first: Submission) -> list[Answer | None]:
        """It does not matter which of the two is accepted: they are identical, and the accepted one counts as the first."""
        assert self._intakes
        answers = self._intakes.enqueue_twice(key_of(first.number), self._payload(first.number))
        return sorted(answers, key=_accepted_first)

    def _take(self, work: Submission, answer: Answer) -> None:
        self._waiting.remove(work.number)
        self._answered(work, answer)

    def _defer(self, work: Submission) -> None:
        if not work.cause and work.number not in self._recorded:
            # It was offered in time; a system that cannot accept it is not the load generator's fault.
            self._context.note(self._context.now(), Kind.TASK_DEFERRED, number=work.number, value=work.due_s)
        self._deferred.append(work)
        if len(self._deferred) == 1:
            self._context.soon(self._knock)

    def _knock(self) -> None:
        """Offer deferred submissions, the oldest first, as long as the system accepts them."""
        while self._deferred:
            answer = self._offer(self._deferred[0])
            if answer is None:
                self._context.soon(self._knock)
                return
            self._take(self._deferred.popleft(), answer)


def refused(work: Submission) -> str:
    """The violation of a system that refuses a new key."""
    return f"refused the key {key_of(work.number)!r}, which was never submitted before (a system must start empty)"


def _one_by_one(plan: Plan) -> Iterator[Submission]:
    for chunk in plan.submissions():
        yield from map(Submission, chunk.due_s.tolist(), chunk.number.tolist(), chunk.cause.tolist())


def are_twins(first: Submission, second: Submission | None) -> bool:
    """Whether a key is due twice at the same instant."""
    return second is not None and second.due_s == first.due_s and second.number == first.number | COPY


def _accepted_first(answer: Answer | None) -> int:
    return 0 if isinstance(answer, Accepted) else 1 if answer else 2
