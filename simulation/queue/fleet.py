"""A queue whose workers come and go: by schedule, by a rule, and by faults at times.

`QueueModel` alone is used where none of this is asked for.
"""

import heapq
from collections.abc import Callable
from typing import TypeVar

from simpy import Environment

from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan
from soak.simulation.queue.killing import KillableAttempts, Run
from soak.simulation.queue.mishaps import Attempt, limited
from soak.simulation.queue.model import QueueModel
from soak.simulation.queue.roster import Roster
from soak.simulation.recorder import Recorder

T = TypeVar("T")


class FleetModel(QueueModel):
    """A queue whose number of workers changes."""

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder) -> None:
        queue = queue_of(plan.scenario)
        self._roster = Roster(self, queue.fleet, queue.workers)
        self._runs: dict[int, Run] = {}
        """What workers run, by number."""
        self._idle_s: dict[int, float] = {}
        self._slowed: dict[int, int] = {}
        """The cause for the present attempt of a worker."""
        self._stopped: set[int] = set()
        """Workers that hang and have nothing to do."""
        self._beginning = 0
        self._rested_s = 0.0
        super().__init__(env, plan, recorder)
        self._mishaps = self._attempts = KillableAttempts(self, self._roster, plan, recorder, self._leases)
        self._cut_short = recorder.cut_short
        self._planned_fate, self._limited = self._fate, limited(plan)
        if any(fault.type == QueueFault.SLOW_WORKER for fault in plan.scenario.faults):
            self._fate = self._slowed_fate

    def _schedule_start(self) -> None:
        super()._schedule_start()
        self._roster.begin()

    @property
    def now(self) -> float:
        """Scenario time in seconds; attempts may end between two events of SimPy."""
        return max(self._env.now, self._rested_s)

    def at(self, t_s: float, callback: Callable[[T], None], value: T) -> None:
        """Call `callback(value)` at `t_s`, work accepted until then; not that of an attempt whose worker has been killed."""
        super().at(t_s, self._unless_killed, (callback, value))

    def _unless_killed(self, what: tuple[Callable[[T], None], T]) -> None:
        callback, value = what
        if isinstance(value, Attempt) and value in self._attempts.killed:
            return
        if not isinstance(value, Fault):
            # What waits for the end of an outage comes before what arrives then.
            self.catch_up(self.now)
        callback(value)

    # Attempts, and the workers that make them.

    def _begin(self, now: float, order: int, number: int, attempt: int, worker: int) -> None:
        self._beginning = worker
        self._runs[worker] = Run(order, number, attempt, now)
        super()._begin(now, order, number, attempt, worker)

    def _slowed_fate(self, number: int, attempt: int, start_s: float) -> tuple[float, int, float]:
        service_s, cause, within = self._planned_fate(number, attempt, start_s)
        factor, slowed = self._roster.slowed(self._beginning)
        if slowed:
            self._slowed[self._beginning] = slowed
        limited_s, late = self._limited(number, service_s * factor, cause)
        return limited_s, cause or late, within

    def _end(self, now: float, number: int, worker: int) -> None:
        super()._end(now, number, worker)
        self._rests(now, worker)

    def release(self, now: float, worker: int) -> None:
        """Set a worker free; one that is to leave goes."""
        super().release(now, worker)
        self._rests(now, worker)

    def _rests(self, now: float, worker: int) -> None:
        self._runs.pop(worker, None)
        self._idle_s[worker] = self._rested_s = now
        if slowed := self._slowed.pop(worker, NO_CAUSE):
            self._row((now, Kind.FAULT_SEEN, -1, 0, -1, slowed, 0.0))
        if self._roster.workers[worker].leaving:
            self._exit(worker)

    def _exit(self, worker: int) -> None:
        self._free.remove(worker)
        self._attempts.away += 1
        self._roster.stopped(worker)

    # What the roster asks for.

    def note(self, kind: Kind, number: int, cause: int) -> None:
        """Record an event of a worker, now."""
        name = self._attempts.process(number) if kind in {Kind.PROCESS_EXITED, Kind.PROCESS_STARTED} else 0
        self._row((self.now, kind, -1, 0, number, cause, name))

    def cause_of(self, fault: Fault) -> int:
        """The number of the cause that a fault is."""
        return self._plan.cause_of(fault)

    def pending(self) -> int:
        """Tasks that are PENDING."""
        self.catch_up(self.now)
        return len(self._ready) + len(self._backing_off)

    def idle_since(self, number: int) -> float | None:
        """Since when a worker has had nothing to do; None while it has."""
        return None if number in self._runs else self._idle_s.get(number, 0.0)

    def reachable(self, number: int) -> bool:
        """Whether anything can be done to a worker: always."""
        return True

    def start(self, number: int) -> None:
        """A worker is up."""
        self._attempts.away -= 1
        self.release(self.now, number)

    def ask_to_stop(self, number: int) -> None:
        """A worker ends now, or after its attempt."""
        if number not in self._runs and number not in self._stopped:
            self._exit(number)

    def _taken(self, number: int) -> None:
        """A worker that has nothing to do gets nothing."""
        if number in self._stopped:
            self._stopped.remove(number)
            self._attempts.away -= 1
        else:
            self._free.remove(number)

    def hang(self, number: int, cause: int, until_s: float) -> None:
        """A worker stops: what it does takes longer by that time, and sends no heartbeats, unless another fault decides it."""
        now, run = self.now, self._runs.get(number)
        if run is None:
            self._row((now, Kind.FAULT_INJECTED, -1, 0, number, cause, 0.0))
            if number not in self._stopped:
                self._free.remove(number)
                self._stopped.add(number)
                self._attempts.away += 1
            return
        self._row((now, Kind.FAULT_INJECTED, run.number, run.attempt, number, cause, 0.0))
        if number not in self._attempts.running:
            end_s = next(end_s for end_s, _, worker in self._running if worker == number)
            self._break_off(number, run)
            self._attempts.hang(run, number, cause, Window(now, until_s), end_s)

    def wake(self, number: int, cause: int) -> None:
        """A worker goes on."""
        self._row((self.now, Kind.FAULT_SEEN, -1, 0, -1, cause, 0.0))
        if number in self._stopped:
            self._taken(number)
            self.release(self.now, number)

    def _break_off(self, number: int, run: Run) -> None:
        """The end of an attempt is not known already after all."""
        self._running = [each for each in self._running if each[2] != number]
        heapq.heapify(self._running)
        self._cut_short(run.number, run.attempt)

    def kill(self, number: int, cause: int) -> None:
        """The process of a worker dies; its lease runs out by itself."""
        now, run = self.now, self._runs.pop(number, None)
        self._attempts.away += 1
        self._slowed.pop(number, None)
        if run is None:
            self._taken(number)
            self._row((now, Kind.FAULT_INJECTED, -1, 0, number, cause, 0.0))
            return
        if number not in self._attempts.running:
            self._break_off(number, run)
        self._attempts.kill(now, number, run, cause)

    def _fault_starts(self, fault: Fault) -> None:
        if self._roster.strikes(fault):
            self._roster.fault_starts(fault)
        else:
            super()._fault_starts(fault)

    def _fault_ends(self, fault: Fault) -> None:
        if self._roster.strikes(fault):
            self._roster.fault_ends(fault)
        else:
            super()._fault_ends(fault)
