"""The model of several queues, each with workers of its own, a rate limit, and tasks that its workers reserve."""

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from simpy import Environment

from soak.schemas.stream.states import TaskState
from soak.schemas.systems.queue.kinds import WorkerQueue
from soak.simulation.plan import Plan
from soak.simulation.queue.lease import FOREVER
from soak.simulation.queue.model import QueueModel
from soak.simulation.queue.pace import Pace
from soak.simulation.queue.waiting import Ready, oldest_of_all
from soak.simulation.recorder import Recorder

_DONE = int(TaskState.DONE)


@dataclass(slots=True, eq=False)
class _Lane:
    """One queue: its tasks that are due, its workers that are free, and what each of the others has reserved.

    room: workers with the number of tasks they had reserved when they were put in, the least first; those that have
    changed since are passed over. listed: the same entries.
    """

    free: list[int]
    pace: Pace | None
    prefetch: int
    ready: list[Ready] = field(default_factory=list)
    reserved: dict[int, deque[Ready]] = field(default_factory=dict)
    room: list[tuple[int, int]] = field(default_factory=list)
    listed: set[tuple[int, int]] = field(default_factory=set)
    down: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, queue: WorkerQueue, first: int, poll_interval_s: float) -> "_Lane":
        """The lane of a queue whose workers have numbers from `first` on."""
        numbers = range(first, first + queue.workers)
        rate = queue.rate_per_s
        pace = Pace(1 / rate, poll_interval_s) if rate else None
        reserved = {worker: deque[Ready]() for worker in numbers} if queue.prefetch else {}
        return cls(list(reversed(numbers)), pace, queue.prefetch, reserved=reserved)

    def opens_s(self, now: float) -> float:
        """When something can next be dispatched to a worker; FOREVER where none is free, or nothing waits."""
        if not (self.ready and self.free):
            return FOREVER
        return max(now, self.pace.opens_s) if self.pace else now

    def put(self, task: Ready) -> None:
        """A task is due."""
        heapq.heappush(self.ready, task)

    def offer(self, worker: int) -> None:
        """A worker that is busy can reserve tasks."""
        if (
            self.prefetch
            and (count := len(self.reserved[worker])) < self.prefetch
            and (count, worker) not in self.listed
        ):
            heapq.heappush(self.room, (count, worker))
            self.listed.add((count, worker))

    def reserve(self) -> None:
        """Busy workers reserve what is due, those with the fewest tasks first."""
        while self.ready and self.room:
            count, worker = entry = heapq.heappop(self.room)
            self.listed.remove(entry)
            if worker in self.down or worker in self.free or len(self.reserved[worker]) != count:
                continue
            self.reserved[worker].append(heapq.heappop(self.ready))
            self.offer(worker)

    def waiting(self) -> Iterator[Ready]:
        """What waits for a worker, or at one."""
        yield from self.ready
        for tasks in self.reserved.values():
            yield from tasks


class QueuesModel(QueueModel):
    """The queue where workers belong to queues. What is due waits in the lane of its kind, and `_ready` stays empty."""

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder) -> None:
        assert plan.kinds
        self._kind_of = plan.kinds.one
        super().__init__(env, plan, recorder)

    def _prepare(self) -> None:
        self._lanes: list[_Lane] = []
        self._lane_of_kind: dict[int, _Lane] = {}
        self._lane_of_worker: list[_Lane] = []
        for queue in self._queue.queues:
            lane = _Lane.of(queue, len(self._lane_of_worker), self._queue.poll_interval_s)
            self._lanes.append(lane)
            self._lane_of_kind.update(dict.fromkeys(queue.kinds, lane))
            self._lane_of_worker += [lane] * queue.workers
        self._free.clear()
        self._oldest_due = oldest_of_all

    def _accept_in_turn(self, number: int, due: float) -> None:
        super()._accept_in_turn(number, due)
        self._lane_of_kind[self._kind_of(number)].put(self._ready.pop())

    def _accept_in_place(self, number: int, due: float) -> None:
        super()._accept_in_place(number, due)
        self._lane_of_kind[self._kind_of(number)].put(self._ready.pop())

    def plan_poll(self, now: float) -> None:
        """Make sure that a dispatcher polls when something can next be handed out, or comes that can be."""
        t_s = min(lane.opens_s(now) for lane in self._lanes)
        if any(lane.free or lane.prefetch for lane in self._lanes):
            t_s = min(t_s, self._next_due)
            if self._backing_off:
                t_s = min(t_s, max(now, self._backing_off[0][0]))
        if t_s < self._poll_asked_at:
            self._poll_asked_at = t_s
            self._poll_at = self._next_poll(t_s)

    def _poll(self, now: float) -> None:
        self._poll_at = self._poll_asked_at = FOREVER
        self._dispatch(now)
        self.plan_poll(now)

    def _dispatch(self, now: float) -> None:
        if self._next_due <= now:
            self.catch_up(now)
        while self._backing_off and self._backing_off[0][0] <= now:
            due, order, number, attempt = heapq.heappop(self._backing_off)
            self._lane_of_kind[self._kind_of(number)].put((order, number, attempt, due))
        for lane in self._lanes:
            while lane.opens_s(now) <= now:
                order, number, attempt, _ = heapq.heappop(lane.ready)
                if lane.pace:
                    lane.pace.take(now)
                self._start(now, (order, number, attempt, now), lane.free.pop(), lane)
            lane.reserve()

    def _start(self, now: float, task: Ready, worker: int, lane: _Lane) -> None:
        order, number, attempt, _ = task
        self._begin(now, order, number, attempt, worker)
        lane.offer(worker)

    def _end(self, now: float, number: int, worker: int) -> None:
        if self._next_due <= now:
            self.catch_up(now)
        self.close(now, number, _DONE)
        self.release(now, worker)

    def release(self, now: float, worker: int) -> None:
        """A worker comes free: it begins the first task that it has reserved, or waits to be given one."""
        lane = self._lane_of_worker[worker]
        lane.down.discard(worker)
        if lane.prefetch and lane.reserved[worker]:
            start_s = self._leases.writable_from(now)
            if start_s > now:
                self.at(start_s, self._begin_reserved, worker)
            else:
                self._start(now, lane.reserved[worker].popleft(), worker, lane)
                self._refill(now, lane)
            return
        lane.free.append(worker)
        self.plan_poll(now)

    def _refill(self, now: float, lane: _Lane) -> None:
        """There is room for a task again; a dispatcher sees it when it polls next."""
        if lane.ready and now < self._poll_asked_at:
            self._poll_asked_at = now
            self._poll_at = self._next_poll(now)

    def _begin_reserved(self, worker: int) -> None:
        self.catch_up(self.now)
        self.release(self.now, worker)

    def lost(self, now: float, worker: int) -> None:
        """A worker has died: what it had reserved is due again at once."""
        lane = self._lane_of_worker[worker]
        lane.down.add(worker)
        if lane.prefetch:
            for task in lane.reserved[worker]:
                lane.put(task)
            lane.reserved[worker].clear()
            self.plan_poll(now)
            self._refill(now, lane)

    def _waiting(self) -> tuple[list[Ready], int]:
        waiting = [task for lane in self._lanes for task in lane.waiting()]
        return waiting, sum(len(lane.free) for lane in self._lanes)
