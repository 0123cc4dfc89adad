"""Users at work: what is submitted next, given what has ended so far. Models and real targets drive it alike."""

import heapq
import math
from collections.abc import Callable, Iterator

from soak.simulation.users import Submission, Users

_NOTHING = -1


class Turns:
    """Every user's turn. `ends_s` says when arrivals end: what is due from then on is not submitted."""

    def __init__(self, users: Users, ends_s: Callable[[], float]) -> None:
        self._users = users
        self._ends_s = ends_s
        self._coming: list[Submission] = []
        self._awaited = [_NOTHING] * users.count
        """By user, the task that is waited for."""
        self._patience: list[tuple[float, int]] = []
        """Until when each submitted task is waited for. In a heap; those that have ended are removed when they come up."""
        self._taken = 0
        self.next_s = math.inf
        """When there is something to take at the earliest: a submission is due, or a user gives up."""
        for user in range(users.count):
            self._put(users.first(user))
        self._look()

    @property
    def planned(self) -> int:
        """Submissions that were due before the end of arrivals."""
        return self._taken + sum(due_s < self._ends_s() for due_s, _, _ in self._coming)

    def take(self, until_s: float) -> Iterator[Submission]:
        """The submissions that are due by `until_s`, in order; what is done with one may change what follows."""
        while self.next_s <= until_s:
            if self._patience and self._patience[0][0] == self.next_s:
                gives_up_s, number = heapq.heappop(self._patience)
                self._close(number, gives_up_s)
                self._look()
                continue
            due_s, number, cause = work = heapq.heappop(self._coming)
            if due_s < self._ends_s():
                self._taken += 1
                if not cause:
                    self._awaited[self._users.user_of(number)] = number
                    if self._users.timeout_s < math.inf:
                        heapq.heappush(self._patience, (due_s + self._users.timeout_s, number))
                    self._put(self._users.copy_of(number, due_s))
                self._look()
                yield work
            else:
                self._look()

    def ended(self, number: int, now_s: float) -> None:
        """A task has ended; its user, if still waiting for it, thinks and submits the next one."""
        self._close(number, now_s)
        self._look()

    def _close(self, number: int, now_s: float) -> None:
        user = self._users.user_of(number)
        if self._awaited[user] == number:
            self._awaited[user] = _NOTHING
            self._put(self._users.after(number, now_s))

    def _put(self, work: Submission | None) -> None:
        if work is not None and work[0] < self._ends_s():
            heapq.heappush(self._coming, work)

    def _look(self) -> None:
        """Find what is next; those who have been answered in time do not give up."""
        users, awaited, patience = self._users, self._awaited, self._patience
        while patience and awaited[users.user_of(patience[0][1])] != patience[0][1]:
            heapq.heappop(patience)
        coming_s = self._coming[0][0] if self._coming else math.inf
        self.next_s = min(coming_s, patience[0][0]) if patience else coming_s
