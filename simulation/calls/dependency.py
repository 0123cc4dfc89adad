"""A dependency: what happens to a call that has left the client."""

from simpy import Environment, Resource
from simpy.resources.resource import Request as Turn

from schemas.calls import Dependency, Isolation
from schemas.events import Kind
from schemas.faults import Fault, FaultType
from simulation.calls.bucket import Bucket
from simulation.calls.fates import CallFates
from simulation.calls.outcome import CallError, Demand, Request, Steps
from simulation.calls.upkeep import Upkeep
from simulation.plan import Plan
from simulation.recorder import Recorder

AT_ONCE = frozenset(
    {
        FaultType.CONNECTION_ERROR,
        FaultType.RATE_LIMITED,
        FaultType.QUEUE_FULL,
        FaultType.WORKER_DOWN,
        FaultType.POOL_EXHAUSTED,
    }
)
"""Faults that are answered before any work is done; the others take the latency of the call."""


class DependencyModel:
    """Serves calls; one object for each dependency of a scenario."""

    def __init__(self, env: Environment, dependency: Dependency, plan: Plan, recorder: Recorder) -> None:
        self.name = dependency.name
        self._env = env
        self._dependency = dependency
        self._row = recorder.row
        self._vocabulary = plan.vocabulary
        self._fates = CallFates(plan, dependency)
        self._upkeep = Upkeep(env, dependency, plan, recorder)
        capacity, quota = dependency.capacity, dependency.quota
        self._workers = Resource(env, capacity.workers) if capacity else None
        self._waiting = capacity.waiting if capacity else 0
        self._bucket = Bucket(quota.rate_per_s, quota.burst) if quota else None
        self._used_bytes = self._held_bytes = 0
        store = dependency.store
        self._versions = [0] * (store.records if store else 0)
        self._locks = [Resource(env) for _ in self._versions] if store and store.isolation is Isolation.LOCK else []

    def serve(self, request: Request, deadline: float, demand: Demand, *, hold: bool) -> Steps:
        """Carry out the next call of a request to this dependency. Raises CallError."""
        call = request.calls[self.name] = request.calls.get(self.name, 0) + 1
        try:
            yield from self._serve(request, call, deadline, demand, hold=hold)
        except CallError as failed:
            self._upkeep.note(failed=True, cause=failed.cause)
            raise
        self._upkeep.note(failed=False, cause=0)

    def _serve(self, request: Request, call: int, deadline: float, demand: Demand, *, hold: bool) -> Steps:
        if self._upkeep.down:
            raise CallError(FaultType.CONNECTION_ERROR, self._upkeep.down)
        latency_s, fault, cause, within = self._fates.of(request.number, call, self._env.now, self._upkeep.live)
        if fault and fault.type is not FaultType.DELAY:
            yield from self._strike(request, fault, cause, latency_s, within, deadline)
        if fault:
            self._row((self._env.now, Kind.FAULT_INJECTED, request.number, request.attempt, -1, cause, 0.0))
            latency_s += self._fates.delay_s(fault, request.number, call)
        if self._bucket:
            self._meter(self._bucket)
        self._take_memory(demand)
        try:
            yield from self._work(request, call, latency_s, deadline, demand)
        finally:
            self._give_back(0 if hold and request.memory_bytes else demand.piece_bytes)
        if hold and demand.piece_bytes:
            self._held_bytes += demand.piece_bytes
            self._tell_memory(Kind.SAMPLE_MEMORY_HELD, self._held_bytes)
        if fault:
            self._row((self._env.now, Kind.FAULT_SEEN, -1, 0, -1, cause, 0.0))

    # Faults of single calls.

    def _strike(
        self, request: Request, fault: Fault, cause: int, latency_s: float, within: float, deadline: float
    ) -> Steps:
        """The fault decides the call: it fails at once, in the middle, at its end, or when the client gives it up."""
        kind = fault.type
        self._row((self._env.now, Kind.FAULT_INJECTED, request.number, request.attempt, -1, cause, 0.0))
        if kind is FaultType.TIMEOUT:
            yield from self._sleep(deadline, deadline, cause)
        elif kind is FaultType.CONNECTION_RESET:
            yield from self._sleep(self._env.now + within * latency_s, deadline, cause)
        elif kind not in AT_ONCE:
            yield from self._sleep(self._env.now + latency_s, deadline, cause)
        error = self._vocabulary.causes[cause].error
        raise CallError(error, cause, fault.retry_after_s if kind is FaultType.RATE_LIMITED else 0.0)

    def _sleep(self, until_s: float, deadline: float, cause: int = 0) -> Steps:
        """Let time pass. Raises CallError when the deadline comes first, or the dependency goes away meanwhile."""
        timer = self._env.timeout(max(0.0, min(until_s, deadline) - self._env.now))
        if self._upkeep.fragile:
            yield timer | self._upkeep.gone
            if self._upkeep.down:
                raise CallError(FaultType.CONNECTION_RESET, self._upkeep.down)
        else:
            yield timer
        if deadline <= until_s:
            raise CallError("timeout", cause or self._vocabulary.cause("", "timeout"))

    def _own(self, error: str) -> int:
        """The cause of an error that no fault of the scenario is behind."""
        return self._vocabulary.cause("", error)

    # Limits.

    def _meter(self, bucket: Bucket) -> None:
        wait_s = bucket.wait_s(self._env.now)
        if wait_s > 0:
            raise CallError("rate_limited", self._own("rate_limited"), wait_s)
        bucket.take(self._env.now)

    def _take_memory(self, demand: Demand) -> None:
        limit = self._dependency.memory_bytes
        if limit is None or not demand.piece_bytes:
            return
        if self._used_bytes + demand.piece_bytes > limit:
            raise CallError("out_of_memory", self._own("out_of_memory"))
        self._used_bytes += demand.piece_bytes
        self._tell_memory(Kind.SAMPLE_MEMORY, self._used_bytes)

    def _give_back(self, size: int) -> None:
        if self._dependency.memory_bytes is not None and size:
            self._used_bytes -= size
            self._tell_memory(Kind.SAMPLE_MEMORY, self._used_bytes)

    def _tell_memory(self, kind: Kind, used: int) -> None:
        if self._dependency.memory_bytes is not None:
            self._row((self._env.now, kind, -1, 0, -1, 0, used / self._dependency.memory_bytes))

    # Work.

    def _work(self, request: Request, call: int, latency_s: float, deadline: float, demand: Demand) -> Steps:
        """Wait for a worker, then work; a client that gives up leaves the worker busy to the end of its call."""
        work_s = latency_s if demand.piece_s is None else demand.pieces * demand.piece_s
        if self._workers is None:
            yield from self._change(request, call, work_s, deadline)
            return
        if self._workers.count == self._workers.capacity and len(self._workers.queue) >= self._waiting:
            raise CallError("queue_full", self._own("queue_full"))
        workers = self._workers
        turn = workers.request()
        if not turn.triggered:
            yield turn | self._env.timeout(max(0.0, deadline - self._env.now))
            if not turn.triggered:
                turn.cancel()
                raise CallError("timeout", self._own("timeout"))
        end_s = self._env.now + work_s
        try:
            yield from self._change(request, call, work_s, deadline)
        finally:
            left_s = end_s - self._env.now if not self._upkeep.down else 0.0
            if left_s > 0:
                self._env.process(self._release_later(workers, turn, left_s))
            else:
                workers.release(turn)

    def _release_later(self, workers: Resource, turn: Turn, left_s: float) -> Steps:
        yield self._env.timeout(left_s)
        workers.release(turn)

    def _change(self, request: Request, call: int, work_s: float, deadline: float) -> Steps:
        """The work of a call: where there is a store, read a record, change it and write it back."""
        store = self._dependency.store
        if store is None:
            yield from self._sleep(self._env.now + work_s, deadline)
            return
        record = self._fates.record(request.number, call, store.records)
        lock = self._locks[record].request() if self._locks else None
        try:
            if lock is not None and not lock.triggered:
                yield lock | self._env.timeout(max(0.0, deadline - self._env.now))
                if not lock.triggered:
                    raise CallError("timeout", self._own("timeout"))
            read = self._versions[record]
            yield from self._sleep(self._env.now + work_s, deadline)
            if self._versions[record] != read:
                if store.isolation is Isolation.OPTIMISTIC:
                    raise CallError("conflict", self._own("conflict"))
                self._row((self._env.now, Kind.UPDATE_LOST, request.number, request.attempt, -1, 0, 0.0))
            self._versions[record] += 1
        finally:
            if lock is not None:
                lock.cancel()
                if lock.triggered:
                    self._locks[record].release(lock)
