"""The service that answers requests: limits, workers, store, chains and outbox, one after the other.

A request that its client has given up is worked on all the same: a server does not notice, or not in time.
"""

from collections.abc import Callable

from msgspec import Struct

from soak.schemas.language.model import Scenario
from soak.schemas.systems.gateway.settings import Discipline, Gateway, Pools, gateway_of
from soak.simulation.bucket import Bucket
from soak.simulation.gateway.agenda import Agenda, Request
from soak.simulation.gateway.outbox import Outbox
from soak.simulation.gateway.pools import FcfsPool, Pool, PsPool, Staff
from soak.simulation.gateway.stations import Ends, Lock, Store
from soak.simulation.gateway.values import drawn
from soak.simulation.plan import Plan

THROTTLED, UNAVAILABLE = 429, 503


class Answers(Struct, frozen=True):
    """Called with the time and a request: it is answered well; with the status given; not at all. The last: a fault shows.

    The number after it is the cause of a fault, 0 for none.
    """

    well: Callable[[float, Request], None]
    badly: Callable[[float, Request, int, int], None]
    never: Callable[[float, Request, int], None]
    seen: Callable[[float, int], None]


class Service:
    """Everything a request goes through. `watched`: processes may be killed, so it has to be known what is in which."""

    def __init__(self, agenda: Agenda, plan: Plan, answers: Answers, *, watched: bool) -> None:
        scenario, gateway = plan.scenario, gateway_of(plan.scenario)
        self._answers = answers
        self._inside: dict[Request, None] | None = {} if watched else None
        self._alive = [True] * gateway.processes
        tenants = max(1, len(scenario.workload.tenants))
        self._apart = gateway.pools is Pools.PER_TENANT
        self._buckets = _buckets(scenario, gateway)
        self.pools = _pools(agenda, plan, self._worked, tenants)
        ends = Ends(self._stored, self._refused, answers.seen)
        self.stores: list[Store] = []
        if gateway.store:
            latency = drawn(plan.seed, "gateway:store", gateway.store.latency)
            parts = gateway.parts(gateway.store.connections, tenants)
            self.stores = [Store(agenda, each, latency, ends) for each in parts]
        self.locks: list[Lock] = []
        if chain := gateway.chain:
            hold, ends = drawn(plan.seed, "gateway:hold", chain.hold), Ends(self._over, self._refused, answers.seen)
            waits = {"gives_up_after_s": chain.gives_up_after_s, "locked_for_s": chain.locked_for_s}
            self.locks = [Lock(agenda, hold, ends, **waits) for _ in range(tenants)]
        self.outbox = Outbox(gateway.outbox.drain_rate_per_s) if gateway.outbox else None
        names = [kind.name for kind in scenario.workload.kinds] or [""]
        self._chained = _among(names, gateway.chain.kinds if gateway.chain else ())
        self._leaves_row = _among(names, gateway.outbox.kinds if gateway.outbox else ())

    def take(self, now: float, request: Request) -> None:
        """A request arrives."""
        bucket = self._buckets[request.tenant]
        if bucket is not None:
            if bucket.wait_s(now) > 0:
                self._answers.badly(now, request, THROTTLED, 0)
                return
            bucket.take(now)
        if not self.pools[request.tenant if self._apart else 0].enter(now, request):
            self._answers.badly(now, request, UNAVAILABLE, 0)
        elif self._inside is not None:
            self._inside[request] = None

    def _worked(self, now: float, request: Request) -> None:
        if self.stores:
            self.stores[request.tenant if self._apart else 0].enter(now, request)
        else:
            self._stored(now, request)

    def _stored(self, now: float, request: Request) -> None:
        if self.locks and self._chained[request.kind]:
            self.locks[request.tenant].enter(now, request)
        else:
            self._over(now, request)

    def _over(self, now: float, request: Request) -> None:
        if self._inside is not None:
            del self._inside[request]
        if self.outbox and self._leaves_row[request.kind]:
            self.outbox.put(now)
        self._answers.well(now, request)

    def _refused(self, now: float, request: Request, cause: int) -> None:
        if self._inside is not None:
            del self._inside[request]
        self._answers.badly(now, request, UNAVAILABLE, cause)

    @property
    def busy(self) -> int:
        """Requests that the service works on: those that do not wait for a worker."""
        waiting_after = sum(each.inside for each in self.stores) + sum(each.inside for each in self.locks)
        return sum(pool.busy for pool in self.pools) + waiting_after

    def kill(self, now: float, cause: int) -> int | None:
        """The first process that there is goes away, and every request in it; its number, None if there is none."""
        assert self._inside is not None
        if True not in self._alive:
            return None
        process = self._alive.index(True)
        self._alive[process] = False
        gone = [request for request in self._inside if request.process == process]
        for request in gone:
            request.gone = True
            del self._inside[request]
        for pool in self.pools:
            pool.kill(now, process)
        for store in self.stores:
            store.leave(now, gone)
        for lock in self.locks:
            lock.leave(now)
        for request in gone:
            self._answers.never(now, request, cause)
        return process

    def restart(self, now: float, process: int) -> None:
        """A process is back."""
        self._alive[process] = True
        for pool in self.pools:
            pool.restart(now, process)


def _buckets(scenario: Scenario, gateway: Gateway) -> list[Bucket | None]:
    limits = [gateway.limit_of(each.name) for each in scenario.workload.tenants] or [gateway.limit]
    return [Bucket(limit.rate_per_s, limit.burst) if limit else None for limit in limits]


def _pools(agenda: Agenda, plan: Plan, then: Callable[[float, Request], None], tenants: int) -> list[Pool]:
    gateway, fate = gateway_of(plan.scenario), plan.fate
    make = PsPool if gateway.discipline is Discipline.PS else FcfsPool
    pools: list[Pool] = []
    first, backlogs = 0, gateway.parts(gateway.backlog, tenants)
    for workers, backlog in zip(gateway.parts(gateway.workers, tenants), backlogs, strict=True):
        staff = Staff(agenda, lambda number: fate(number, 1, 0.0)[0], then, gateway.processes, backlog)
        pools.append(make(staff, range(first, first + workers)))
        first += workers
    return pools


def _among(names: list[str], chosen: tuple[str, ...]) -> list[bool]:
    """Whether each is chosen; all are where none is named."""
    return [not chosen or name in chosen for name in names]
