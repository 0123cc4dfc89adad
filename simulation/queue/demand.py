"""The expected load of a task on a queue's workers: attempts, and how long they hold a worker.

The first fault in the file that hits an attempt decides it, so that a later one applies only to what the earlier ones have
left. Averages over service time, the point at which a fault occurs and the watchdog's rounds are taken over a fixed
low-discrepancy set of points (Roberts' R2 sequence), not drawn.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Process, Scenario
from soak.schemas.stream.block import Bools, Floats
from soak.schemas.systems.queue.settings import GuardrailMode, Queue, queue_of
from soak.simulation.distributions import spread
from soak.simulation.queue.actions import ACTIONS, Action
from soak.simulation.queue.lease import Leases
from soak.simulation.queue.waits import mean_waits

_POINTS = 1 << 14
_R2 = (0.7548776662466927, 0.5698402909980532)
_ROUNDING = 1e-9


class Demand(Struct, frozen=True):
    """Of one task: attempts; seconds for which it holds a worker, and for which that worker then waits for a poll.

    A worker is held while it runs an attempt, hangs, waits for the database or is started again. fails: the probability
    that the task ends FAILED or BLOCKED; fails_after_s: how long after its first attempt began, on average. apart_s: time
    between attempts, in which it holds no worker.
    """

    attempts: float
    held_s: float
    idle_s: float
    fails: float
    fails_after_s: float
    apart_s: float = 0.0


class _Outcome(Struct, frozen=True):
    """How an attempt comes out: `chance` of it, and of that the share after which another attempt is made.

    fails: the rest ends FAILED or BLOCKED, otherwise DONE. expires: it is tried again because its lease has expired.
    back_s: until the task is tried again, backoff left aside, on average.
    """

    chance: float
    again: float
    fails: bool
    expires: bool
    held_s: float
    idle_s: float
    back_s: float


class Demanded(Protocol):
    """The demand of a task, by the faults that hold."""

    def of(self, faults: tuple[Fault, ...], kind: str = "") -> Demand:
        """The demand of a task while these faults by rate hold, including accepted duplicates; `kind`: where it is known."""


class TaskDemand:
    """The demand of a task of a scenario, of one kind of work where there are several (by its place in the workload)."""

    def __init__(self, scenario: Scenario, kind: int | None = None) -> None:
        self._queue = queue_of(scenario) if kind is None else queue_of(scenario).of_kind(kind)
        self._kind = None if kind is None else scenario.workload.kinds[kind].name
        service = scenario.workload.service if kind is None else scenario.workload.kinds[kind].service
        self._leases = Leases.of(self._queue, ())
        self._backoff_s = mean_waits(self._queue.backoff, self._queue.last_attempt)
        number = np.arange(_POINTS, dtype=np.float64)
        within: Floats = number * _R2[0] % 1.0
        moment: Floats = number * _R2[1] % 1.0
        service_s = spread(service, _POINTS)
        mean_s = float(service_s.mean())
        # The middles of equal parts fall short of a long tail.
        self._service_s = service_s * (service.mean_s / mean_s) if mean_s else service_s
        self._late = float((self._service_s > self._queue.time_limit_s).mean())
        """The share of attempts that are ended since they run for too long."""
        self._within = within
        self._starts_s = {False: _starts(scenario, moment), True: _starts_after_expiry(queue_of(scenario), moment)}
        self._mean_s = service.mean_s
        if self._late:
            self._service_s = np.minimum(self._service_s, self._queue.time_limit_s)
            self._mean_s = float(self._service_s.mean())
        self._duration_s = scenario.duration_s
        self._found_after_s = self._queue.lease_s + self._queue.watchdog_interval_s / 2
        """How long after its last heartbeat a lease is found expired, on average."""
        self._known: dict[tuple[Fault, ...], Demand] = {}

    def of(self, faults: tuple[Fault, ...], kind: str = "") -> Demand:
        """The demand of a task while these faults by rate hold, including accepted duplicates."""
        if self._kind is not None:
            faults = tuple(fault for fault in faults if not fault.kinds or self._kind in fault.kinds)
        if faults not in self._known:
            self._known[faults] = self._with_duplicates(faults, self._single([f for f in faults if f.type in ACTIONS]))
        return self._known[faults]

    def _with_duplicates(self, faults: Sequence[Fault], task: Demand) -> Demand:
        """A second submission, where it comes before the run ends, is a task of its own if the first has failed by then."""
        left, again = 1.0, 0.0
        for fault in faults:
            if fault.spec.resubmits:
                delay_s = spread(fault.delay, _POINTS)
                comes = np.maximum(0.0, 1 - delay_s / self._duration_s)
                again += left * fault.rate * task.fails * float((comes * (delay_s > task.fails_after_s)).mean())
                left *= 1 - fault.rate
        return replace(task, held_s=task.held_s * (1 + again), idle_s=task.idle_s * (1 + again))

    def _single(self, faults: Sequence[Fault]) -> Demand:
        """Tasks over their hard budget are so in every attempt; the others meet the remaining faults."""
        by_attempt = [fault for fault in faults if fault.spec.counts != "tasks"]
        kinds, left = [], 1.0
        for place, fault in enumerate(faults):
            if fault.spec.counts == "tasks":
                earlier = [other for other in faults[:place] if other.spec.counts != "tasks"]
                kinds.append((left * fault.rate, self._chain(earlier, over_budget=True)))
                left *= 1 - fault.rate
        kinds.append((left, self._chain(by_attempt, over_budget=False)))
        fails = sum(share * kind.fails for share, kind in kinds)
        after_s = sum(share * kind.fails * kind.fails_after_s for share, kind in kinds)
        return Demand(
            attempts=sum(share * kind.attempts for share, kind in kinds),
            held_s=sum(share * kind.held_s for share, kind in kinds),
            idle_s=sum(share * kind.idle_s for share, kind in kinds),
            fails=fails,
            fails_after_s=after_s / fails if fails else 0.0,
            apart_s=sum(share * kind.apart_s for share, kind in kinds),
        )

    def _chain(self, faults: Sequence[Fault], *, over_budget: bool) -> Demand:
        """Attempts of a task one after the other, up to the last that is allowed."""
        queue = self._queue
        outcomes = {late: list(self._outcomes(faults, over_budget=over_budget, expired=late)) for late in (False, True)}
        attempts = held_s = idle_s = fails = after_s = waited_s = apart_s = 0.0
        share = {False: 1.0, True: 0.0}
        """Of the tasks that get so far: those whose attempt before did not lose its lease, and those whose did."""
        for attempt in range(1, queue.last_attempt + 1):
            tried = [(share[late] * each.chance, each) for late in (False, True) for each in outcomes[late]]
            attempts += sum(chance for chance, _ in tried)
            held_s += sum(chance * each.held_s for chance, each in tried)
            idle_s += sum(chance * each.idle_s for chance, each in tried)
            again = sum(chance * each.again for chance, each in tried)
            ended = sum(chance * (1 - each.again) for chance, each in tried if each.fails)
            ended += again if attempt == queue.last_attempt else 0.0
            fails += ended
            after_s += ended * (waited_s + self._mean_s)
            back_s = sum(chance * each.again * each.back_s for chance, each in tried)
            lost = sum(chance * each.again for chance, each in tried if each.expires)
            waited_s += (back_s + (again - lost) * self._backoff_s[attempt - 1]) / again if again else 0.0
            if attempt < queue.last_attempt:
                apart_s += (again - lost) * self._backoff_s[attempt - 1] + lost * self._found_after_s
            share = {False: again - lost, True: lost}
        return Demand(attempts, held_s, idle_s, fails, after_s / fails if fails else 0.0, apart_s)

    def _outcomes(self, faults: Sequence[Fault], *, over_budget: bool, expired: bool) -> Iterator[_Outcome]:
        left = 1.0
        for fault in faults:
            yield from self._struck(fault, left * fault.rate, expired=expired)
            left *= 1 - fault.rate
        blocked = over_budget and self._queue.guardrail_mode is GuardrailMode.ENFORCE
        if self._late and not over_budget:
            limit_s, in_time = np.full(1, self._queue.time_limit_s), self._service_s < self._queue.time_limit_s
            yield from self._held(left * self._late, limit_s, again=1.0, fails=True, expired=expired)
            left, held_s = left * (1 - self._late), self._service_s[in_time]
            yield from self._held(left, held_s, again=0.0, fails=False, expired=expired, chosen=in_time)
        else:
            yield from self._held(left, self._service_s, again=0.0, fails=blocked, expired=expired)

    def _struck(self, fault: Fault, chance: float, *, expired: bool) -> Iterator[_Outcome]:
        queue, service_s = self._queue, self._service_s
        match ACTIONS[fault.type]:
            case Action.DB_LOCK:
                held_s = service_s + queue.busy_timeout_s
                yield from self._held(chance, held_s, again=1.0, fails=True, expired=expired)
            case Action.TRANSIENT:
                yield from self._held(chance, service_s, again=1.0, fails=True, expired=expired)
            case Action.SLOW:
                held_s = service_s * queue.fleet.strikes[fault.name].factor
                yield from self._held(chance, held_s, again=0.0, fails=False, expired=expired)
            case Action.CRASH:
                held_s = self._within * service_s + queue.worker_restart_s
                again = 0.0 if queue.acks_early else 1.0
                yield self._outcome(chance, held_s, again=again, fails=True, expires=True)
            case Action.HANG:
                start_s, struck_s = self._starts_s[expired], self._within * service_s
                lost = float(self._leases.outlasted_by_hang(start_s, struck_s, fault.hang_for_s).mean())
                held_s = service_s + fault.hang_for_s
                yield from self._held(chance, held_s, again=lost, fails=False, expired=expired, expires=True)
            case _:
                yield from self._held(chance, service_s, again=0.0, fails=True, expired=expired)

    def _held(
        self,
        chance: float,
        held_s: Floats,
        *,
        again: float,
        fails: bool,
        expired: bool,
        expires: bool = False,
        chosen: Bools | None = None,
    ) -> Iterator[_Outcome]:
        """An attempt that holds its worker for this time: its lease may have expired by then, where nothing renews it.

        chosen: which of the points it is about, where not all.
        """
        if not self._queue.times_out:
            yield self._outcome(chance, held_s, again=again, fails=fails, expires=expires)
            return
        starts_s = self._starts_s[expired] if chosen is None else self._starts_s[expired][chosen]
        held_s = np.broadcast_to(held_s, starts_s.shape)
        lost = self._leases.outlasted(starts_s, held_s)
        share = float(lost.mean()) if len(lost) else 0.0
        if share < 1:
            yield self._outcome(chance * (1 - share), held_s[~lost], again=again, fails=fails, expires=expires)
        if share:
            yield self._outcome(chance * share, held_s[lost], again=1.0, fails=True, expires=True)

    def _outcome(self, chance: float, held_s: Floats, *, again: float, fails: bool, expires: bool = False) -> _Outcome:
        mean_s, queue = float(held_s.mean()), self._queue
        back_s = queue.lease_s + queue.watchdog_interval_s / 2 if expires else mean_s
        return _Outcome(chance, again, fails, expires, mean_s, self._idle_s(held_s), back_s)

    def _idle_s(self, held_s: Floats) -> float:
        """How long a worker that comes free waits for the next poll on average, where work is waiting.

        The dispatcher that gave it the attempt polls again at whole intervals, the others independently of it: with n of
        them, and r left to its own poll, that is poll/n * (1 - (1 - r/poll)^n).
        """
        poll_s, dispatchers = self._queue.poll_interval_s, self._queue.dispatchers
        if not poll_s:
            return 0.0
        own_s = np.maximum(0.0, np.ceil(held_s / poll_s - _ROUNDING) * poll_s - held_s)
        return float((poll_s / dispatchers * (1 - (1 - own_s / poll_s) ** dispatchers)).mean())


def _starts(scenario: Scenario, moment: Floats) -> Floats:
    """Times at which attempts start, where a worker is free: the watchdog's rounds may be in step with them."""
    queue, workload = queue_of(scenario), scenario.workload
    poll_s = queue.poll_interval_s if queue.dispatchers == 1 else 0.0
    count = np.floor(moment * _POINTS)
    if workload.process is Process.CONSTANT and workload.rate_per_s and queue.dispatchers == 1:
        due_s = count / workload.rate_per_s
        return np.ceil(due_s / poll_s) * poll_s if poll_s else due_s
    return count * poll_s if poll_s else moment * queue.watchdog_interval_s


def _starts_after_expiry(queue: Queue, moment: Floats) -> Floats:
    """Times at which attempts start whose task came back in a round of the watchdog: with the first poll from then on."""
    poll_s, others = queue.poll_interval_s, queue.dispatchers - 1
    round_s = np.floor(moment * _POINTS) * queue.watchdog_interval_s
    if not poll_s:
        return round_s
    first_s = np.ceil(round_s / poll_s) * poll_s
    return np.minimum(first_s, round_s + poll_s * (1 - (1 - moment) ** (1 / others))) if others else first_s
