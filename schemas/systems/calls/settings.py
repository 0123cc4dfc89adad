"""What a scenario of the system `calls` says: dependencies, and the policies with which a client calls them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from soak.schemas.language.distributions import Distribution
from soak.schemas.language.model import Scenario

Retryable: TypeAlias = frozenset[str] | None
"""Error classes after which a call is made again; None: all but those that would fail again just so."""

HOPELESS = frozenset({"permission_denied"})
"""Error classes after which, unless a policy names them, nothing is tried again."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Calls at the same time, and how many more may wait for their turn before the queue is full."""

    workers: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Quota:
    """A token bucket: calls per second in the long run, and how many at once. The dependency answers 429 beyond it."""

    rate_per_s: float
    burst: int


class Isolation(StrEnum):
    """What a store does when two calls change the same record at the same time."""

    NONE = "none"
    OPTIMISTIC = "optimistic"
    LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Store:
    """Records that calls read, change and write back; each call takes one at random."""

    records: int
    isolation: Isolation


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """Probes every so often; so many in a row that fail restart the dependency, which takes `restart_s`."""

    every_s: float
    unhealthy_after: int
    restart_s: float


@dataclass(frozen=True, slots=True)
class Rollback:
    """A release is taken back, which takes `takes_s`, when more than `error_rate` of the calls in `window_s` fail."""

    error_rate: float
    window_s: float
    min_calls: int
    takes_s: float


@dataclass(frozen=True, slots=True)
class Dependency:
    """What is called; None: no such limit, or nobody who looks after it. `memory_bytes` is its memory limit."""

    name: str
    latency: Distribution
    capacity: Capacity | None
    quota: Quota | None
    memory_bytes: int | None
    store: Store | None
    health_check: HealthCheck | None
    rollback: Rollback | None


@dataclass(frozen=True, slots=True)
class Timeout:
    """What it wraps ends after `limit_s`, one way or the other."""

    limit_s: float


@dataclass(frozen=True, slots=True)
class Retry:
    """Up to `max_attempts` in all; the n-th wait is initial * factor^(n-1), at most `max_s`, less up to `jitter` of it.

    A dependency that says when to come again (Retry-After) is not asked before.
    """

    max_attempts: int
    initial_s: float
    factor: float
    max_s: float
    jitter: float
    errors: Retryable

    def wait_s(self, attempt: int, uniform: float) -> float:
        """How long to wait after the `attempt`-th failure (from 1); `uniform` from 0 to 1 decides the jitter."""
        # A product of factors first: the power of a large attempt overflows before the bound is applied.
        full_s = min(self.max_s, self.initial_s * min(self.factor ** min(attempt - 1, 64), 1e12))
        return full_s * (1 - self.jitter * uniform)


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """Opens after so many failures in a row; after `open_for_s` lets `half_open_calls` through, and closes if all are well."""

    failures: int
    open_for_s: float
    half_open_calls: int


@dataclass(frozen=True, slots=True)
class Bulkhead:
    """At most so many calls at a time; whoever comes then waits `max_wait_s` at most."""

    max_concurrent: int
    max_wait_s: float


@dataclass(frozen=True, slots=True)
class Pool:
    """So many connections; a call takes one, and waits for one `max_wait_s` at most."""

    size: int
    max_wait_s: float


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The client holds itself back to a token bucket, and waits `max_wait_s` at most for its turn."""

    rate_per_s: float
    burst: int
    max_wait_s: float


@dataclass(frozen=True, slots=True)
class Fallback:
    """When all else failed, another dependency is called."""

    to: str


@dataclass(frozen=True, slots=True)
class Degrade:
    """When memory is short: work larger than `chunk_bytes` is done in chunks of it, each in `chunk_s`; else `shrink` of it."""

    chunk_bytes: int
    chunk_s: float
    shrink: float


Policy: TypeAlias = Timeout | Retry | CircuitBreaker | Bulkhead | Pool | RateLimit | Fallback | Degrade


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """So many tasks in a row need so much memory; `hold`: what they need stays taken to the end of the run."""

    size_bytes: int
    tasks: int
    hold: bool


@dataclass(frozen=True, slots=True)
class Calls:
    """A client and what it calls. The first policy is next to the call; each of the others wraps all before it."""

    dependencies: tuple[Dependency, ...]
    policy: tuple[Policy, ...]
    memory: tuple[MemoryNeed, ...]

    @property
    def primary(self) -> Dependency:
        """The dependency that is called unless a policy says otherwise."""
        return self.dependencies[0]


def calls_of(scenario: Scenario) -> Calls:
    """The client of a scenario and what it calls."""
    return scenario.settings(Calls)
