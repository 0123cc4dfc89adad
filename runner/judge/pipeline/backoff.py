"""Whether restarts came when the supervisor's settings say: not before the backoff was over, nor long after it."""

from collections import deque
from dataclasses import dataclass, field

from msgspec import Struct

from soak.runner.judge.pipeline.lives import Exit
from soak.schemas.stream.identity import Identity
from soak.schemas.systems.pipeline.settings import RestartWhen, Supervisor
from soak.schemas.units import show_duration

SEEN_WITHIN_REAL_S = 0.1
"""How much later than it happened an exit of a real process may be seen."""

START_REAL_S = 2.0
"""How long it may take to start a real process, once its backoff is over."""

_TICK_S = 2e-6
_SLACK = 0.5
"""By which share of the backoff a restart may come later."""

_MOST_RESTARTS = 10_000
"""Limits of restarts beyond that are not followed."""


class Found(Struct, frozen=True):
    """What became of a restart. least_s, most_s: the wait that was planned before it; wrong: what is wrong, empty for nothing."""

    least_s: float
    most_s: float
    wrong: str


@dataclass(slots=True)
class _Row:
    """The last exits of a process after which it was started again."""

    exits_s: deque[float] = field(default_factory=deque)


class Backoffs:
    """The waits of each process."""

    def __init__(self, supervisor: Supervisor, processes: int, identity: Identity | None) -> None:
        self._restart, self._health = supervisor.restart, supervisor.health
        speed = identity.speed if identity and identity.clock != "simulated" else 0.0
        self._early_s = SEEN_WITHIN_REAL_S * speed + _TICK_S
        # Who does not wait for the end of its processes sees it in the next health round.
        self._late_s = self._health.every_s + self._health.timeout_s + START_REAL_S * speed
        self._rows = [_Row() for _ in range(processes)]

    def restarted(self, number: int, found: Exit, *, clean: bool) -> Found:
        """A process was started again after an exit. clean: whether it is known to have exited with status 0."""
        row, restart, waited_s = self._rows[number], self._restart, found.waited_s or 0.0
        least_s, most_s = restart.backoff.least_s(found.in_a_row.least), restart.backoff.full_s(found.in_a_row.most)
        if restart.when is RestartWhen.NEVER:
            return Found(0.0, 0.0, "restarted, though nothing is to be")
        too_often = self._too_often(row, found.exited_s)
        if restart.when is RestartWhen.FAILURE and clean:
            return Found(least_s, most_s, "restarted after it had exited with status 0")
        if too_often:
            within = show_duration(restart.within_s)
            return Found(least_s, most_s, f"more than {restart.max_restarts} restarts within {within}")
        if waited_s < least_s * (1 - _TICK_S) - self._early_s:
            return Found(least_s, most_s, f"before its backoff of {show_duration(least_s)} was over")
        if waited_s > most_s * (1 + _SLACK) + self._late_s:
            return Found(least_s, most_s, f"long after its backoff of {show_duration(most_s)} was over")
        return Found(least_s, most_s, "")

    def resumed(self) -> None:
        """The runner was started again, and the supervisor may have been with it: it counts from the beginning then."""
        for row in self._rows:
            row.exits_s.clear()

    def _too_often(self, row: _Row, exited_s: float) -> bool:
        """Whether the process should have been abandoned instead: exits count that were not, and less than `within` before."""
        if self._restart.max_restarts > _MOST_RESTARTS:
            return False
        # The exit before may have been seen late.
        while row.exits_s and row.exits_s[0] <= exited_s - self._restart.within_s + self._early_s:
            row.exits_s.popleft()
        row.exits_s.append(exited_s)
        return len(row.exits_s) > self._restart.max_restarts
