"""Submits the plan's work at its times to a system that answers later; what it has no room for is offered again."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Protocol

from soak.runner.targets.context import RunContext
from soak.runner.targets.keys import key_of, payload_of
from soak.runner.targets.queue.foreign.account import Account
from soak.runner.targets.submitter import Submission
from soak.schemas.errors import shortened
from soak.schemas.stream.events import COPY, Kind
from soak.simulation.plan import Plan

AGAIN_REAL_S, LONGEST_REAL_S = 0.05, 1.0
"""What was not accepted is offered again after the first of these, then twice as long each time up to the second."""

SLOW_REAL_S = 1.0
"""A submission that is answered later than this was offered in time to a system that could not accept it."""


class Answer(StrEnum):
    """What became of a submission."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    BUSY = "busy"
    """Nothing has happened: it may be offered again."""

    UNKNOWN = "unknown"
    """Whether it was accepted is not known: offering it again could make a duplicate of our own."""


class Intake(Protocol):
    """What takes submissions and answers them later; see `Offers.answer`."""

    def submit(self, number: int, key: str, payload: str) -> None:
        """Submit a task, without waiting."""


class Offers:
    """The submissions of a plan, as they come due or, where users wait for their tasks, as those end.

    `intake` is set before `start`; `answer` takes its answers. A duplicate is offered once its original was answered.
    """

    def __init__(self, context: RunContext, account: Account) -> None:
        self.intake: Intake
        self._context, self._account = context, account
        self._plan: Plan = context.plan
        self._turns = context.plan.turns() if context.plan.users else None
        self._asked_s = math.inf
        self._work = _one_by_one(context.plan)
        self._all_came = False
        self._asked: dict[int, Submission] = {}
        """Those that were submitted and not answered."""
        self._asked_at: dict[int, float] = {}
        """When they were, in scenario time."""
        self._looks = False
        """Whether it is looked after those that are not answered."""
        self._after: dict[int, list[Submission]] = {}
        """Duplicates, by the original that they wait for."""
        self._deferred: deque[Submission] = deque()
        self._noted: set[int] = set()
        self._again_real_s = AGAIN_REAL_S
        self._knocks = False
        """Whether the oldest of them is to be offered again."""
        self._unknown: set[int] = set()
        """Those of which it is not known whether they were accepted."""
        self.why = ""
        """What was said of the last one that was not accepted."""

    def start(self) -> None:
        """Put the first submission on the agenda."""
        if self._turns:
            self._account.ended = self._has_ended
            self._next_turn()
        else:
            self._next()

    @property
    def over(self) -> bool:
        """Whether everything was submitted and answered."""
        came = self._all_came or (self._turns is not None and self._turns.next_s >= self._plan.ends_s)
        return came and not (self._asked or self._deferred)

    @property
    def unanswered(self) -> int:
        """Submissions of which it will only be known whether they were accepted."""
        return len(self._asked)

    @property
    def oldest_deferred_s(self) -> float | None:
        """Due time of the oldest submission that was not accepted; None if there is none."""
        return next((each.due_s for each in self._deferred if not each.cause), None)

    def not_accepted(self) -> list[str]:
        """In words: submissions that may or may not have been accepted and were never seen to start, and those that were not."""
        unknown = sum(self._account.waits(each) and not each & COPY for each in self._unknown)
        waiting = sum(not each.number & COPY for each in (*self._asked.values(), *self._deferred))
        said = f"; last: {shortened(self.why)}" if self.why else ""
        return [
            f"{times} submission{'' if times == 1 else 's'} {what}, and not judged{said}"
            for times, what in ((unknown, "not known to be accepted, never seen to start"), (waiting, "not accepted"))
            if times
        ]

    # Arrivals.

    def _next(self) -> None:
        work = next(self._work, None)
        if work is None or work.due_s >= self._plan.ends_s:
            self._all_came = True
        else:
            self._context.at(work.due_s, lambda: self._come(work))

    def _come(self, work: Submission) -> None:
        if work.due_s >= self._plan.ends_s:
            # Arrivals have ended since it was put on the agenda.
            self._all_came = True
            return
        self._next()
        self._offer(work)

    # Users who wait for their tasks.

    def _has_ended(self, number: int, t_s: float) -> None:
        assert self._turns
        self._turns.ended(number, t_s)
        self._next_turn()

    def _next_turn(self) -> None:
        assert self._turns
        due_s = self._turns.next_s
        if due_s < min(self._asked_s, self._plan.ends_s):
            self._asked_s = due_s
            self._context.at(due_s, lambda: self._take_turns(due_s))

    def _take_turns(self, asked_s: float) -> None:
        assert self._turns
        if asked_s == self._asked_s:
            # Otherwise something was due earlier, and this has been asked for again since.
            self._asked_s = math.inf
            for each in self._turns.take(self._context.now()):
                self._offer(Submission(*each))
            self._next_turn()

    # Offers.

    def _offer(self, work: Submission) -> None:
        if work.cause and work.number not in self._noted:
            self._noted.add(work.number)
            self._context.note(self._context.now(), Kind.TASK_DUPLICATE, number=work.number, cause=work.cause)
        original = work.number & ~COPY
        if work.number & COPY and (original in self._asked or any(each.number == original for each in self._deferred)):
            self._after.setdefault(original, []).append(work)
        elif self._deferred:
            self._defer(work)
        else:
            self._submit(work)

    def _submit(self, work: Submission) -> None:
        self._asked[work.number], self._asked_at[work.number] = work, self._context.now()
        self._account.offered(work)
        self._look_later()
        self.intake.submit(work.number, key_of(work.number), payload_of(work.number, self._plan.kind_of(work.number)))

    def _look_later(self) -> None:
        if self._asked and not self._looks:
            self._looks = True
            self._context.at(self._context.now() + SLOW_REAL_S * self._context.clock.speed, self._look)

    def _look(self) -> None:
        """Note which submissions are not answered for long."""
        self._looks = False
        since_s = self._context.now() - SLOW_REAL_S * self._context.clock.speed
        for number, asked_s in self._asked_at.items():
            if asked_s <= since_s and self._account.waits(number):
                self._note_deferred(self._asked[number])
        self._look_later()

    def answer(self, number: int, answer: Answer, why: str = "") -> None:
        """The answer to a submission, just now."""
        if (work := self._asked.pop(number, None)) is None:
            return
        del self._asked_at[number]
        # Whatever is answered, what runs was accepted: it must not be offered again.
        runs = self._account.has(number)
        if answer is Answer.BUSY and not runs:
            self.why = why
            self._put_back(work)
            return
        if answer is Answer.ACCEPTED or runs:
            self._account.accepted(number, self._context.now())
        elif answer is Answer.REFUSED:
            self._account.refused(number, self._context.now())
        else:
            self.why = why
            self._unknown.add(number)
            self._note_deferred(work)
        self._again_real_s = AGAIN_REAL_S
        for each in self._after.pop(number, ()):
            self._offer(each)
        # Where there is room for one, there may be for two.
        for _ in range(min(2, len(self._deferred))):
            self._offer_again()

    def _defer(self, work: Submission) -> None:
        self._note_deferred(work)
        self._deferred.append(work)

    def _put_back(self, work: Submission) -> None:
        """It is offered again before all others, a little later."""
        self._note_deferred(work)
        self._deferred.appendleft(work)
        if not self._knocks:
            self._knocks = True
            self._context.at(self._context.now() + self._again_real_s * self._context.clock.speed, self._knock)
            self._again_real_s = min(LONGEST_REAL_S, 2 * self._again_real_s)

    def _knock(self) -> None:
        self._knocks = False
        self._offer_again()

    def _offer_again(self) -> None:
        """Submit the oldest that was deferred, unless its body has started since."""
        while self._deferred:
            work = self._deferred.popleft()
            if not self._account.has(work.number):
                self._submit(work)
                return

    def _note_deferred(self, work: Submission) -> None:
        if not work.cause and work.number not in self._noted:
            # It was offered in time; a system that cannot accept it is not the load generator's fault.
            self._noted.add(work.number)
            self._context.note(self._context.now(), Kind.TASK_DEFERRED, number=work.number, value=work.due_s)


def _one_by_one(plan: Plan) -> Iterator[Submission]:
    if plan.users is None:
        for chunk in plan.submissions():
            yield from map(Submission, chunk.due_s.tolist(), chunk.number.tolist(), chunk.cause.tolist())


AnswerTo = Callable[[int, Answer, str], None]
"""What an intake calls with the number of a submission, its answer and the words that came with it."""
