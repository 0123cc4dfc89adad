"""A purgatory circuit breaker whose half-open state lets a number of calls through and needs all of them to succeed."""

from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import CLOSED, HALF_OPENED, OPENED, ClosedState, Context, HalfOpenedState, OpenedState
from purgatory.typing import StateName

from soak.runner.targets.calls.request import Attempts, Handler, Request
from soak.runner.targets.clock import Clock
from soak.schemas.stream.events import Kind
from soak.schemas.systems.calls.settings import CircuitBreaker
from soak.simulation.calls.outcome import CallError

_NAME = "calls"
_TOLD_AS = {OPENED: Kind.CIRCUIT_OPENED, HALF_OPENED: Kind.CIRCUIT_HALF_OPENED, CLOSED: Kind.CIRCUIT_CLOSED}


class Trials(HalfOpenedState):
    """The library's half-open state lets all calls through and closes after the first success; this one counts them."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._places = self._needed = calls

    def handle_new_request(self, context: Context) -> None:
        """Admit a trial call, or reject."""
        if not self._places:
            raise OpenedState(context.name)
        self._places -= 1

    def handle_end_request(self, context: Context) -> None:
        """A trial call succeeded; the last one closes the circuit."""
        self._needed -= 1
        if not self._needed:
            context.recover_failure()
            context.set_state(ClosedState())


class Breaker:
    """A circuit breaker, shared by all requests; state changes are recorded as soon as they are visible."""

    def __init__(self, policy: CircuitBreaker, clock: Clock, attempts: Attempts, inner: Handler) -> None:
        self._policy = policy
        self._attempts = attempts
        self._inner = inner
        self._breakers = AsyncCircuitBreakerFactory(policy.failures, clock.real(policy.open_for_s))
        self._state: StateName = CLOSED

    async def handle(self, request: Request, deadline: float) -> None:
        """Let a request through, or reject it."""
        breaker = await self._breakers.get_breaker(_NAME)
        context, cause = breaker.context, 0
        try:
            async with breaker:
                if type(context._state) is HalfOpenedState:
                    trials = Trials(self._policy.half_open_calls)
                    trials.handle_new_request(context)
                    context.set_state(trials)
                self._tell(context.state)
                await self._inner(request, deadline)
        except OpenedState as error:
            # The same exception object is raised repeatedly, and would accumulate tracebacks.
            error.with_traceback(None)
            raise self._attempts.reject(request, "circuit_open") from None
        except CallError as failed:
            cause = failed.cause
            raise
        finally:
            self._tell(context.state, cause)

    def _tell(self, state: StateName, cause: int = 0) -> None:
        """Record a state change, if there is one."""
        if state != self._state:
            self._state = state
            self._attempts.tell(_TOLD_AS[state], cause if state == OPENED else 0)
