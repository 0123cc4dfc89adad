"""Which process does what of the plan, and who goes on with it when one is lost."""

import math
from collections.abc import Sequence

import numpy as np

from soak.runner.load.frames import Message
from soak.runner.load.order import Part
from soak.runner.load.rows import What
from soak.runner.load.shares import Share, mine, users_of
from soak.schemas.stream.block import Bools, Floats, Ints, tick
from soak.schemas.stream.events import KEY_SHIFT
from soak.simulation.plan import Plan

_T, _WHAT, _NUMBER, _DUE = range(4)
_NOTHING = -1


class Division:
    """The work of a plan, divided among `workers` processes."""

    def __init__(self, plan: Plan, workers: int) -> None:
        self._plan = plan
        self._workers = workers
        count = plan.users.count if plan.users else 0
        self._shares = {index: [Share(workers, index)] for index in range(workers)}
        self._users = {index: list(users_of(index, workers, count)) for index in range(workers)}
        self._last = np.full(count, _NOTHING)
        """By user, the last task that is known to have begun."""
        self._ended_s = np.full(count, math.nan)
        """By user, when that ended; not a number while it is open."""
        self._open = {index: np.empty(0, dtype=np.int64) for index in range(workers)}
        self._reached = dict.fromkeys(range(workers), (-1.0, -1))
        """By process, the last arrival that it sent: when it was due, and its number. It sends them in that order."""
        self.begun = 0
        """Requests sent so far."""

    def part(self, index: int) -> Part:
        """What a process does from the beginning."""
        return Part(index, self._shares[index], self._users[index])

    @property
    def open(self) -> int:
        """Requests that have begun and not ended, as far as is known."""
        return sum(len(each) for each in self._open.values())

    def observe(self, index: int, rows: Floats) -> None:
        """What a process told."""
        what, number = rows[:, _WHAT], rows[:, _NUMBER].astype(np.int64)
        begun, ended = what == What.BEGUN, what == What.ENDED
        self.begun += int(begun.sum())
        now_open = np.concatenate([self._open[index], number[begun]])
        self._open[index] = now_open[~np.isin(now_open, number[ended])]
        if self._plan.users is None:
            self._reached[index] = max([self._reached[index], *zip(rows[begun, _DUE], number[begun], strict=True)])
        if len(self._last):
            self._follow(number, begun, ended, rows[:, _T])

    def _follow(self, number: Ints, begun: Bools, ended: Bools, t_s: Floats) -> None:
        user = (number >> KEY_SHIFT) % len(self._last)
        np.maximum.at(self._last, user[begun], number[begun])
        self._ended_s[user[begun]] = math.nan
        its_last = ended & (self._last[user] == number)
        self._ended_s[user[its_last]] = t_s[its_last]

    def lost(self, index: int, from_s: float, others: Sequence[int]) -> dict[int, Message]:
        """A process is lost; by number, what each of the others does more from `from_s` on.

        Arrivals that were due meanwhile come later by as much. Users go on as if a request that was open had ended then.
        """
        shares, users, self._open[index] = self._shares.pop(index), self._users.pop(index), self._open[index][:0]
        late = [] if self._plan.users else self._missed(index, shares, from_s)
        orders: dict[int, Message] = {}
        for place, heir in enumerate(others):
            given = [share.split(len(others), from_s)[place] for share in shares]
            acted_for = users[place :: len(others)]
            self._shares[heir] += given
            self._users[heir] += acted_for
            orders[heir] = {
                "is": "take_over",
                "shares": [(each.modulus, each.remainder, each.from_s) for each in given],
                "late": late[place :: len(others)],
                "users": [each for user in acted_for if (each := self._next(user, from_s))],
            }
        return orders

    def open_tasks(self, index: int) -> list[int]:
        """The tasks of a process that have begun and not ended."""
        return self._open[index].tolist()

    def _missed(self, index: int, shares: list[Share], from_s: float) -> list[tuple[float, int]]:
        """The arrivals that a process has not sent and that are due before `from_s`: each later by what the first has to be."""
        missed: list[tuple[float, int]] = []
        reached_s, last = self._reached[index]
        for chunk in self._plan.again().submissions():
            if len(chunk) and chunk.due_s[0] >= from_s:
                break
            after = (chunk.due_s > reached_s) | ((chunk.due_s == reached_s) & (chunk.number > last))
            its = after & (chunk.due_s < from_s) & mine(shares, chunk.number, chunk.due_s)
            missed += zip(chunk.due_s[its].tolist(), chunk.number[its].tolist(), strict=True)
        return [(tick(due_s + from_s - missed[0][0]), number) for due_s, number in missed]

    def _next(self, user: int, from_s: float) -> tuple[int, float, int] | None:
        """What a user submits next: the user, when, and the number of the task."""
        users, last = self._plan.users, int(self._last[user])
        assert users
        if last == _NOTHING:
            work = users.first(user)
        else:
            ended_s = float(self._ended_s[user])
            work = users.after(last, from_s if math.isnan(ended_s) else ended_s)
        return None if work is None else (user, max(work[0], from_s), work[1])
