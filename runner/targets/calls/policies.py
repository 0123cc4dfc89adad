"""The client: policies of well-known libraries around a call, in the order of the scenario.

The first is innermost, each of the others wraps all before it, as in `simulation.calls.client`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from soak.runner.targets.calls.breaker import Breaker
from soak.runner.targets.calls.request import Attempts, Handler, Request
from soak.runner.targets.calls.wire import Wire
from soak.runner.targets.clock import Clock
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
from soak.simulation.calls.outcome import CallError, Demand
from soak.simulation.draws import Draws
from soak.simulation.plan import Plan


def own_pool(policy: tuple[Policy, ...]) -> Pool | None:
    """The pool of the HTTP client itself, if it is the innermost policy."""
    return policy[0] if policy and isinstance(policy[0], Pool) else None


class Policies:
    """Composes the policies of a scenario; `handle` is the outermost of them."""

    def __init__(self, plan: Plan, clock: Clock, attempts: Attempts, wires: Mapping[str, Wire]) -> None:
        calls = calls_of(plan.scenario)
        self._clock = clock
        self._attempts = attempts
        self._wires = wires
        self._primary = wires[calls.primary.name]
        self._jitter = Draws(plan.seed, "jitter")
        self.handle: Handler = self._primary.call
        pool = own_pool(calls.policy)
        for policy in calls.policy:
            if policy is not pool:
                self.handle = self.wrap(policy, self.handle)

    def wrap(self, policy: Policy, inner: Handler) -> Handler:
        """A policy around what it wraps."""
        match policy:
            case Timeout():
                return partial(self._timeout, policy, inner)
            case Retry():
                return partial(self._retry, policy, inner)
            case CircuitBreaker():
                return Breaker(policy, self._clock, self._attempts, inner).handle
            case Bulkhead(most, max_wait_s):
                return partial(self._admit, asyncio.Semaphore(most), max_wait_s, "bulkhead_full", inner)
            case Pool(size, max_wait_s):
                return partial(self._admit, asyncio.Semaphore(size), max_wait_s, "pool_exhausted", inner)
            case RateLimit():
                period_s = self._clock.real(policy.burst / policy.rate_per_s)
                return partial(self._hold_back, policy, AsyncLimiter(policy.burst, period_s), inner)
            case Fallback(to):
                return partial(self._fall_back, self._wires[to], inner)
            case Degrade():
                return partial(self._degrade, policy, inner)

    async def _timeout(self, policy: Timeout, inner: Handler, request: Request, deadline: float) -> None:
        """The deadline is passed inwards, to the HTTP client's timeouts and to every other wait."""
        await inner(request, min(deadline, self._clock.now() + policy.limit_s))

    async def _retry(self, policy: Retry, inner: Handler, request: Request, deadline: float) -> None:
        real = self._clock.real

        def wait(state: RetryCallState) -> float:
            attempt = state.attempt_number
            wait_s = policy.backoff.wait_s(attempt, self._jitter.before(request.number, request.attempt - attempt))
            return max(real(wait_s), real(_error(state).retry_after_s))

        last = stop_after_attempt(policy.max_attempts)

        def is_over(state: RetryCallState) -> bool:
            return self._clock.now() + state.upcoming_sleep * self._clock.speed >= deadline

        def before_sleep(state: RetryCallState) -> None:
            due_s = self._clock.now() + state.upcoming_sleep * self._clock.speed
            self._attempts.again(request, due_s, _error(state).cause)

        retrying = AsyncRetrying(
            wait=wait,
            stop=lambda state: last(state) or is_over(state),
            retry=retry_if_exception(partial(_is_worth_it, policy)),
            before_sleep=before_sleep,
            sleep=self._sleep,
            reraise=True,
        )
        await retrying(inner, request, deadline)

    async def _sleep(self, real_s: float) -> None:
        """Sleep for real seconds by the clock of the events, never slightly less."""
        until_s = self._clock.now() + real_s * self._clock.speed
        while (left_s := until_s - self._clock.now()) > 0:
            await asyncio.sleep(self._clock.real(left_s))

    async def _within(self, wait: Callable[[], Awaitable[object]], limit_s: float, deadline: float) -> bool:
        """Wait for something with a timeout in scenario time; returns whether it happened."""
        left_s = min(limit_s, deadline - self._clock.now())
        try:
            async with asyncio.timeout(max(0.0, self._clock.real(left_s))):
                await wait()
        except TimeoutError:
            return False
        return True

    async def _admit(
        self,
        places: asyncio.Semaphore,
        max_wait_s: float,
        error: str,
        inner: Handler,
        request: Request,
        deadline: float,
    ) -> None:
        """A bulkhead, or a pool that is not innermost: acquire a slot, or reject."""
        if not places.locked():
            await places.acquire()
        elif max_wait_s <= 0 or not await self._within(places.acquire, max_wait_s, deadline):
            raise self._attempts.reject(request, error)
        try:
            await inner(request, deadline)
        finally:
            places.release()

    async def _hold_back(
        self, policy: RateLimit, limiter: AsyncLimiter, inner: Handler, request: Request, deadline: float
    ) -> None:
        """A limiter only learns after the wait that it was too long."""
        if limiter.has_capacity():
            await limiter.acquire()
        elif policy.max_wait_s <= 0 or not await self._within(limiter.acquire, policy.max_wait_s, deadline):
            raise self._attempts.reject(request, "rate_limit")
        await inner(request, deadline)

    async def _fall_back(self, other: Wire, inner: Handler, request: Request, deadline: float) -> None:
        try:
            await inner(request, deadline)
        except CallError as failed:
            self._attempts.again(request, self._clock.now(), failed.cause, elsewhere=True)
            await other.call(request, deadline)

    async def _degrade(self, policy: Degrade, inner: Handler, request: Request, deadline: float) -> None:
        try:
            await inner(request, deadline)
        except CallError as failed:
            if failed.error != "out_of_memory":
                raise
            self._attempts.again(request, self._clock.now(), failed.cause, elsewhere=True)
            size = request.memory_bytes
            if size > policy.chunk_bytes:
                demand, how = Demand(policy.chunk_bytes, -(-size // policy.chunk_bytes), policy.chunk_s), "chunks"
            else:
                demand, how = Demand(int(size * policy.shrink)), "shrunk"
            await self._primary.call(request, deadline, demand)
            request.degraded = how


def _error(state: RetryCallState) -> CallError:
    """The error of an attempt."""
    assert state.outcome
    error = state.outcome.exception()
    assert isinstance(error, CallError)
    return error


def _is_worth_it(policy: Retry, error: BaseException) -> bool:
    if not isinstance(error, CallError):
        return False
    return error.error not in HOPELESS if policy.errors is None else error.error in policy.errors
