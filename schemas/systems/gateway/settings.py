"""Settings of the system `gateway`: what is requested, and the service that a model answers with."""

from enum import StrEnum

from msgspec import Struct

from soak.schemas.language.distributions import Distribution
from soak.schemas.language.http import Exchange
from soak.schemas.language.model import Scenario


class Discipline(StrEnum):
    """How workers share their time among requests: first come first served, or equally among all (processor sharing)."""

    FCFS = "fcfs"
    PS = "ps"


class Pools(StrEnum):
    """Whether all tenants share the workers, or each has its own part of them."""

    SHARED = "shared"
    PER_TENANT = "per_tenant"


class Limit(Struct, frozen=True):
    """A token bucket: requests per second in the long run, and how many at once. Beyond it a request is throttled."""

    rate_per_s: float
    burst: int


class Store(Struct, frozen=True):
    """A database: how many connections there are, and how long a request holds one."""

    connections: int
    latency: Distribution


class Chain(Struct, frozen=True):
    """A chain of records for each tenant, which one request at a time extends: `kinds` (empty: all) do.

    hold: how long a request holds the lock. gives_up_after_s: a request that waits longer ends with a server error.
    locked_for_s: after how long the lock is free again if the process of its holder is gone.
    """

    kinds: tuple[str, ...]
    hold: Distribution
    gives_up_after_s: float
    locked_for_s: float = 30.0


class Outbox(Struct, frozen=True):
    """Rows that requests of `kinds` (empty: all) leave behind, and that are worked off at a rate."""

    kinds: tuple[str, ...]
    drain_rate_per_s: float


class Fairness(Struct, frozen=True):
    """The phase that others are compared with; empty: the first."""

    baseline: str = ""


class Gateway(Struct, frozen=True):
    """A gateway. None: no such part.

    exchanges: what is sent and expected, in the order of the kinds of work; one without kinds, none where nothing is said.
    backlog: how many requests may wait for a worker; further ones end with a server error. timeout_s: after which a request
    has failed, as `http.timeout` says. by_tenant: limits of tenants that have one of their own. processes: how many processes the
    workers are in. slow: by the name of a fault `store_slow`, how many times as long the database takes.
    """

    exchanges: tuple[Exchange, ...]
    service: Distribution
    workers: int
    discipline: Discipline
    pools: Pools
    backlog: int
    timeout_s: float
    limit: Limit | None = None
    by_tenant: tuple[tuple[str, Limit], ...] = ()
    store: Store | None = None
    chain: Chain | None = None
    outbox: Outbox | None = None
    fairness: Fairness = Fairness()
    processes: int = 1
    slow: tuple[tuple[str, float], ...] = ()

    def parts(self, of: int, tenants: int) -> list[int]:
        """`of` workers or connections shared out: all together, or to each tenant its own, as equal as whole ones can be."""
        if self.pools is Pools.SHARED:
            return [of]
        return [of // tenants + (place < of % tenants) for place in range(tenants)]

    def limit_of(self, tenant: str) -> Limit | None:
        """The limit of a tenant; None for none."""
        return dict(self.by_tenant).get(tenant, self.limit)


def gateway_of(scenario: Scenario) -> Gateway:
    """The gateway of a scenario."""
    return scenario.settings(Gateway)
