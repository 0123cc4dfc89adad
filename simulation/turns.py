"""Users at work: what is submitted next, given what has ended so far. Models and real targets drive it alike."""

import heapq
import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from soak.simulation.users import Submission, Users

_NOTHING = -1


class Past(NamedTuple):
    """What came before a run is resumed.

    closed_s: when tasks ended, up to `until_s`. knew: whether a submission had been made; asked for each, in order of a user's
    turns, also while the ends of the time that was not observed come to light.
    """

    closed_s: Mapping[int, float]
    until_s: float
    knew: Callable[[Submission], bool]


class Turns:
    """Every user's turn. `ends_s` says when arrivals end: what is due from then on is not submitted. `past`: resume from it.

    late_s: what is due so shortly before the end cannot be asked for where the end of a task is seen later than it was.
    """

    def __init__(
        self, users: Users, ends_s: Callable[[], float], past: Past | None = None, late_s: float = 0.0
    ) -> None:
        self._users = users
        self._ends_s, self._late_s = ends_s, late_s
        self._coming: list[Submission] = []
        self._awaited = [_NOTHING] * users.count
        """By user, the task that is waited for."""
        self._patience: list[tuple[float, int]] = []
        """Until when each submitted task is waited for. In a heap; those that have ended are removed when they come up."""
        self._taken = 0
        self.next_s = math.inf
        """When there is something to take at the earliest: a submission is due, or a user gives up."""
        self._past = past
        for user in range(users.count):
            self._put(users.first(user))
        self._look()

    @property
    def planned(self) -> int:
        """Submissions that were due before the end of arrivals, and made or well overdue then."""
        return self._taken + sum(due_s < self._ends_s() - self._late_s for due_s, _, _ in self._coming)

    def take(self, until_s: float) -> Iterator[Submission]:
        """The submissions that are due by `until_s`, in order; what is done with one may change what follows."""
        while self.next_s <= until_s:
            if self._patience and self._patience[0][0] == self.next_s:
                gives_up_s, number = heapq.heappop(self._patience)
                self._close(number, gives_up_s)
                self._look()
                continue
            work = heapq.heappop(self._coming)
            if work[0] < self._ends_s():
                self._submitted(work)
                self._look()
                yield work
            else:
                self._look()

    def ended(self, number: int, now_s: float) -> None:
        """A task has ended; its user, if still waiting for it, thinks and submits the next one."""
        self._close(number, now_s)
        self._look()

    def _submitted(self, work: Submission) -> None:
        """A submission is made: its user waits, and it may come a second time."""
        due_s, number, cause = work
        self._taken += 1
        if not cause:
            self._awaited[self._users.user_of(number)] = number
            if self._users.timeout_s < math.inf:
                heapq.heappush(self._patience, (due_s + self._users.timeout_s, number))
            self._put(self._users.copy_of(number, due_s))

    def _close(self, number: int, now_s: float) -> None:
        user = self._users.user_of(number)
        if self._awaited[user] == number:
            self._awaited[user] = _NOTHING
            self._put(self._users.after(number, now_s))

    def _put(self, work: Submission | None) -> None:
        """Have a submission made when it is due; one that was made before a run was resumed is followed on to what is next."""
        while work is not None and work[0] < self._ends_s():
            if self._past is None or not self._past.knew(work):
                heapq.heappush(self._coming, work)
                return
            self._submitted(work)
            due_s, number, cause = work
            ended_s = min(self._past.closed_s.get(number, math.inf), due_s + self._users.timeout_s)
            if cause or ended_s > self._past.until_s:
                return
            self._awaited[self._users.user_of(number)] = _NOTHING
            work = self._users.after(number, ended_s)

    def _look(self) -> None:
        """Find what is next; those who have been answered in time do not give up."""
        users, awaited, patience = self._users, self._awaited, self._patience
        while patience and awaited[users.user_of(patience[0][1])] != patience[0][1]:
            heapq.heappop(patience)
        coming_s = self._coming[0][0] if self._coming else math.inf
        self.next_s = min(coming_s, patience[0][0]) if patience else coming_s
