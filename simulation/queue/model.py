"""The task orchestrator as a SimPy model: it turns a plan into events.

SimPy's clock drives the exceptional: faults, attempts affected by them, samples. Between two of
its events the normal course of work, polls that dispatch and attempts that succeed, is stepped from a heap
of plain tuples. Arrivals are accepted when the clock passes them; idle polls, heartbeats and watchdog rounds are computed.
"""

import heapq
import math
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from simpy import Environment, Timeout

from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.stream.events import CENSUS, COPY, Kind
from soak.schemas.stream.states import ACTIVE, TaskState
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.queue.faults import ENDS_A_SERVICE, OUTAGES, SHOW_AT_ONCE, QueueFault
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan, Submissions
from soak.simulation.queue.contention import Contention
from soak.simulation.queue.lease import FOREVER, Leases, windows_of
from soak.simulation.queue.mishaps import Attempt, Mishaps
from soak.simulation.queue.network import delayed
from soak.simulation.queue.places import Places
from soak.simulation.queue.polls import Polls
from soak.simulation.queue.waiting import Backed, Deferred, Ready, oldest_due, oldest_of_all
from soak.simulation.recorder import Recorder, RowKind

T = TypeVar("T")

# Plain numbers for the hot path: looking up a member of an enumeration costs as much as a heap operation.
_BEGIN, _RUN, _ENQUEUED = int(RowKind.BEGIN), int(RowKind.RUN), int(Kind.TASK_ENQUEUED)
_DUPLICATE, _SKIPPED = int(Kind.TASK_DUPLICATE), int(Kind.TASK_SKIPPED)
_DEPTH, _OLDEST, _BUSY = int(Kind.SAMPLE_QUEUE_DEPTH), int(Kind.SAMPLE_OLDEST_PENDING), int(Kind.SAMPLE_BUSY_WORKERS)
_PENDING, _IN_PROGRESS, _DONE = int(TaskState.PENDING), int(TaskState.IN_PROGRESS), int(TaskState.DONE)


class QueueModel:
    """PENDING work, free workers, and what happens between them."""

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder) -> None:
        self._env = env
        self._plan = plan
        self._row = recorder.row
        self._record_enqueues = recorder.enqueue
        self._fate = delayed(plan.fate, plan, recorder.row)
        self._queue = queue_of(plan.scenario)
        self._duration_s = plan.ends_s
        self._outages = windows_of(plan.scenario, *OUTAGES)
        self._leases = Leases.of(self._queue, self._outages, windows_of(plan.scenario, QueueFault.WATCHDOG_CRASH))
        self._watched = self._leases.watched
        self._mishaps = Mishaps(self, plan, recorder, self._leases)
        self._states, self._free = bytearray(), list(range(self._queue.workers - 1, -1, -1))
        self._ready: list[Ready] = []
        self._place = Places.of(plan)
        self._accept = self._accept_in_place if self._place else self._accept_in_turn
        self._oldest_due = oldest_of_all if self._place else oldest_due
        self._backing_off: list[Backed] = []
        self._deferred: list[Deferred] = []
        self._running: list[tuple[float, int, int]] = []
        self._order = self._open = 0
        self._poll_at = self._poll_asked_at = FOREVER
        self._next_poll = Polls.of(plan, self._leases).first_from
        self._contended = self._queue.dispatchers > 1
        self._contention = Contention(self._queue, plan.seed)
        self._chunks: Iterator[Submissions] = plan.submissions()
        self._limit_s, self._due = 0.0, list[float]()
        self._numbers, self._causes = [0], [0]
        self._cursor, self._next_due, self._sample_at = 0, -FOREVER, plan.scenario.telemetry.sample_interval_s
        self.ended_s: float | None = None
        """When the last open task was closed after the end of arrivals; None before."""
        self._prepare()
        self._next_chunk()
        self._schedule_start()

    def _prepare(self) -> None:
        """What a model with more to it than this one has of its own."""

    def _schedule_start(self) -> None:
        self.at(self._duration_s, self._arrivals_over, None)
        for fault in self._plan.scenario.faults:
            for window in fault.windows if fault.by_time else ():
                self.at(window.start_s, self._fault_starts, fault)
                self.at(window.end_s, self._fault_ends, fault)
        self.plan_poll(0.0)

    @property
    def now(self) -> float:
        """Scenario time in seconds."""
        return self._env.now

    def at(self, t_s: float, callback: Callable[[T], None], value: T) -> None:
        """Call `callback(value)` at `t_s`."""

        def happen(_: object) -> None:
            callback(value)
            self._step()

        Timeout(self._env, max(0.0, t_s - self._env.now)).callbacks.append(happen)
        self._limit_s = min(self._limit_s, t_s)

    def run(self, until_s: float) -> None:
        """Simulate up to `until_s`, and accept the work that is due by then."""
        self.at(self._env.now, self.catch_up, self._env.now)
        self._env.run(until=until_s)
        self.catch_up(until_s)

    def _step(self) -> None:
        """The normal course of work up to the next event of SimPy."""
        running = self._running
        self._limit_s = self._env.peek()
        while True:
            end_s = running[0][0] if running else FOREVER
            next_s = min(end_s, self._poll_at, self._sample_at)
            if next_s >= self._limit_s:
                return
            if next_s == self._sample_at:
                self._sample(next_s)
            elif next_s == end_s:
                self._end(*heapq.heappop(running))
            else:
                self._poll(next_s)

    # Work comes in.

    def _next_chunk(self) -> None:
        while self._cursor == len(self._due):
            chunk = next(self._chunks, None)
            if chunk is None:
                self._next_due = FOREVER
                return
            self._due, self._numbers, self._causes = chunk.due_s.tolist(), chunk.number.tolist(), chunk.cause.tolist()
            self._cursor = 0
            if not self._outages:
                self._record_enqueues(chunk.due_s[chunk.cause == NO_CAUSE], chunk.number[chunk.cause == NO_CAUSE])
            if self._numbers:
                self._states.extend(bytes(max(0, max(self._numbers) + 2 - len(self._states))))
        self._next_due = self._due[self._cursor]

    def catch_up(self, now: float) -> None:
        """Accept all work that is due by `now`; every callback starts with it, so that rows stay in time order."""
        while self._next_due <= now:
            due, number, cause = self._next_due, self._numbers[self._cursor], self._causes[self._cursor]
            self._cursor += 1
            if self._cursor < len(self._due):
                self._next_due = self._due[self._cursor]
            else:
                self._next_chunk()
            if self._outages:
                self._submit(due, number, cause)
            elif cause:
                self._enqueue_again(due, due, number, cause)
            else:
                # Its row is recorded already.
                self._accept(number, due)

    def _submit(self, due: float, number: int, cause: int) -> None:
        if self._leases.writable_from(due) != due:
            self._defer(due, number, cause)
            return
        (self._enqueue_again if cause else self._enqueue)(due, due, number, cause)

    def _defer(self, due: float, number: int, cause: int) -> None:
        self._mishaps.deferred(due, first=not self._deferred)
        if not cause:
            self._row((due, Kind.TASK_DEFERRED, number, 0, -1, cause, due))
            self._states[number] = TaskState.DEFERRED
        self._deferred.append((due, number, cause))

    def _enqueue_again(self, now: float, due: float, number: int, cause: int) -> None:
        self._row((now, _DUPLICATE, number, 0, -1, cause, 0.0))
        if self._states[number & ~COPY] in ACTIVE:
            self._row((now, _SKIPPED, number, 0, -1, cause, 0.0))
        else:
            self._enqueue(now, due, number, cause)

    def _enqueue(self, now: float, due: float, number: int, cause: int) -> None:
        self._row((now, _ENQUEUED, number, 0, -1, cause, due))
        self._accept(number, due)

    def _accept_in_turn(self, number: int, due: float) -> None:
        self._states[number] = _PENDING
        self._open += 1
        self._order += 1
        heapq.heappush(self._ready, (self._order, number, 1, due))

    def _accept_in_place(self, number: int, due: float) -> None:
        """Where some work is dispatched before other."""
        assert self._place
        self._states[number] = _PENDING
        self._open += 1
        self._order += 1
        heapq.heappush(self._ready, (self._place.of_task(number, self._order), number, 1, due))

    # Dispatchers poll.

    def plan_poll(self, now: float) -> None:
        """Make sure that a dispatcher polls when it can next hand out work: now, or when the next work is due."""
        if self._ready:
            t_s = now
        else:
            t_s = self._next_due
            if self._backing_off and self._backing_off[0][0] < t_s:
                # It may have been due for long, with no worker free.
                t_s = max(now, self._backing_off[0][0])
        if t_s < self._poll_asked_at:
            self._poll_asked_at = t_s
            self._poll_at = self._next_poll(t_s)

    def _poll(self, now: float) -> None:
        self._poll_at = self._poll_asked_at = FOREVER
        self._dispatch(now)
        if self._free:
            self.plan_poll(now)

    def _dispatch(self, now: float) -> None:
        """A dispatcher polls: the oldest due work goes to free workers."""
        if self._next_due <= now:
            self.catch_up(now)
        backing_off, ready, free = self._backing_off, self._ready, self._free
        while backing_off and backing_off[0][0] <= now:
            due, order, number, attempt = heapq.heappop(backing_off)
            heapq.heappush(ready, (order, number, attempt, due))
        while ready and free:
            order, number, attempt, _ = heapq.heappop(ready)
            self._begin(now, order, number, attempt, free.pop())

    # Attempts run.

    def _begin(self, now: float, order: int, number: int, attempt: int, worker: int) -> None:
        service_s, cause, within = self._fate(number, attempt, now)
        self._states[number] = _IN_PROGRESS
        if self._contended and (losers := self._contention.rivals(number, attempt)):
            self._row((now, Kind.LEASE_CONTENDED, number, attempt, -1, NO_CAUSE, losers))
        if cause or (self._watched and self._leases.disturbed(now, now + service_s)):
            self._row((now, _BEGIN, number, attempt, worker, NO_CAUSE, 0.0))
            eventful = Attempt(order, number, attempt, worker, now, cause, self._plan.action[cause])
            self._mishaps.begin(eventful, service_s, within)
        else:
            # Its end is known already.
            end_s = now + service_s
            self._row((now, _RUN, number, attempt, worker, NO_CAUSE, end_s))
            heapq.heappush(self._running, (end_s, number, worker))

    def _end(self, now: float, number: int, worker: int) -> None:
        if self._next_due <= now:
            self.catch_up(now)
        self.close(now, number, _DONE)
        self._free.append(worker)
        # A poll that is planned already covers all work but what was waiting for a worker.
        if self._ready or self._poll_asked_at == FOREVER:
            self.plan_poll(now)

    def close(self, now: float, number: int, state: int) -> None:
        """End a task in `state`."""
        self._states[number] = state
        self._open -= 1
        if not self._open and now >= self._duration_s:
            self.ended_s = now

    def back_off(self, due: float, order: int, number: int, attempt: int) -> None:
        """Put a task back to PENDING, not to be tried before `due`."""
        self._states[number] = _PENDING
        heapq.heappush(self._backing_off, (due, order, number, attempt))

    def release(self, now: float, worker: int) -> None:
        """Set a worker free."""
        self._free.append(worker)
        self.plan_poll(now)

    def lost(self, now: float, worker: int) -> None:
        """A worker has died: nothing waits for it."""

    # Scheduled faults.

    def _fault_starts(self, fault: Fault) -> None:
        self.catch_up(self._env.now)
        self._tell(Kind.FAULT_INJECTED, fault)
        if fault.spec.process:
            self._tell(Kind.PROCESS_EXITED, fault, self._plan.process_of(fault))
        elif fault.type in ENDS_A_SERVICE:
            self._tell(Kind.PROCESS_EXITED, fault, self._plan.vocabulary.name(fault.dependency))
        elif fault.type in SHOW_AT_ONCE:
            self._tell(Kind.FAULT_SEEN, fault)

    def _fault_ends(self, fault: Fault) -> None:
        now = self._env.now
        # What arrives now comes after what has waited for the end of an outage.
        self.catch_up(math.nextafter(now, 0.0))
        self._tell(Kind.FAULT_CLEARED, fault)
        if fault.type in ENDS_A_SERVICE:
            service = self._plan.vocabulary.name(fault.dependency)
            self._row((now, Kind.PROCESS_STARTED, -1, 0, -1, NO_CAUSE, service))
        if fault.type == TELEMETRY_LOSS:
            self._tell(Kind.SAMPLE_LOST, fault)
        elif fault.spec.process:
            self._row((now, Kind.PROCESS_STARTED, -1, 0, -1, NO_CAUSE, self._plan.process_of(fault)))
        elif self._leases.writable_from(now) == now:
            deferred, self._deferred = self._deferred, []
            for due, number, cause in deferred:
                (self._enqueue_again if cause else self._enqueue)(now, due, number, cause)
            self.catch_up(now)
            self.plan_poll(now)

    def _tell(self, kind: Kind, fault: Fault, value: float = 0.0) -> None:
        self._row((self._env.now, kind, -1, 0, -1, self._plan.cause_of(fault), value))

    # What is seen from outside.

    def _sample(self, now: float) -> None:
        self.catch_up(now)
        ready, idle = self._waiting()
        pending = len(ready) + len(self._backing_off)
        busy = self._queue.workers - idle - self._mishaps.away
        oldest_s = now - self._oldest_due(now, ready, self._backing_off, self._deferred)
        for kind, value in ((_DEPTH, pending), (_OLDEST, oldest_s), (_BUSY, busy)):
            self._row((now, kind, -1, 0, -1, NO_CAUSE, value))
        self._sample_at = now + self._plan.scenario.telemetry.sample_interval_s

    def _waiting(self) -> tuple[list[Ready], int]:
        """The work that waits for a worker, and how many workers are free."""
        return self._ready, len(self._free)

    def _arrivals_over(self, _: None) -> None:
        self.catch_up(self._env.now)
        if not self._open and not self._deferred:
            self.ended_s = self._env.now

    def census(self, now: float) -> None:
        """Record how many tasks the model itself holds in each state."""
        counts = np.bincount(np.frombuffer(self._states, dtype=np.uint8), minlength=len(TaskState))
        for state, kind in CENSUS.items():
            self._row((now, kind, -1, 0, -1, NO_CAUSE, int(counts[state])))
