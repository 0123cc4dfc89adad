"""Attempts affected by a fault or by an outage of the database."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind, worker_name
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.settings import GuardrailMode, Queue, queue_of
from soak.simulation.plan import Plan
from soak.simulation.queue.actions import BODY_FAILS, LOSES_LEASE, Action
from soak.simulation.queue.lease import FOREVER, Leases, union
from soak.simulation.queue.waits import waits_of
from soak.simulation.recorder import Recorder

T = TypeVar("T")

# Plain numbers for the hot path: looking up a member of an enumeration costs as much as a heap operation.
_INJECTED, _SEEN = int(Kind.FAULT_INJECTED), int(Kind.FAULT_SEEN)
_ENDED, _RETRY, _DEAD_LETTERED = int(Kind.EXECUTION_ENDED), int(Kind.TASK_RETRY), int(Kind.TASK_DEAD_LETTERED)
_DONE, _FAILED, _BLOCKED, LOST = (
    (int(kind), int(state))
    for kind, state in (
        (Kind.TASK_DONE, TaskState.DONE),
        (Kind.TASK_FAILED, TaskState.FAILED),
        (Kind.TASK_BLOCKED, TaskState.BLOCKED),
        (Kind.TASK_LOST, TaskState.LOST),
    )
)
"""The event that ends a task, and the state it ends in."""
_CRASH, _HANG, _DB_LOCK = int(Action.CRASH), int(Action.HANG), int(Action.DB_LOCK)
_SLOW, _TIME_LIMIT = int(Action.SLOW), int(Action.TIME_LIMIT)
_SEEN_AT_ITS_END = frozenset({_HANG, _SLOW})
_PERMANENT, _OVER_BUDGET = int(Action.PERMANENT), int(Action.OVER_BUDGET)
_BODY_FAILS = [action in BODY_FAILS for action in Action]
_INJECTED_AT_ITS_END = [
    (fails or action is Action.DB_LOCK) and action is not Action.TIME_LIMIT
    for action, fails in zip(Action, _BODY_FAILS, strict=True)
]
_TRIED_AGAIN = [action in {Action.TRANSIENT, Action.DB_LOCK, Action.TIME_LIMIT} for action in Action]
_LOSES_ITS_LEASE = [action in LOSES_LEASE for action in Action]


class Host(Protocol):
    """What the queue does for its attempts."""

    @property
    def now(self) -> float:
        """Scenario time in seconds."""

    def at(self, t_s: float, callback: Callable[[T], None], value: T) -> None:
        """Call `callback(value)` at `t_s`."""

    def catch_up(self, now: float) -> None:
        """Accept all work that is due by `now`."""

    def back_off(self, due: float, order: int, number: int, attempt: int) -> None:
        """Put a task back to PENDING, for an attempt no earlier than `due`."""

    def close(self, now: float, number: int, state: int) -> None:
        """End a task in `state`."""

    def release(self, now: float, worker: int) -> None:
        """Set a worker free."""

    def lost(self, now: float, worker: int) -> None:
        """A worker has died."""

    def plan_poll(self, now: float) -> None:
        """Make sure that a dispatcher looks when there is something to do."""


def rules(plan: Plan) -> Callable[[int], Queue]:
    """What holds for a task, by its number: the queue's settings, with those of its kind put in."""
    queue, kinds = queue_of(plan.scenario), plan.kinds
    if kinds is None or not queue.differs_by_kind:
        return lambda number: queue
    by_kind, kind_of = queue.by_kind, kinds.one
    return lambda number: by_kind[kind_of(number)]


def limited(plan: Plan) -> Callable[[int, float, int], tuple[float, int]]:
    """An attempt that a fault makes slower, by task number, seconds and cause: ended where it runs for too long."""
    late, of_task = plan.late_cause, rules(plan)

    def limit(number: int, service_s: float, cause: int) -> tuple[float, int]:
        longest_s = of_task(number).time_limit_s
        return (longest_s, late) if service_s > longest_s else (service_s, cause)

    return limit if late else lambda number, service_s, cause: (service_s, cause)


def outage_cause(plan: Plan, outages: Sequence[Fault], start_s: float, end_s: float) -> int:
    """The cause of what an outage of the database does between the two: the first of these faults that is there then."""
    for fault in outages:
        if any(window.start_s < end_s and start_s < window.end_s for window in fault.windows):
            return plan.cause_of(fault)
    return plan.vocabulary.cause("", "lease_expired")


class Attempt:
    """An attempt affected by a fault or outage."""

    __slots__ = ("action", "attempt", "cause", "lost", "number", "order", "start_s", "worker")

    def __init__(
        self, order: int, number: int, attempt: int, worker: int, start_s: float, cause: int, action: int
    ) -> None:
        self.order = order
        self.number = number
        self.attempt = attempt
        self.worker = worker
        self.start_s = start_s
        self.cause = cause
        self.action = action
        self.lost = False


class Mishaps:
    """Carries eventful attempts through to their end."""

    def __init__(self, host: Host, plan: Plan, recorder: Recorder, leases: Leases) -> None:
        self._host = host
        self._plan = plan
        self._row = recorder.row
        self._queue = queue_of(plan.scenario)
        self._rules, self._limited = rules(plan), limited(plan)
        self._wait_s = waits_of(self._rules, plan)
        self._leases = leases
        self._outages, self._watched = leases.outages, leases.watched
        self._outage_faults = [fault for fault in plan.scenario.faults if fault.spec.outage]
        self._deferring = NO_CAUSE
        self.away = 0
        """Workers that are down."""

    def begin(self, attempt: Attempt, service_s: float, within: float) -> None:
        """An attempt that a fault decides, or that an outage touches."""
        queue, start_s, action = self._queue, attempt.start_s, attempt.action
        if action == _SLOW:
            service_s *= self._slow_factor(attempt)
            self._injected(start_s, attempt)
            service_s, cause = self._limited(attempt.number, service_s, attempt.cause)
            if cause != attempt.cause:
                self._row((start_s, _SEEN, -1, 0, -1, attempt.cause, 0.0))
                attempt.cause, attempt.action = cause, _TIME_LIMIT
        struck_s = start_s + within * service_s
        end_s = start_s + service_s
        if not self._watched and not _LOSES_ITS_LEASE[action]:
            self._host.at(end_s, self._end, attempt)
            return
        silences = list(self._outages)
        if action == _CRASH:
            self._host.at(struck_s, self._crash, attempt)
            silences.append(Window(struck_s, FOREVER))
            end_s = FOREVER
        elif action == _HANG:
            hang_for_s = self._plan.fault_of(attempt.cause).hang_for_s
            self._host.at(struck_s, self._hang, attempt)
            silences.append(Window(struck_s, struck_s + hang_for_s))
            end_s += hang_for_s
        if end_s < FOREVER:
            self._host.at(end_s, self._end, attempt)
        reported_s = self._leases.writable_from(end_s) + (queue.busy_timeout_s if action == _DB_LOCK else 0.0)
        expires_s = self._leases.first_expiry(start_s, reported_s, union(silences))
        if expires_s is not None:
            self._host.at(expires_s, self._expire, attempt)

    def _injected(self, now: float, attempt: Attempt) -> None:
        self._row((now, _INJECTED, attempt.number, attempt.attempt, attempt.worker, attempt.cause, 0.0))

    def _slow_factor(self, attempt: Attempt) -> float:
        return self._queue.fleet.strikes[self._plan.fault_of(attempt.cause).name].factor

    def _ended(self, now: float, attempt: Attempt, cause: int) -> None:
        ran_s = now - attempt.start_s
        self._row((now, _ENDED, attempt.number, attempt.attempt, attempt.worker, cause, ran_s))

    def _hang(self, attempt: Attempt) -> None:
        self._host.catch_up(self._host.now)
        self._injected(self._host.now, attempt)

    def _crash(self, attempt: Attempt) -> None:
        now = self._host.now
        self._host.catch_up(now)
        self._injected(now, attempt)
        self._ended(now, attempt, attempt.cause)
        self._row((now, Kind.PROCESS_EXITED, -1, 0, attempt.worker, attempt.cause, self._process(attempt.worker)))
        self.away += 1
        self._host.lost(now, attempt.worker)
        if self._queue.acks_early:
            self._finish(now, LOST, attempt, attempt.cause)
        self._host.at(now + self._queue.worker_restart_s, self._restart, attempt.worker)

    def _process(self, worker: int) -> int:
        return self._plan.vocabulary.name(worker_name(worker))

    def _restart(self, worker: int) -> None:
        now = self._host.now
        self._host.catch_up(now)
        self._row((now, Kind.PROCESS_STARTED, -1, 0, worker, NO_CAUSE, self._process(worker)))
        self.away -= 1
        self._host.release(now, worker)

    def _end(self, attempt: Attempt) -> None:
        """The body of the task is over; its result can be reported as soon as the database lets it."""
        now = self._host.now
        self._host.catch_up(now)
        fails = _BODY_FAILS[attempt.action]
        if _INJECTED_AT_ITS_END[attempt.action]:
            self._injected(now, attempt)
        elif attempt.action in _SEEN_AT_ITS_END:
            self._row((now, _SEEN, -1, 0, -1, attempt.cause, 0.0))
        self._ended(now, attempt, attempt.cause if fails else NO_CAUSE)
        reported_s = self._leases.writable_from(now)
        if reported_s > now:
            self.saw_outage(now)
        if attempt.action == _DB_LOCK:
            reported_s += self._queue.busy_timeout_s
        if reported_s > now:
            self._host.at(reported_s, self._report, attempt)
        else:
            self._reported(now, attempt)

    def _report(self, attempt: Attempt) -> None:
        self._host.catch_up(self._host.now)
        self._reported(self._host.now, attempt)

    def _reported(self, now: float, attempt: Attempt) -> None:
        if attempt.lost:
            self._row((now, Kind.LEASE_REFUSED, attempt.number, attempt.attempt, attempt.worker, attempt.cause, 0.0))
        elif _TRIED_AGAIN[attempt.action]:
            self._try_again(now, now + self._wait_s(attempt.number, attempt.attempt), attempt, attempt.cause)
        elif attempt.action == _PERMANENT:
            self._finish(now, _FAILED, attempt, attempt.cause)
        elif attempt.action == _OVER_BUDGET and self._queue.guardrail_mode is GuardrailMode.ENFORCE:
            self._finish(now, _BLOCKED, attempt, attempt.cause)
        else:
            self._finish(now, _DONE, attempt, NO_CAUSE)
        self._host.release(now, attempt.worker)

    def _expire(self, attempt: Attempt) -> None:
        """The watchdog finds the lease expired."""
        now = self._host.now
        self._host.catch_up(now)
        attempt.lost = True
        own = not self._queue.times_out or attempt.action == _SLOW or _LOSES_ITS_LEASE[attempt.action]
        cause = (own and attempt.cause) or self._outage_cause(attempt.start_s, now)
        self._row((now, Kind.LEASE_EXPIRED, attempt.number, attempt.attempt, attempt.worker, cause, 0.0))
        self._try_again(now, now, attempt, cause)
        self._host.plan_poll(now)

    def _try_again(self, now: float, due: float, attempt: Attempt, cause: int) -> None:
        rules = self._rules(attempt.number)
        if attempt.attempt >= rules.last_attempt:
            if rules.dead_letters(attempt.attempt):
                self._row((now, _DEAD_LETTERED, attempt.number, attempt.attempt, attempt.worker, cause, 0.0))
            self._finish(now, _FAILED, attempt, cause)
            return
        self._row((now, _RETRY, attempt.number, attempt.attempt, attempt.worker, cause, due))
        self._host.back_off(due, attempt.order, attempt.number, attempt.attempt + 1)

    def _finish(self, now: float, end: tuple[int, int], attempt: Attempt, cause: int) -> None:
        kind, state = end
        self._row((now, kind, attempt.number, attempt.attempt, attempt.worker, cause, 0.0))
        self._host.close(now, attempt.number, state)

    def _outage_cause(self, start_s: float, end_s: float) -> int:
        return outage_cause(self._plan, self._outage_faults, start_s, end_s)

    def deferred(self, now: float, *, first: bool) -> None:
        """Work could not be accepted: recorded for the first, and where another outage has taken over since the one before."""
        cause = self._outage_cause(now, now + 1e-6)
        if first or cause != self._deferring:
            self._row((now, _SEEN, -1, 0, -1, cause, 0.0))
        self._deferring = cause

    def saw_outage(self, now: float) -> None:
        """Record that the database refused something."""
        self._row((now, _SEEN, -1, 0, -1, self._outage_cause(now, now + 1e-6), 0.0))
