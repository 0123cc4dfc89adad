"""Which workers are there and which are to be: by schedule, by a rule, and by faults at times. The same in a model and for real.

Workers that a fault strikes are those with the lowest numbers that are up: work is given to these first in a queue that is
not full, so that a crash finds something to lose. New workers take the lowest numbers that are free; those that leave by
schedule are the ones with the highest, those that leave by a rule have had nothing to do.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from soak.schemas.language.faults import Fault
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.fleet import Fleet, Strike

T = TypeVar("T")

_KILLS = frozenset({QueueFault.WORKER_CRASH, QueueFault.WORKER_KILL})

_AGAIN_S = 1.0
"""A rolling restart whose remaining workers are all down looks for one again after this time, or their restart time."""


class Hands(Protocol):
    """What does to workers what the roster says."""

    @property
    def now(self) -> float:
        """Scenario time in seconds."""

    def at(self, t_s: float, callback: Callable[[T], None], value: T) -> None:
        """Call `callback(value)` at `t_s`."""

    def note(self, kind: Kind, number: int, cause: int) -> None:
        """Record an event of a worker (-1: of none), now."""

    def cause_of(self, fault: Fault) -> int:
        """The number of the cause that a fault is."""

    def pending(self) -> int:
        """Tasks that are PENDING."""

    def idle_since(self, number: int) -> float | None:
        """Since when a worker has had nothing to do; None while it has."""

    def reachable(self, number: int) -> bool:
        """Whether anything can be done to a worker."""

    def start(self, number: int) -> None:
        """Start a worker. It has been recorded."""

    def ask_to_stop(self, number: int) -> None:
        """Let a worker end after its attempt: then, which may be now, `Roster.stopped` is called."""

    def kill(self, number: int, cause: int) -> None:
        """Kill a worker, and record the injection and the end of its attempt."""

    def hang(self, number: int, cause: int, until_s: float) -> None:
        """Stop a worker in whatever it does, and record the injection; `wake` follows then."""

    def wake(self, number: int, cause: int) -> None:
        """A worker that was stopped goes on, which is recorded; one that was killed meanwhile does not."""


@dataclass(slots=True, eq=False)
class _Struck:
    """A fault of workers in one of its windows: how many are still away, and those still to be restarted, the next one last."""

    fault: Fault
    strike: Strike
    left: int
    waiting: list[int] = field(default_factory=list)
    asked_s: float = 0.0


@dataclass(slots=True, eq=False)
class Worker:
    """A worker by its number.

    up: its process is there; wanted: it is to be; leaving: it stops after its attempt, for `cause`, and is back `restart_s`
    later if it is wanted then. returns: it is down and about to be started again. struck: what waits for it to be back.
    slow: by which factor, and cause, what it begins takes longer.
    """

    up: bool = True
    wanted: bool = True
    leaving: bool = False
    returns: bool = False
    cause: int = NO_CAUSE
    restart_s: float = 0.0
    struck: list[_Struck] = field(default_factory=list)
    slow: list[tuple[float, int]] = field(default_factory=list)


class Roster:
    """The workers of a queue; `start` puts what is planned on the clock, faults left aside."""

    def __init__(self, hands: Hands, fleet: Fleet, workers: int) -> None:
        self._hands, self._fleet = hands, fleet
        self.workers = [Worker() for _ in range(workers)]
        """By number."""
        self._hanging: dict[str, list[int]] = {}
        """The workers that a fault has stopped, by its name."""
        self._starting = 0
        """Workers that the rule has asked for and that are not up yet."""

    def begin(self, from_s: float = 0.0) -> None:
        """Schedule all that is planned from then on."""
        for step in self._fleet.steps:
            if step.at_s >= from_s:
                self._hands.at(step.at_s, self._have, step.workers)
        if rule := self._fleet.scaling:
            rounds = int(from_s // rule.every_s) + 1
            self._hands.at(rounds * rule.every_s, self._look, rounds)

    # Workers come and go.

    def _numbers(self, which: Callable[[Worker], bool]) -> list[int]:
        return [number for number, worker in enumerate(self.workers) if which(worker)]

    def _have(self, workers: int) -> None:
        """There is to be this number of workers from now on."""
        wanted = self._numbers(lambda worker: worker.wanted)
        if workers > len(wanted):
            self._add(workers - len(wanted))
        for number in wanted[workers:]:
            self._dismiss(number)

    def _look(self, rounds: int) -> None:
        """Look at the rule."""
        rule, now = self._fleet.scaling, self._hands.now
        assert rule is not None
        there = sum(worker.wanted for worker in self.workers) + self._starting
        if self._hands.pending() > rule.queue_depth:
            if (more := min(rule.out_by, rule.most - there)) > 0:
                self._starting += more
                self._hands.at(now + rule.delay_s, self._arrive, more)
        elif rule.idle_s is not None:
            idle = [
                number for number in self._numbers(lambda worker: worker.up and worker.wanted) if self._idle(number)
            ]
            for number in idle[::-1][: max(0, min(rule.in_by, there - rule.least))]:
                self._dismiss(number)
        self._hands.at((rounds + 1) * rule.every_s, self._look, rounds + 1)

    def _idle(self, number: int) -> bool:
        """Whether a worker has had nothing to do for so long that it may leave."""
        rule, since_s = self._fleet.scaling, self._hands.idle_since(number)
        return (
            rule is not None
            and rule.idle_s is not None
            and since_s is not None
            and since_s <= self._hands.now - rule.idle_s
        )

    def _arrive(self, more: int) -> None:
        """Workers that were asked for are up."""
        self._starting -= more
        self._add(more)

    def _add(self, more: int) -> None:
        gone = self._numbers(lambda worker: not worker.wanted and not worker.up)
        self.workers += [Worker(up=False, wanted=False) for _ in range(more - len(gone))]
        for number in self._numbers(lambda worker: not worker.wanted and not worker.up)[:more]:
            self.workers[number].wanted = True
            if not self.workers[number].returns:
                self._start(number)

    def _start(self, number: int) -> None:
        self.workers[number].up = True
        self._hands.note(Kind.PROCESS_STARTED, number, NO_CAUSE)
        self._hands.start(number)

    def _dismiss(self, number: int) -> None:
        """A worker is not wanted any more: it goes, after its attempt."""
        self.workers[number].wanted = False
        if self.workers[number].up:
            self._ask_to_stop(number, NO_CAUSE, 0.0)

    def _ask_to_stop(self, number: int, cause: int, restart_s: float) -> None:
        worker = self.workers[number]
        if not worker.leaving:
            worker.leaving, worker.cause, worker.restart_s = True, cause, restart_s
            self._hands.ask_to_stop(number)

    def stopped(self, number: int) -> None:
        """A worker that was asked to has ended."""
        self._goes(number, self.workers[number].cause, self.workers[number].restart_s)

    def _goes(self, number: int, cause: int, restart_s: float) -> None:
        """The process of a worker has ended; it comes back if it is wanted."""
        self._hands.note(Kind.PROCESS_EXITED, number, cause)
        self.went_down(number)
        if self.workers[number].wanted:
            self._hands.at(self._hands.now + restart_s, self.come_back, number)
        else:
            self.come_back(number)

    def went_down(self, number: int) -> None:
        """The process of a worker has ended, as is recorded; `come_back` is to follow."""
        worker = self.workers[number]
        worker.up, worker.leaving, worker.returns = False, False, True

    def come_back(self, number: int) -> None:
        """Start a worker again that went down, unless nobody wants it any more; what waited for it goes on."""
        self.workers[number].returns = False
        if self.workers[number].wanted:
            self._start(number)
        struck, self.workers[number].struck = self.workers[number].struck, []
        for one in struck:
            one.left -= 1
            if one.waiting:
                self._hands.at(max(self._hands.now, one.asked_s + one.strike.each_s), self._roll, one)
            else:
                self._clear(one)

    # Faults of workers.

    def strikes(self, fault: Fault) -> bool:
        """Whether a fault strikes workers at times."""
        return fault.by_time and fault.name in self._fleet.strikes

    def fault_starts(self, fault: Fault) -> None:
        """A fault of workers begins."""
        strike = self._fleet.strikes[fault.name]
        dies = fault.type in _KILLS
        up = [
            number
            for number in self._numbers(lambda worker: worker.up and (dies or not worker.leaving))
            if self._hands.reachable(number)
        ]
        everybody = self._numbers(lambda worker: worker.wanted)
        struck = everybody if fault.type == QueueFault.ROLLING_RESTART else up[: strike.workers]
        one = _Struck(fault, strike, len(struck))
        match fault.type:
            case QueueFault.SLOW_WORKER:
                self._slow(fault, strike, struck)
            case QueueFault.WORKER_HANG:
                self._hang(fault, struck)
            case QueueFault.WORKER_CRASH | QueueFault.WORKER_KILL:
                for number in struck:
                    self.workers[number].struck.append(one)
                    self._hands.kill(number, self._hands.cause_of(fault))
                    self._goes(number, self._hands.cause_of(fault), strike.restart_s)
            case QueueFault.WORKER_RESTART | QueueFault.WORKER_TERM:
                for number in struck:
                    self._restart(one, number)
            case _:
                one.waiting = struck[::-1]
                self._roll(one)

    def fault_ends(self, fault: Fault) -> None:
        """The window of a fault of workers is over; one that takes workers away ends when they are back."""
        if fault.type == QueueFault.SLOW_WORKER:
            cause = self._hands.cause_of(fault)
            for worker in self.workers:
                worker.slow = [each for each in worker.slow if each[1] != cause]
            self._hands.note(Kind.FAULT_CLEARED, -1, cause)
        elif fault.type == QueueFault.WORKER_HANG:
            cause = self._hands.cause_of(fault)
            for number in self._hanging.pop(fault.name, []):
                self._hands.wake(number, cause)
            self._hands.note(Kind.FAULT_CLEARED, -1, cause)

    def slowed(self, number: int) -> tuple[float, int]:
        """How many times as long what a worker begins now takes, and the cause of that (NO_CAUSE: none)."""
        slow = self.workers[number].slow if 0 <= number < len(self.workers) else []
        return math.prod(factor for factor, _ in slow), slow[-1][1] if slow else NO_CAUSE

    def _slow(self, fault: Fault, strike: Strike, struck: Iterable[int]) -> None:
        for number in struck:
            self.workers[number].slow.append((strike.factor, self._hands.cause_of(fault)))
            self._hands.note(Kind.FAULT_INJECTED, number, self._hands.cause_of(fault))

    def _hang(self, fault: Fault, struck: list[int]) -> None:
        lasts_s = fault.windows[0].end_s - fault.windows[0].start_s
        self._hanging[fault.name] = struck
        for number in struck:
            self._hands.hang(number, self._hands.cause_of(fault), self._hands.now + lasts_s)

    def _restart(self, one: _Struck, number: int) -> None:
        """A worker is asked to stop after its attempt, and is started again."""
        cause = self._hands.cause_of(one.fault)
        self.workers[number].struck.append(one)
        self._hands.note(Kind.FAULT_INJECTED, number, cause)
        self._ask_to_stop(number, cause, one.strike.restart_s)

    def _roll(self, one: _Struck) -> None:
        """The next worker is restarted: of those that are still to be, the first that is up. Nobody waits for one that left."""
        gone = [number for number in one.waiting if not self.workers[number].wanted]
        one.waiting = [number for number in one.waiting if self.workers[number].wanted]
        one.left -= len(gone)
        ready = [number for number in one.waiting if self.workers[number].up and not self.workers[number].leaving]
        if ready:
            one.asked_s = self._hands.now
            one.waiting.remove(ready[-1])
            self._restart(one, ready[-1])
        elif one.waiting:
            self._hands.at(self._hands.now + max(one.strike.restart_s, _AGAIN_S), self._roll, one)
        else:
            self._clear(one)

    def _clear(self, one: _Struck) -> None:
        if not one.left:
            self._hands.note(Kind.FAULT_CLEARED, -1, self._hands.cause_of(one.fault))
