"""Attempts whose worker may be killed at any time."""

from typing import NamedTuple

from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan
from soak.simulation.queue.actions import Action
from soak.simulation.queue.lease import FOREVER, Leases, union
from soak.simulation.queue.mishaps import LOST, Attempt, Host, Mishaps
from soak.simulation.queue.roster import Roster
from soak.simulation.recorder import Recorder


class Run(NamedTuple):
    """What a worker runs: the task's place in the order of arrival, its number, the attempt, and since when."""

    order: int
    number: int
    attempt: int
    start_s: float


class KillableAttempts(Mishaps):
    """Carries eventful attempts through to their end, or up to where their worker is killed."""

    def __init__(self, host: Host, roster: Roster, plan: Plan, recorder: Recorder, leases: Leases) -> None:
        super().__init__(host, plan, recorder, leases)
        self._roster = roster
        self.running: dict[int, Attempt] = {}
        """Eventful attempts by worker."""
        self.killed: set[Attempt] = set()
        """Nothing more comes of these."""
        self._ended_bodies: set[Attempt] = set()
        self._silent_s: dict[Attempt, float] = {}

    def begin(self, attempt: Attempt, service_s: float, within: float) -> None:
        """An attempt that a fault decides, or that an outage touches."""
        self.running[attempt.worker] = attempt
        super().begin(attempt, service_s, within)

    def process(self, number: int) -> int:
        """The number of the name of a worker's process."""
        return self._process(number)

    def kill(self, now: float, worker: int, run: Run, cause: int) -> None:
        """A worker is killed in the middle of its attempt: the lease runs out, unless it has already."""
        self._row((now, Kind.FAULT_INJECTED, run.number, run.attempt, worker, cause, 0.0))
        twin = Attempt(run.order, run.number, run.attempt, worker, run.start_s, cause, Action.CRASH)
        before = self.running.pop(worker, None)
        if before is None or before not in self._ended_bodies:
            super()._ended(now, twin, cause)
        silent_s = now
        if before is not None:
            self.killed.add(before)
            self._ended_bodies.discard(before)
            silent_s = self._silence_of(before, now)
        if self._queue.acks_early:
            self._finish(now, LOST, twin, cause)
        elif before is None or not before.lost:
            silences = union([*self._outages, Window(silent_s, FOREVER)])
            expires_s = self._leases.first_expiry(run.start_s, FOREVER, silences)
            assert expires_s is not None
            self._host.at(max(now, expires_s), self._expire, twin)

    def hang(self, run: Run, worker: int, cause: int, silence: Window, end_s: float) -> None:
        """A worker is stopped in the middle of an attempt that would have succeeded at `end_s`."""
        twin = Attempt(run.order, run.number, run.attempt, worker, run.start_s, cause, Action.HANG)
        self.running[worker] = twin
        end_s += silence.end_s - silence.start_s
        self._host.at(end_s, self._end, twin)
        silences = union([*self._outages, silence])
        expires_s = self._leases.first_expiry(run.start_s, self._leases.writable_from(end_s), silences)
        if expires_s is not None:
            self._host.at(max(silence.start_s, expires_s), self._expire, twin)

    def _silence_of(self, attempt: Attempt, now: float) -> float:
        """Since when an attempt has sent no heartbeats: now, unless it hangs."""
        struck_s = self._silent_s.pop(attempt, None)
        if struck_s is None or struck_s + self._plan.fault_of(attempt.cause).hang_for_s <= now:
            return now
        return struck_s

    def _hang(self, attempt: Attempt) -> None:
        super()._hang(attempt)
        self._silent_s[attempt] = self._host.now

    def _ended(self, now: float, attempt: Attempt, cause: int) -> None:
        super()._ended(now, attempt, cause)
        self._ended_bodies.add(attempt)

    def _reported(self, now: float, attempt: Attempt) -> None:
        self.running.pop(attempt.worker, None)
        self._ended_bodies.discard(attempt)
        self._silent_s.pop(attempt, None)
        super()._reported(now, attempt)

    def _crash(self, attempt: Attempt) -> None:
        self.running.pop(attempt.worker, None)
        super()._crash(attempt)
        self._ended_bodies.discard(attempt)
        self._roster.went_down(attempt.worker)

    def _restart(self, worker: int) -> None:
        self._roster.come_back(worker)
