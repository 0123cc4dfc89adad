"""Whether restarts came when the supervisor's settings say: not before the backoff was over, nor long after it."""

from collections import deque
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a restart. planned_s: the wait before it; wrong: what is wrong with it, empty for nothing."""

    planned_s: float
    wrong: str


@dataclass(slots=True)
class _Row:
    """Consecutive exits of a process: the fewest and the most they can be taken for. starts_s: its last restarts."""

    least: int = 0
    most: int = 0
    starts_s: deque[float] = field(default_factory=deque)


class Backoffs:
    """The waits of each process."""

    def __init__(self, supervisor: Supervisor, processes: int, identity: Identity | None) -> None:
        self._restart, self._health = supervisor.restart, supervisor.health
        speed = identity.speed if identity and identity.clock != "simulated" else 0.0
        self._early_s = SEEN_WITHIN_REAL_S * speed + _TICK_S
        # Who does not wait for the end of its processes sees it in the next health round.
        self._late_s = self._health.every_s + self._health.timeout_s + START_REAL_S * speed
        self._rows = [_Row() for _ in range(processes)]

    def exited(self, number: int, t_s: float, well_since_s: float | None, first_well_s: float | None) -> None:
        """A process ended. well_since_s: since when it had been healthy without a break; first_well_s: for the first time.

        A supervisor may count from either: a probe that fails as the process ends is not what ended its health.
        """
        row, reset_s = self._rows[number], self._restart.reset_after_s
        least_s, most_s = (0.0 if since_s is None else t_s - since_s for since_s in (well_since_s, first_well_s))
        # A supervisor sees how long a process is healthy by its rounds.
        surely, perhaps = least_s >= reset_s + self._health.every_s, most_s >= reset_s - self._health.every_s
        row.most = 1 if surely else row.most + 1
        row.least = 1 if perhaps else row.least + 1

    def restarted(self, number: int, t_s: float, waited_s: float) -> Found:
        """A process was started again so long after it ended."""
        row, restart = self._rows[number], self._restart
        least_s, most_s = restart.backoff.least_s(max(1, row.least)), restart.backoff.full_s(max(1, row.most))
        if restart.when is RestartWhen.NEVER:
            return Found(0.0, "restarted, though nothing is to be")
        if self._too_often(row, t_s):
            within = show_duration(restart.within_s)
            return Found(most_s, f"more than {restart.max_restarts} restarts within {within}")
        if waited_s < least_s * (1 - _TICK_S) - self._early_s:
            return Found(most_s, f"before its backoff of {show_duration(least_s)} was over")
        if waited_s > most_s * (1 + _SLACK) + self._late_s:
            return Found(most_s, f"long after its backoff of {show_duration(most_s)} was over")
        return Found(most_s, "")

    def _too_often(self, row: _Row, t_s: float) -> bool:
        """Whether the process should have been abandoned instead."""
        if self._restart.max_restarts > _MOST_RESTARTS:
            return False
        while row.starts_s and row.starts_s[0] < t_s - self._restart.within_s:
            row.starts_s.popleft()
        row.starts_s.append(t_s)
        return len(row.starts_s) > self._restart.max_restarts
