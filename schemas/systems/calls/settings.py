"""Settings of the system `calls`: dependencies, and the policies with which a client calls them."""

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from soak.schemas.language.backoff import Backoff
from soak.schemas.language.distributions import Distribution
from soak.schemas.language.model import Scenario

Retryable: TypeAlias = frozenset[str] | None
"""Error classes that are retried; None: all except permanent ones."""

HOPELESS = frozenset({"permission_denied"})
"""Error classes that are not retried unless a policy names them."""


class Capacity(Struct, frozen=True):
    """Concurrent calls, and the length of the waiting queue."""

    workers: int
    waiting: int


class Quota(Struct, frozen=True):
    """A token bucket: sustained calls per second, and burst size. The dependency answers 429 beyond it."""

    rate_per_s: float
    burst: int


class Isolation(StrEnum):
    """Behaviour of a store when two calls update the same record concurrently."""

    NONE = "none"
    OPTIMISTIC = "optimistic"
    LOCK = "lock"


class Store(Struct, frozen=True):
    """Records that calls read, change and write back; each call takes one at random."""

    records: int
    isolation: Isolation


class HealthCheck(Struct, frozen=True):
    """Periodic probes; consecutive failures restart the dependency, which takes `restart_s`."""

    every_s: float
    unhealthy_after: int
    restart_s: float


class Rollback(Struct, frozen=True):
    """A release is rolled back, which takes `takes_s`, when more than `error_rate` of the calls in `window_s` fail."""

    error_rate: float
    window_s: float
    min_calls: int
    takes_s: float


class Dependency(Struct, frozen=True):
    """A dependency; None: no such limit or supervision. `memory_bytes` is its memory limit."""

    name: str
    latency: Distribution
    capacity: Capacity | None
    quota: Quota | None
    memory_bytes: int | None
    store: Store | None
    health_check: HealthCheck | None
    rollback: Rollback | None


class Timeout(Struct, frozen=True):
    """Everything it wraps ends after `limit_s`."""

    limit_s: float


class Retry(Struct, frozen=True):
    """Up to `max_attempts` attempts, with a backoff after each but the last. Retry-After of a dependency is honoured."""

    max_attempts: int
    backoff: Backoff
    errors: Retryable


class CircuitBreaker(Struct, frozen=True):
    """Opens after consecutive failures; after `open_for_s` lets `half_open_calls` through, and closes if all succeed."""

    failures: int
    open_for_s: float
    half_open_calls: int


class Bulkhead(Struct, frozen=True):
    """Limits concurrent calls; further calls wait `max_wait_s` at most."""

    max_concurrent: int
    max_wait_s: float


class Pool(Struct, frozen=True):
    """A connection pool; a call holds one connection, and waits for one `max_wait_s` at most."""

    size: int
    max_wait_s: float


class RateLimit(Struct, frozen=True):
    """A client-side token bucket; a call waits `max_wait_s` at most."""

    rate_per_s: float
    burst: int
    max_wait_s: float


class Fallback(Struct, frozen=True):
    """Calls another dependency when everything it wraps has failed."""

    to: str


class Degrade(Struct, frozen=True):
    """When out of memory: work larger than `chunk_bytes` is done in chunks of `chunk_s`; else the share `shrink` of it."""

    chunk_bytes: int
    chunk_s: float
    shrink: float


Policy: TypeAlias = Timeout | Retry | CircuitBreaker | Bulkhead | Pool | RateLimit | Fallback | Degrade


class MemoryNeed(Struct, frozen=True):
    """Memory needed by a number of consecutive tasks; `hold`: it stays allocated until the end of the run."""

    size_bytes: int
    tasks: int
    hold: bool


class Calls(Struct, frozen=True):
    """A client and its dependencies. The first policy is innermost; each of the others wraps all before it."""

    dependencies: tuple[Dependency, ...]
    policy: tuple[Policy, ...]
    memory: tuple[MemoryNeed, ...]

    @property
    def primary(self) -> Dependency:
        """The dependency called by default."""
        return self.dependencies[0]


def calls_of(scenario: Scenario) -> Calls:
    """The client of a scenario and what it calls."""
    return scenario.settings(Calls)
