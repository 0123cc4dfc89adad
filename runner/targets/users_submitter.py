"""Submits the work of a closed workload: users who wait for the ends that the system reports."""

import math
from collections.abc import Callable, Container, Mapping

from soak.contract import Refused
from soak.runner.targets.context import RunContext
from soak.runner.targets.submitter import Answer, Intake, Intakes, Submission, Submitter, are_twins
from soak.schemas.stream.events import COPY
from soak.simulation.turns import Past

LOOK_REAL_S = 0.01
"""Interval of reading ends where they are not noticed at once: users of a fast system wait no longer than that for news."""


class UsersSubmitter(Submitter):
    """Like `Submitter`; `ended` says which task has ended when, and its user goes on."""

    def __init__(
        self,
        context: RunContext,
        intake: Intake,
        answered: Callable[[Submission, Answer], None],
        intakes: Intakes | None = None,
        recorded: Container[int] = frozenset(),
        past: Past | None = None,
    ) -> None:
        super().__init__(context, intake, answered, intakes=intakes, recorded=recorded)
        self._turns = context.plan.turns(past)
        self._asked_s = math.inf

    def start(self) -> None:
        """Put the first submission on the agenda."""
        self._next()

    @property
    def over(self) -> bool:
        """Whether everything was submitted and answered; asked once arrivals have ended."""
        return not self._waiting and self._turns.next_s >= self._context.plan.ends_s

    def ended(self, number: int, t_s: float) -> None:
        """A task has ended."""
        self._turns.ended(number, t_s)
        self._next()

    def _next(self) -> None:
        due_s = self._turns.next_s
        if due_s < min(self._asked_s, self._context.plan.ends_s):
            self._asked_s = due_s
            self._context.at(due_s, lambda: self._come(due_s))

    def _come(self, asked_s: float) -> None:
        if asked_s != self._asked_s:
            # Something was due earlier: this has been asked for again since.
            return
        self._asked_s = math.inf
        due = [Submission(*each) for each in self._turns.take(self._context.now())]
        while due:
            first = due.pop(0)
            second = due.pop(0) if self._intakes and due and are_twins(first, due[0]) else None
            self._submit(first, *([second] if second else []))
        self._next()

    def _take(self, work: Submission, answer: Answer) -> None:
        super()._take(work, answer)
        if isinstance(answer, Refused) and not work.number & COPY:
            self.ended(work.number, self._context.now())


def submitter_of(
    context: RunContext,
    intake: Intake,
    answered: Callable[[Submission, Answer], None],
    known: Callable[[Submission], bool] = lambda _: False,
    intakes: Intakes | None = None,
    recorded: Container[int] = frozenset(),
    closed_s: Mapping[int, float] | None = None,
) -> tuple[Submitter, Callable[[int, float], None]]:
    """What submits the work of a plan, and what is to be called with the number of each task that ends, and when.

    `closed_s`: where a run is resumed whose users wait for their tasks, when those ended that are known to have.
    """
    if context.plan.users is None:
        return Submitter(context, intake, answered, known, intakes, recorded), _ignore
    past = Past(closed_s, context.known_s, lambda work: known(Submission(*work))) if closed_s is not None else None
    users = UsersSubmitter(context, intake, answered, intakes, recorded, past)
    return users, users.ended


def _ignore(number: int, t_s: float) -> None:
    """Work that arrives at a rate does not wait for ends."""
