"""The work of a closed workload as a pure function of scenario and seed: who submits which task when, given past ends.

Everything is addressed by user and turn. The task of user u in turn k (both from 0) is arrival `k * count + u`, so that its
fate and the think time after it are the same whatever the system does, in a simulation and for real.
"""

import math
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from msgspec import Struct

from soak.schemas.errors import SoakError
from soak.schemas.language.distributions import Distribution
from soak.schemas.language.extent import MAX_ARRIVALS
from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Workload
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Floats, Ints, tick
from soak.schemas.stream.events import COPY, KEY_SHIFT
from soak.simulation.distributions import draw
from soak.simulation.kinds import Kinds
from soak.simulation.streams import BLOCK, Stream

BLOCKS_KEPT = 256
"""Users are in different turns: blocks of draws in use at a time, each of some 40 kB."""

_THINK, _PAUSE = 0, 1

Submission: TypeAlias = tuple[float, int, int]
"""When it is due in seconds, its task number, the cause of a duplicate (0: the original)."""


class _Copy(Struct, frozen=True):
    """The second submission of a task, should a fault with these windows (none: always) strike it."""

    windows: tuple[Window, ...]
    delay_s: float
    cause: int


class Users:
    """The users of a workload. `faults`: those that submit a task twice, each with its cause."""

    def __init__(
        self, workload: Workload, seed: int, work_seed: int, faults: list[tuple[Fault, int]], kinds: Kinds | None
    ) -> None:
        """`work_seed`: of the think times; `seed`: of duplicates."""
        assert workload.users
        self.settings = workload.users
        self.count = workload.users.count
        """Tasks are numbered turn by turn: this is the step from one turn to the next."""
        self.timeout_s = workload.users.timeout_s
        self._group: Ints | None = None
        self._tasks = math.inf if workload.tasks is None else workload.tasks
        self._stream = Stream(work_seed, "users")
        self._kinds = kinds
        self._faults = [(fault, cause, Stream(seed, f"fault:{fault.name}")) for fault, cause in faults]
        self._windows = [workload.users.windows(user) for user in range(self.count)]
        self._pauses = lru_cache(BLOCKS_KEPT)(self._draw)
        self._copies = lru_cache(BLOCKS_KEPT)(self._draw_copies)

    def group_of(self, arrivals: Ints) -> Ints:
        """The place of the tenant of each of these arrivals, where users belong to tenants."""
        if self._group is None:
            self._group = np.array([self.settings.group_of(user) for user in range(self.count)])
        return self._group[arrivals % self.count]

    def user_of(self, number: int) -> int:
        """Whose task it is."""
        return (number >> KEY_SHIFT) % self.count

    def first(self, user: int) -> Submission | None:
        """A user's first submission; None for one who never submits."""
        return self._submission(user, 0, 0.0)

    def after(self, number: int, ended_s: float) -> Submission | None:
        """What the user of a task submits next, if that task ended (or the user gave up waiting) at `ended_s`."""
        turn, user = divmod(number >> KEY_SHIFT, self.count)
        due_s = max(ended_s, tick(ended_s + self.think_s(user, turn)))
        return self._submission(user, turn + 1, due_s)

    def think_s(self, user: int, turn: int) -> float:
        """How long a user thinks after a turn; after the last one of a session, the pause."""
        session, arrival = self.settings.session, turn * self.count + user
        pauses = session is not None and (turn + 1) % session.tasks == 0
        return float(self._pauses(arrival // BLOCK, _PAUSE if pauses else _THINK)[arrival % BLOCK])

    def copy_of(self, number: int, due_s: float) -> Submission | None:
        """The second submission of a task that is due at `due_s`; the first fault that hits it decides."""
        if not self._faults:
            return None
        arrival = number >> KEY_SHIFT
        for copy in self._copies(arrival // BLOCK).get(arrival % BLOCK, ()):
            if not copy.windows or any(window.start_s <= due_s < window.end_s for window in copy.windows):
                return tick(due_s + copy.delay_s), number | COPY, copy.cause
        return None

    def _submission(self, user: int, turn: int, t_s: float) -> Submission | None:
        arrival = turn * self.count + user
        if arrival >= self._tasks:
            return None
        if arrival >= 2 * MAX_ARRIVALS:
            raise SoakError(f"a user came to turn {turn:,}: more tasks than a run may have (write a longer think time)")
        due_s = next((max(t_s, tick(each.start_s)) for each in self._windows[user] if t_s < each.end_s), None)
        return None if due_s is None else (due_s, arrival << KEY_SHIFT, 0)

    def _draw(self, block: int, layer: int) -> Floats:
        session = self.settings.session
        of: Distribution = session.pause if layer == _PAUSE and session else self.settings.think
        return draw(of, self._stream.at(block, layer), BLOCK)

    def _draw_copies(self, block: int) -> dict[int, list[_Copy]]:
        """By place in the block, the second submissions that may come, in the order of the faults."""
        found: dict[int, list[_Copy]] = {}
        for fault, cause, stream in self._faults:
            delay_s = draw(fault.delay, stream.at(block, 1), BLOCK)
            hit = stream.at(block).random(BLOCK) < fault.rate
            if self._kinds and fault.kinds:
                hit &= self._kinds.among(fault.kinds)[self._kinds.of_block(block)]
            for place in np.flatnonzero(hit).tolist():
                found.setdefault(place, []).append(_Copy(fault.windows, float(delay_s[place]), cause))
        return found
