"""A queue whose workers come and go: by schedule, by a rule, and by faults at times.

Workers that a fault strikes are those with the lowest numbers that are up: work is given to these first in a queue that is
not full, so that a crash finds something to lose. Those that leave are the ones with the highest numbers. `QueueModel` alone
is used where none of this is asked for.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from simpy import Environment

from soak.schemas.language.faults import Fault
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.fleet import Strike
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan
from soak.simulation.queue.killing import KillableAttempts, Run
from soak.simulation.queue.mishaps import Attempt
from soak.simulation.queue.model import QueueModel
from soak.simulation.recorder import Recorder

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Struck:
    """A fault of workers in one of its windows: how many are still away, and those still to be restarted, the next one last."""

    fault: Fault
    strike: Strike
    left: int
    waiting: list[int] = field(default_factory=list)
    asked_s: float = 0.0


@dataclass(slots=True, eq=False)
class _Slot:
    """A worker by its number. up: its process is there; wanted: it is to be; leaving: it stops after its attempt, for `cause`.

    returns: it is down and about to be started again. run: its attempt. struck: what waits for it to be back. slow: by which
    factor, and cause, its attempts take longer; slowed: the cause for the present one.
    """

    up: bool = True
    wanted: bool = True
    leaving: bool = False
    returns: bool = False
    cause: int = NO_CAUSE
    restart_s: float = 0.0
    idle_s: float = 0.0
    run: Run | None = None
    struck: list[_Struck] = field(default_factory=list)
    slow: list[tuple[float, int]] = field(default_factory=list)
    slowed: int = NO_CAUSE


class FleetModel(QueueModel):
    """A queue whose number of workers changes."""

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder) -> None:
        queue = queue_of(plan.scenario)
        self._fleet = queue.fleet
        self._slots = [_Slot() for _ in range(queue.workers)]
        self._beginning = self._slots[0]
        self._starting = 0
        """Workers that the rule has asked for and that are not up yet."""
        super().__init__(env, plan, recorder)
        self._mishaps = self._attempts = KillableAttempts(self, plan, recorder, self._leases)
        self._cut_short = recorder.cut_short
        self._planned_fate = self._fate
        if any(fault.type == QueueFault.SLOW_WORKER for fault in plan.scenario.faults):
            self._fate = self._slowed_fate

    def _schedule_start(self) -> None:
        super()._schedule_start()
        for step in self._fleet.steps:
            self.at(step.at_s, self._have, step.workers)
        if self._fleet.scaling:
            self.at(self._fleet.scaling.every_s, self._look, 1)

    def at(self, t_s: float, callback: Callable[[T], None], value: T) -> None:
        """Call `callback(value)` at `t_s`; not that of an attempt whose worker has been killed meanwhile."""
        if isinstance(value, Attempt):
            super().at(t_s, self._unless_killed, (callback, value))
        else:
            super().at(t_s, callback, value)

    def _unless_killed(self, what: tuple[Callable[[T], None], T]) -> None:
        callback, attempt = what
        if attempt not in self._attempts.killed:
            callback(attempt)

    # Attempts, and the workers that make them.

    def _begin(self, now: float, order: int, number: int, attempt: int, worker: int) -> None:
        self._beginning = slot = self._slots[worker]
        slot.run = Run(order, number, attempt, now)
        super()._begin(now, order, number, attempt, worker)

    def _slowed_fate(self, number: int, attempt: int, start_s: float) -> tuple[float, int, float]:
        service_s, cause, within = self._planned_fate(number, attempt, start_s)
        for factor, slowed in self._beginning.slow:
            service_s *= factor
            self._beginning.slowed = slowed
        return service_s, cause, within

    def _end(self, now: float, number: int, worker: int) -> None:
        super()._end(now, number, worker)
        self._rests(now, worker)

    def release(self, now: float, worker: int) -> None:
        """Set a worker free; one that is to leave goes."""
        super().release(now, worker)
        self._rests(now, worker)

    def _rests(self, now: float, worker: int) -> None:
        slot = self._slots[worker]
        slot.run, slot.idle_s = None, now
        if slot.slowed:
            self._row((now, Kind.FAULT_SEEN, -1, 0, -1, slot.slowed, 0.0))
            slot.slowed = NO_CAUSE
        if slot.leaving:
            self._exit(now, worker)

    # Workers come and go.

    @property
    def _wanted(self) -> int:
        return sum(slot.wanted for slot in self._slots)

    def _have(self, workers: int) -> None:
        """There are to be so many workers from now on."""
        now, more = self.now, workers - self._wanted
        self.catch_up(now)
        if more > 0:
            self._add(now, more)
        for number in self._numbers_of(lambda slot: slot.wanted)[workers:]:
            self._dismiss(now, number)

    def _look(self, rounds: int) -> None:
        """Look at the rule."""
        rule, now = self._fleet.scaling, self.now
        assert rule is not None
        self.catch_up(now)
        there = self._wanted + self._starting
        if len(self._ready) + len(self._backing_off) > rule.queue_depth:
            if (more := min(rule.out_by, rule.most - there)) > 0:
                self._starting += more
                self.at(now + rule.delay_s, self._arrive, more)
        elif rule.idle_s is not None:
            since_s = now - rule.idle_s
            idle = sorted(number for number in self._free if self._slots[number].idle_s <= since_s)
            for number in idle[::-1][: max(0, min(rule.in_by, there - rule.least))]:
                self._dismiss(now, number)
        self.at((rounds + 1) * rule.every_s, self._look, rounds + 1)

    def _arrive(self, more: int) -> None:
        """Workers that were asked for are up."""
        self.catch_up(self.now)
        self._starting -= more
        self._add(self.now, more)

    def _add(self, now: float, more: int) -> None:
        """Start workers, those with the lowest numbers that are free."""
        gone = self._numbers_of(lambda slot: not slot.wanted and not slot.up)
        self._slots += [_Slot(up=False, wanted=False) for _ in range(more - len(gone))]
        for number in self._numbers_of(lambda slot: not slot.wanted and not slot.up)[:more]:
            self._slots[number].wanted = True
            if not self._slots[number].returns:
                self._start(now, number)

    def _dismiss(self, now: float, number: int) -> None:
        """A worker is not wanted any more: it goes, after its attempt."""
        self._slots[number].wanted = False
        if self._slots[number].up:
            self._ask_to_stop(now, number, NO_CAUSE, 0.0)

    def _ask_to_stop(self, now: float, number: int, cause: int, restart_s: float) -> None:
        slot = self._slots[number]
        if not slot.leaving:
            slot.leaving, slot.cause, slot.restart_s = True, cause, restart_s
            if slot.run is None:
                self._exit(now, number)

    def _exit(self, now: float, number: int) -> None:
        """The process of an idle worker ends; it comes back if it is wanted."""
        self._free.remove(number)
        self._goes(now, number, self._slots[number].cause, self._slots[number].restart_s)

    def _goes(self, now: float, number: int, cause: int, restart_s: float) -> None:
        self._row((now, Kind.PROCESS_EXITED, -1, 0, number, cause, self._attempts.process(number)))
        self._attempts.away += 1
        self.went_down(number)
        if self._slots[number].wanted:
            self.at(now + restart_s, self.come_back, number)
        else:
            self._slots[number].returns = False
            self._settle(now, number)

    def went_down(self, number: int) -> None:
        """The process of a worker has ended."""
        slot = self._slots[number]
        slot.up, slot.leaving, slot.run, slot.slowed, slot.returns = False, False, None, NO_CAUSE, True

    def come_back(self, number: int) -> None:
        """Start a worker again that went down, unless nobody wants it any more."""
        now = self.now
        self.catch_up(now)
        self._slots[number].returns = False
        if self._slots[number].wanted:
            self._start(now, number)
        self._settle(now, number)

    def _start(self, now: float, number: int) -> None:
        self._slots[number].up = True
        self._row((now, Kind.PROCESS_STARTED, -1, 0, number, NO_CAUSE, self._attempts.process(number)))
        self._attempts.away -= 1
        self.release(now, number)

    def _numbers_of(self, which: Callable[[_Slot], bool]) -> list[int]:
        """The numbers of workers, ascending."""
        return [number for number, slot in enumerate(self._slots) if which(slot)]

    # Faults of workers.

    def _fault_starts(self, fault: Fault) -> None:
        if not (fault.by_time and (strike := self._fleet.strikes.get(fault.name))):
            super()._fault_starts(fault)
            return
        now = self.now
        self.catch_up(now)
        up = self._numbers_of(lambda slot: slot.up and (fault.type == QueueFault.WORKER_CRASH or not slot.leaving))
        struck = up if fault.type == QueueFault.ROLLING_RESTART else up[: strike.workers]
        one = _Struck(fault, strike, len(struck))
        match fault.type:
            case QueueFault.SLOW_WORKER:
                self._slow(now, fault, strike, struck)
            case QueueFault.WORKER_CRASH:
                for number in struck:
                    self._kill(now, one, number)
            case QueueFault.WORKER_RESTART:
                for number in struck:
                    self._restart(now, one, number)
            case _:
                one.waiting = struck[::-1]
                self._roll(one)

    def _fault_ends(self, fault: Fault) -> None:
        if not (fault.by_time and fault.name in self._fleet.strikes):
            super()._fault_ends(fault)
        elif fault.type == QueueFault.SLOW_WORKER:
            self.catch_up(self.now)
            cause = self._plan.cause_of(fault)
            for slot in self._slots:
                slot.slow = [each for each in slot.slow if each[1] != cause]
            self._tell(Kind.FAULT_CLEARED, fault)

    def _slow(self, now: float, fault: Fault, strike: Strike, struck: Iterable[int]) -> None:
        cause = self._plan.cause_of(fault)
        for number in struck:
            self._slots[number].slow.append((strike.factor, cause))
            self._row((now, Kind.FAULT_INJECTED, -1, 0, number, cause, 0.0))

    def _kill(self, now: float, one: _Struck, number: int) -> None:
        """The process of a worker dies; its lease runs out by itself."""
        slot, cause = self._slots[number], self._plan.cause_of(one.fault)
        slot.struck.append(one)
        if slot.run is None:
            self._row((now, Kind.FAULT_INJECTED, -1, 0, number, cause, 0.0))
            self._free.remove(number)
        else:
            if number not in self._attempts.running:
                self._running = [each for each in self._running if each[2] != number]
                heapq.heapify(self._running)
                self._cut_short(slot.run.number, slot.run.attempt)
            self._attempts.kill(now, number, slot.run, cause)
        self._goes(now, number, cause, one.strike.restart_s)

    def _restart(self, now: float, one: _Struck, number: int) -> None:
        """A worker is asked to stop after its attempt, and is started again."""
        cause = self._plan.cause_of(one.fault)
        self._slots[number].struck.append(one)
        self._row((now, Kind.FAULT_INJECTED, -1, 0, number, cause, 0.0))
        self._ask_to_stop(now, number, cause, one.strike.restart_s)

    def _roll(self, one: _Struck) -> None:
        """The next worker is restarted; those that are not there are passed over."""
        now = self.now
        self.catch_up(now)
        while one.waiting:
            number = one.waiting.pop()
            slot = self._slots[number]
            if slot.up and slot.wanted and not slot.leaving:
                one.asked_s = now
                self._restart(now, one, number)
                return
            one.left -= 1
        self._clear(one)

    def _settle(self, now: float, number: int) -> None:
        """A worker is back, or gone for good: what waited for it goes on."""
        struck, self._slots[number].struck = self._slots[number].struck, []
        for one in struck:
            one.left -= 1
            if one.waiting:
                self.at(max(now, one.asked_s + one.strike.each_s), self._roll, one)
            else:
                self._clear(one)

    def _clear(self, one: _Struck) -> None:
        if not one.left:
            self._tell(Kind.FAULT_CLEARED, one.fault)
