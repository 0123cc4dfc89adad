"""The client: a chain of policies around a call. The first is innermost, each of the others wraps all before it.

Every policy is a function of what it wraps. Deadlines are passed inwards, so that nothing has to be cancelled from outside.
"""

from collections.abc import Callable
from functools import partial

from simpy import Environment, Resource

from soak.schemas.stream.events import Kind
from soak.schemas.systems.calls.settings import (
    HOPELESS,
    Bulkhead,
    CircuitBreaker,
    Degrade,
    Fallback,
    Policy,
    Pool,
    RateLimit,
    Retry,
    Timeout,
    calls_of,
)
from soak.simulation.bucket import Bucket
from soak.simulation.calls.dependency import DependencyModel
from soak.simulation.calls.fullest import Fullest
from soak.simulation.calls.outcome import CallError, Demand, Handler, Request, Steps
from soak.simulation.draws import Draws
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder


class Client:
    """Carries requests through the policies of a scenario; `handle` is the outermost of them."""

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder, held: Callable[[Request], bool]) -> None:
        calls = calls_of(plan.scenario)
        self._env = env
        self._row = recorder.row
        self._vocabulary = plan.vocabulary
        self._held = held
        fullest = Fullest()
        self._dependencies = {d.name: DependencyModel(env, d, plan, recorder, fullest) for d in calls.dependencies}
        self._jitter = Draws(plan.seed, "jitter")
        self.in_flight = 0
        """Calls in flight."""
        self.handle: Handler = partial(self._call, self._dependencies[calls.primary.name])
        for policy in calls.policy:
            self.handle = self._wrap(policy, self.handle)

    def _wrap(self, policy: Policy, inner: Handler) -> Handler:
        match policy:
            case Timeout():
                return partial(self._timeout, policy, inner)
            case Retry():
                return partial(self._retry, policy, inner)
            case CircuitBreaker():
                return Breaker(self, policy, inner).handle
            case Bulkhead(most, max_wait_s):
                return partial(self._admit, Resource(self._env, most), max_wait_s, "bulkhead_full", inner)
            case Pool(size, max_wait_s):
                return partial(self._admit, Resource(self._env, size), max_wait_s, "pool_exhausted", inner)
            case RateLimit():
                return partial(self._hold_back, policy, Bucket(policy.rate_per_s, policy.burst), inner)
            case Fallback(to):
                return partial(self._fall_back, self._dependencies[to], inner)
            case Degrade():
                return partial(self._degrade, policy, inner)

    # One try.

    def begin(self, request: Request) -> None:
        """The next attempt of a request begins, if the one before is over."""
        if request.pending:
            request.pending = False
            request.attempt += 1
            self._row((self._env.now, Kind.TASK_DISPATCHED, request.number, request.attempt, -1, 0, 0.0))

    def again(self, request: Request, due_s: float, cause: int) -> None:
        """An attempt is over and another follows, not before `due_s`."""
        self._row((self._env.now, Kind.TASK_RETRY, request.number, request.attempt, -1, cause, due_s))
        request.pending = True

    def reject(self, request: Request, error: str) -> CallError:
        """The error for a request rejected by a policy."""
        self.begin(request)
        cause = self._vocabulary.cause("", error)
        self._row((self._env.now, Kind.CALL_REJECTED, request.number, request.attempt, -1, cause, 0.0))
        return CallError(error, cause)

    def _call(
        self, dependency: DependencyModel, request: Request, deadline: float, demand: Demand | None = None
    ) -> Steps:
        """Call a dependency; memory held by a task is held from its first successful call on."""
        self.begin(request)
        to = self._vocabulary.name(dependency.name)
        self._row((self._env.now, Kind.CALL_STARTED, request.number, request.attempt, -1, 0, to))
        self.in_flight += 1
        whole = demand or Demand(request.memory_bytes)
        hold = self._held(request) and whole.pieces == 1
        try:
            yield from dependency.serve(request, deadline, whole, hold=hold)
        except CallError as failed:
            self._row((self._env.now, Kind.CALL_FAILED, request.number, request.attempt, -1, failed.cause, to))
            raise
        finally:
            self.in_flight -= 1
        self._row((self._env.now, Kind.CALL_SUCCEEDED, request.number, request.attempt, -1, 0, to))

    # Policies.

    def _timeout(self, policy: Timeout, inner: Handler, request: Request, deadline: float) -> Steps:
        yield from inner(request, min(deadline, self._env.now + policy.limit_s))

    def _retry(self, policy: Retry, inner: Handler, request: Request, deadline: float) -> Steps:
        for attempt in range(1, policy.max_attempts + 1):
            try:
                yield from inner(request, deadline)
                return
            except CallError as failed:
                hopeless = failed.error in HOPELESS if policy.errors is None else failed.error not in policy.errors
                wait_s = policy.backoff.wait_s(attempt, self._jitter.before(request.number, request.attempt - attempt))
                wait_s = max(wait_s, failed.retry_after_s)
                if hopeless or attempt == policy.max_attempts or self._env.now + wait_s >= deadline:
                    raise
                self.again(request, self._env.now + wait_s, failed.cause)
                yield self._env.timeout(wait_s)

    def _admit(
        self, places: Resource, max_wait_s: float, error: str, inner: Handler, request: Request, deadline: float
    ) -> Steps:
        """A bulkhead, or a connection pool: acquire a slot, or reject."""
        with places.request() as place:
            left_s = min(deadline, self._env.now + max_wait_s) - self._env.now
            if not place.triggered and left_s > 0:
                yield place | self._env.timeout(left_s)
            if not place.triggered:
                raise self.reject(request, error)
            yield from inner(request, deadline)

    def _hold_back(self, policy: RateLimit, bucket: Bucket, inner: Handler, request: Request, deadline: float) -> Steps:
        wait_s = bucket.wait_s(self._env.now)
        if wait_s > policy.max_wait_s or self._env.now + wait_s >= deadline:
            raise self.reject(request, "rate_limit")
        bucket.take(self._env.now)
        if wait_s:
            yield self._env.timeout(wait_s)
        yield from inner(request, deadline)

    def _fall_back(self, other: DependencyModel, inner: Handler, request: Request, deadline: float) -> Steps:
        try:
            yield from inner(request, deadline)
        except CallError as failed:
            if self._env.now >= deadline:
                raise
            self.again(request, self._env.now, failed.cause)
            yield from self._call(other, request, deadline)

    def _degrade(self, policy: Degrade, inner: Handler, request: Request, deadline: float) -> Steps:
        try:
            yield from inner(request, deadline)
        except CallError as failed:
            if failed.error != "out_of_memory" or self._env.now >= deadline:
                raise
            self.again(request, self._env.now, failed.cause)
            size = request.memory_bytes
            if size > policy.chunk_bytes:
                demand, how = Demand(policy.chunk_bytes, -(-size // policy.chunk_bytes), policy.chunk_s), "chunks"
            else:
                demand, how = Demand(int(size * policy.shrink)), "shrunk"
            primary = next(iter(self._dependencies.values()))
            yield from self._call(primary, request, deadline, demand)
            request.degraded = how

    def tell(self, kind: Kind, cause: int = 0) -> None:
        """Record something that concerns no single request."""
        self._row((self._env.now, kind, -1, 0, -1, cause, 0.0))

    @property
    def now(self) -> float:
        """Scenario time in seconds."""
        return self._env.now


class Breaker:
    """A circuit breaker, shared by all requests (Nygard, Release It!, 2007)."""

    def __init__(self, client: Client, policy: CircuitBreaker, inner: Handler) -> None:
        self._client = client
        self._policy = policy
        self._inner = inner
        self._failures = 0
        self._half_open = False
        self._open_until_s: float | None = None
        self._period = 0
        """How often it has been half-open: a trial counts in its own period only."""
        self._trials = self._well = 0

    def handle(self, request: Request, deadline: float) -> Steps:
        """Let a request through, or reject it."""
        self._let_through(request)
        trial = self._period if self._half_open else 0
        try:
            yield from self._inner(request, deadline)
        except CallError as failed:
            self._failed(failed, trial=trial)
            raise
        self._succeeded(trial=trial)

    def _let_through(self, request: Request) -> None:
        if self._open_until_s is not None and self._client.now >= self._open_until_s:
            self._open_until_s, self._half_open = None, True
            self._period += 1
            self._trials = self._well = 0
            self._client.tell(Kind.CIRCUIT_HALF_OPENED)
        if self._open_until_s is not None or (self._half_open and self._trials >= self._policy.half_open_calls):
            raise self._client.reject(request, "circuit_open")
        self._trials += self._half_open

    def _failed(self, failed: CallError, *, trial: int) -> None:
        self._failures += 1
        half_open = self._half_open and trial == self._period
        if half_open or (
            not self._half_open and self._open_until_s is None and self._failures >= self._policy.failures
        ):
            self._half_open = False
            self._failures = 0
            self._open_until_s = self._client.now + self._policy.open_for_s
            self._client.tell(Kind.CIRCUIT_OPENED, failed.cause)

    def _succeeded(self, *, trial: int) -> None:
        if not self._half_open:
            self._failures = 0
        elif trial == self._period:
            self._well += 1
            if self._well >= self._policy.half_open_calls:
                self._half_open, self._failures = False, 0
                self._client.tell(Kind.CIRCUIT_CLOSED)
