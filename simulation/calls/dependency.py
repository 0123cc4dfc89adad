"""A dependency: what happens to a call that has left the client."""

from simpy import Environment

from soak.schemas.language.faults import Fault
from soak.schemas.stream.events import Kind
from soak.schemas.systems.calls.faults import CallFault
from soak.schemas.systems.calls.settings import Dependency
from soak.simulation.bucket import Bucket
from soak.simulation.calls.fates import CallFates
from soak.simulation.calls.fullest import Fullest
from soak.simulation.calls.outcome import CallError, Demand, Request, Steps
from soak.simulation.calls.server import Server, Visit
from soak.simulation.calls.supervisor import Supervisor
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder

AT_ONCE = frozenset(
    {
        CallFault.CONNECTION_ERROR,
        CallFault.RATE_LIMITED,
        CallFault.QUEUE_FULL,
        CallFault.WORKER_DOWN,
        CallFault.POOL_EXHAUSTED,
    }
)
"""Faults that are answered before any work is done; the others take the latency of the call."""


class DependencyModel:
    """Serves calls; one object for each dependency of a scenario."""

    def __init__(
        self, env: Environment, dependency: Dependency, plan: Plan, recorder: Recorder, fullest: Fullest
    ) -> None:
        self.name = dependency.name
        self._fullest = fullest
        self._env = env
        self._dependency = dependency
        self._recorder = recorder
        self._row = recorder.row
        self._vocabulary = plan.vocabulary
        self._fates = CallFates(plan, dependency)
        self._supervisor = Supervisor(env, dependency, plan, recorder)
        quota, store = dependency.quota, dependency.store
        self._bucket = Bucket(quota.rate_per_s, quota.burst) if quota else None
        self._records = store.records if store else 0
        self._versions = [0] * self._records
        self._server = Server(env, dependency, recorder, self._versions, fullest)
        self._lives = self._supervisor.lives

    def serve(self, request: Request, deadline: float, demand: Demand, *, hold: bool) -> Steps:
        """Carry out the next call of a request to this dependency. Raises CallError."""
        call = request.calls[self.name] = request.calls.get(self.name, 0) + 1
        try:
            yield from self._serve(request, call, deadline, demand, hold=hold)
        except CallError:
            self._supervisor.note(failed=True)
            raise
        self._supervisor.note(failed=False)

    def _serve(self, request: Request, call: int, deadline: float, demand: Demand, *, hold: bool) -> Steps:
        if self._supervisor.down:
            raise CallError(CallFault.CONNECTION_ERROR, self._supervisor.down)
        latency_s, fault, cause, within = self._fates.of(request.number, call, self._env.now, self._supervisor.live)
        if fault and fault.type != CallFault.DELAY:
            yield from self._strike(request, fault, cause, latency_s, within, deadline)
        if self._bucket:
            self._meter(self._bucket)
        server = self._present()
        if refusal := server.admit(demand):
            raise CallError(refusal, self._own(refusal))
        work_s = latency_s if demand.piece_s is None else demand.pieces * demand.piece_s
        record = self._fates.record(request.number, call, self._records) if self._records else 0
        visit = Visit(request, record, demand, hold)
        if fault:
            delay_s = self._fates.delay_s(fault, request.number, call)
            yield from self._work_later(server, visit, work_s, delay_s, deadline, fault, cause)
        else:
            yield from self._work(server, visit, work_s, deadline, self._own("timeout"))

    # Faults of single calls.

    def _strike(
        self, request: Request, fault: Fault, cause: int, latency_s: float, within: float, deadline: float
    ) -> Steps:
        """The outcome of a faulty call: it fails at once, midway, at its end, or when the client times out."""
        kind = fault.type
        self._row((self._env.now, Kind.FAULT_INJECTED, request.number, request.attempt, -1, cause, 0.0))
        if kind == CallFault.TIMEOUT:
            yield from self._sleep(deadline, deadline, cause)
        elif kind == CallFault.CONNECTION_RESET:
            yield from self._sleep(self._env.now + within * latency_s, deadline, self._own("timeout"))
        elif kind not in AT_ONCE:
            yield from self._sleep(self._env.now + latency_s, deadline, self._own("timeout"))
        error = self._vocabulary.causes[cause].error
        raise CallError(error, cause, fault.retry_after_s if kind == CallFault.RATE_LIMITED else 0.0)

    def _work_later(
        self, server: Server, visit: Visit, work_s: float, delay_s: float, deadline: float, fault: Fault, cause: int
    ) -> Steps:
        """A delayed call: the answer comes late, or after the deadline because of the delay."""
        request = visit.request
        self._row((self._env.now, Kind.FAULT_INJECTED, request.number, request.attempt, -1, cause, 0.0))
        in_time = self._env.now + work_s < deadline
        too_late = self._vocabulary.cause(fault.name if in_time else "", "timeout")
        try:
            yield from self._work(server, visit, work_s + delay_s, deadline, too_late)
        except CallError as failed:
            if failed.cause == too_late and in_time:
                self._row((self._env.now, Kind.FAULT_SEEN, -1, 0, -1, cause, 0.0))
            raise
        self._row((self._env.now, Kind.FAULT_SEEN, -1, 0, -1, cause, 0.0))

    def _own(self, error: str) -> int:
        """The cause of an error not due to a fault of the scenario."""
        return self._vocabulary.cause("", error)

    # Work.

    def _meter(self, bucket: Bucket) -> None:
        wait_s = bucket.wait_s(self._env.now)
        if wait_s > 0:
            raise CallError("rate_limited", self._own("rate_limited"), wait_s)
        bucket.take(self._env.now)

    def _present(self) -> Server:
        """The current server process: a new one after a crash."""
        if self._supervisor.lives > self._lives:
            self._lives = self._supervisor.lives
            self._server.alive = False
            self._server = Server(self._env, self._dependency, self._recorder, self._versions, self._fullest)
        return self._server

    def _work(self, server: Server, visit: Visit, work_s: float, deadline: float, too_late: int) -> Steps:
        """Wait for the work of a call. Raises CallError; a client that times out leaves the server working."""
        if not server.limits(visit.demand):
            yield from self._sleep(self._env.now + work_s, deadline, too_late)
            return
        work = self._env.process(server.work(visit, work_s))
        gone = self._supervisor.gone
        yield work | self._env.timeout(max(0.0, deadline - self._env.now)) | gone
        if gone.triggered:
            server.leave(visit)
            raise CallError(CallFault.CONNECTION_RESET, self._supervisor.down)
        if self._env.now >= deadline:
            server.leave(visit)
            raise CallError("timeout", too_late)
        if work.value:
            raise CallError(work.value, self._own(work.value))

    def _sleep(self, until_s: float, deadline: float, too_late: int) -> Steps:
        """Let time pass. Raises CallError when the deadline comes first, or the dependency goes down meanwhile."""
        timer = self._env.timeout(max(0.0, min(until_s, deadline) - self._env.now))
        gone = self._supervisor.gone
        if self._supervisor.fragile:
            yield timer | gone
            if gone.triggered:
                raise CallError(CallFault.CONNECTION_RESET, self._supervisor.down)
        else:
            yield timer
        if deadline <= until_s:
            raise CallError("timeout", too_late)
