"""Workers: requests wait for one in order (FCFS), or all are worked on at once and share them (PS).

Workers are numbered; worker w is in process w modulo the number of processes. A pool has some of them.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from soak.simulation.gateway.agenda import Action, Agenda, Request


class Staff(Struct, frozen=True):
    """What all pools have in common.

    service: how long a request is worked on, in seconds, by its number. then: called with the time when that is over.
    processes: how many processes the workers are in. backlog: how many requests may wait in the pool.
    """

    agenda: Agenda
    service: Callable[[int], float]
    then: Action
    processes: int
    backlog: int


class Pool(Protocol):
    """Workers, and the requests that they work on or that wait for them."""

    @property
    def busy(self) -> int:
        """Requests that are worked on."""

    def enter(self, now: float, request: Request) -> bool:
        """Accept a request; False if as many wait as may."""

    def kill(self, now: float, process: int) -> None:
        """A process is gone with its workers; its requests are marked as gone."""

    def restart(self, now: float, process: int) -> None:
        """Its workers are back."""


class FcfsPool:
    """Each request has a worker for itself, and those without wait in order of arrival."""

    def __init__(self, staff: Staff, workers: Sequence[int]) -> None:
        self._staff, self._agenda, self._service = staff, staff.agenda, staff.service
        self._workers = workers
        self._free = list(reversed(workers))
        self._present = len(workers)
        self._waiting: deque[Request] = deque()

    @property
    def busy(self) -> int:
        """Requests that are worked on."""
        return self._present - len(self._free)

    def enter(self, now: float, request: Request) -> bool:
        """Accept a request; False if as many wait as may."""
        if self._free:
            self._start(now, request, self._free.pop())
        elif len(self._waiting) < self._staff.backlog:
            self._waiting.append(request)
        else:
            return False
        return True

    def _start(self, now: float, request: Request, worker: int) -> None:
        request.worker, request.process = worker, worker % self._staff.processes
        self._agenda.at(now + self._service(request.number), self._end, request)

    def _end(self, now: float, request: Request) -> None:
        if request.gone:
            return
        worker, request.worker = request.worker, -1
        if self._waiting:
            self._start(now, self._waiting.popleft(), worker)
        else:
            self._free.append(worker)
        self._staff.then(now, request)

    def kill(self, now: float, process: int) -> None:
        """Nobody works on what its workers worked on; what waits goes on waiting, for those that are left."""
        self._present -= len(self._of(process))
        self._free = [worker for worker in self._free if worker % self._staff.processes != process]

    def restart(self, now: float, process: int) -> None:
        """Its workers take what waits."""
        for worker in self._of(process):
            self._present += 1
            if self._waiting:
                self._start(now, self._waiting.popleft(), worker)
            else:
                self._free.append(worker)

    def _of(self, process: int) -> list[int]:
        return [worker for worker in self._workers if worker % self._staff.processes == process]


class PsPool:
    """All requests are worked on at once: n of them at min(1, c / n) of full speed each, where there are c workers.

    Virtual time is the work that each has had: it passes at that speed, and a request ends when it has had what it needs
    (Kleinrock, Queueing Systems II, 4.4; as generalised processor sharing is emulated by Parekh & Gallager 1993).
    """

    def __init__(self, staff: Staff, workers: Sequence[int]) -> None:
        self._staff, self._agenda, self._service = staff, staff.agenda, staff.service
        self._workers = workers
        self._alive = set(range(staff.processes))
        self._present = len(workers)
        self._work: list[tuple[float, int, Request]] = []
        self._had_s, self._at_s = 0.0, 0.0
        self._planned: tuple[float, Request] | None = None
        self._order = 0

    @property
    def busy(self) -> int:
        """Requests that are worked on."""
        return len(self._work)

    def enter(self, now: float, request: Request) -> bool:
        """Accept a request; False if as many are there as may work and wait."""
        if len(self._work) >= self._present + self._staff.backlog:
            return False
        self._pass(now)
        self._order += 1
        if self._alive:
            alive = sorted(self._alive)
            request.process = alive[self._order % len(alive)]
        heapq.heappush(self._work, (self._had_s + self._service(request.number), self._order, request))
        self._plan(now)
        return True

    def _speed(self) -> float:
        return min(1.0, self._present / len(self._work))

    def _pass(self, now: float) -> None:
        """Let virtual time pass; it begins anew whenever nobody is there, so that it keeps its digits."""
        if self._work:
            self._had_s += (now - self._at_s) * self._speed()
        else:
            self._had_s = 0.0
        self._at_s = now

    def _plan(self, now: float) -> None:
        """Plan the next end; what was planned before does not come about, unless it is the same."""
        if not self._work or not self._present:
            self._planned = None
            return
        end_s, _, request = self._work[0]
        next_s = now + max(0.0, end_s - self._had_s) / self._speed()
        if self._planned != (next_s, request):
            self._planned = next_s, request
            self._agenda.at(next_s, self._end, request)

    def _end(self, now: float, request: Request) -> None:
        if self._planned != (now, request):
            return
        end_s, _, _ = heapq.heappop(self._work)
        self._had_s, self._at_s, self._planned = end_s, now, None
        self._plan(now)
        self._staff.then(now, request)

    def kill(self, now: float, process: int) -> None:
        """Its requests are gone; the others share the workers that are left."""
        self._pass(now)
        self._alive.discard(process)
        self._present -= self._of(process)
        self._work = [each for each in self._work if not each[2].gone]
        heapq.heapify(self._work)
        self._plan(now)

    def restart(self, now: float, process: int) -> None:
        """There are more workers to share."""
        self._pass(now)
        self._alive.add(process)
        self._present += self._of(process)
        for _, _, request in self._work:
            # It came while there was no process.
            request.process = process if request.process < 0 else request.process
        self._plan(now)

    def _of(self, process: int) -> int:
        return sum(worker % self._staff.processes == process for worker in self._workers)
