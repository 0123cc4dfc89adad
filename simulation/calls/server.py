"""The state of a dependency: workers, locks, a store and memory. A crash loses all of it, and the next server starts afresh."""

from dataclasses import dataclass

from simpy import Environment, Resource
from simpy.resources.resource import Request as Turn

from soak.schemas.stream.events import Kind
from soak.schemas.systems.calls.settings import Dependency, Isolation
from soak.simulation.calls.fullest import Fullest
from soak.simulation.calls.outcome import Demand, Request, Work
from soak.simulation.recorder import Recorder


@dataclass(slots=True)
class Visit:
    """A call at work: the record it changes, the memory it needs, and whether that stays allocated after success.

    `abandoned`: the client has given it up.
    """

    request: Request
    record: int
    demand: Demand
    hold: bool
    abandoned: bool = False
    turn: Turn | None = None
    """Its place in the queue for a worker."""


class Server:
    """One life of a dependency. `versions` count the changes of each record of its store: they outlast it."""

    def __init__(
        self, env: Environment, dependency: Dependency, recorder: Recorder, versions: list[int], fullest: Fullest
    ) -> None:
        self._env = env
        self._name = dependency.name
        self._fullest = fullest
        self._row = recorder.row
        self._limit_bytes = dependency.memory_bytes
        capacity, store = dependency.capacity, dependency.store
        self._workers = Resource(env, capacity.workers) if capacity else None
        self._waiting = capacity.waiting if capacity else 0
        self._isolation = store.isolation if store else None
        self._versions = versions
        locked = store is not None and store.isolation is Isolation.LOCK
        self._locks = [Resource(env) for _ in versions] if locked else []
        self._used_bytes = self._held_bytes = 0
        self.alive = True

    def limits(self, demand: Demand) -> bool:
        """Whether it has state that calls share."""
        return bool(self._workers or self._isolation or (self._limit_bytes is not None and demand.piece_bytes))

    def admit(self, demand: Demand) -> str:
        """Take a call in, with the memory it needs; otherwise the error class of its refusal."""
        workers = self._workers
        if workers and workers.count == workers.capacity and len(workers.queue) >= self._waiting:
            return "queue_full"
        if self._limit_bytes is not None and demand.piece_bytes:
            if self._used_bytes + demand.piece_bytes > self._limit_bytes:
                return "out_of_memory"
            self._use(demand.piece_bytes)
        return ""

    def work(self, visit: Visit, work_s: float) -> Work:
        """The work of a call that was admitted; returns the error class it ends with. A client that leaves does not end it."""
        turn = visit.turn = self._workers.request() if self._workers else None
        if turn is not None and not turn.triggered:
            yield turn
        lock = self._locks[visit.record].request() if self._locks else None
        if lock is not None and not lock.triggered:
            yield lock
        read = self._versions[visit.record] if self._isolation else 0
        yield self._env.timeout(work_s)
        error = self._write(visit, read) if self.alive and self._isolation else ""
        if lock is not None:
            self._locks[visit.record].release(lock)
        if turn is not None and self._workers:
            self._workers.release(turn)
        if self.alive and self._limit_bytes is not None and visit.demand.piece_bytes:
            self._settle(visit, well=not error)
        return error

    def leave(self, visit: Visit) -> None:
        """The client times out: a queued call leaves the queue, and work in progress continues."""
        visit.abandoned = True
        if visit.turn is not None and not visit.turn.triggered:
            visit.turn.cancel()
            if self.alive and self._limit_bytes is not None and visit.demand.piece_bytes:
                self._settle(visit, well=False)

    def _write(self, visit: Visit, read: int) -> str:
        if self._versions[visit.record] != read:
            if self._isolation is Isolation.OPTIMISTIC:
                return "conflict"
            request = visit.request
            self._row((self._env.now, Kind.UPDATE_LOST, request.number, request.attempt, -1, 0, 0.0))
        self._versions[visit.record] += 1
        return ""

    def _settle(self, visit: Visit, *, well: bool) -> None:
        """Keep or free the memory of a finished call."""
        size = visit.demand.piece_bytes
        if visit.hold and well and not visit.abandoned:
            self._held_bytes += size
            self._tell(Kind.SAMPLE_MEMORY_HELD, self._held_bytes)
        else:
            self._use(-size)

    def _use(self, size: int) -> None:
        self._used_bytes += size
        self._tell(Kind.SAMPLE_MEMORY, self._used_bytes)

    def _tell(self, kind: Kind, used: int) -> None:
        assert self._limit_bytes is not None
        share = self._fullest.note(kind, self._name, used / self._limit_bytes)
        self._row((self._env.now, kind, -1, 0, -1, 0, share))
