"""The load of a plan on a gateway, without running it: users and rates by phase, and how busy each part is."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct

from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats
from soak.schemas.systems.gateway.settings import Gateway, Pools, gateway_of
from soak.simulation.gateway.theory import ClosedNetwork, Station, response_s
from soak.simulation.plan import Plan
from soak.simulation.shares import expected_shares

POINTS = 72


class Tenant(Struct, frozen=True):
    """A tenant in a stretch of the run; its name is empty where there are none.

    users: at work on average (0 where work arrives at a rate). sent_per_s: requests; admitted_per_s: those that its limit lets
    through; response_s: None where it grows without end. workers, store, chain: share of what it may use that is busy, by
    whomever; above 1: overloaded.
    """

    name: str
    users: float
    sent_per_s: float
    admitted_per_s: float
    requests: float
    response_s: float | None
    workers: float
    store: float
    chain: float


class Stretch(Struct, frozen=True):
    """A phase, or the whole run where there are none. outbox: rows that come, for each that can be worked off."""

    phase: str
    start_s: float
    end_s: float
    outbox: float
    tenants: tuple[Tenant, ...]

    @property
    def users(self) -> float:
        """At work on average."""
        return math.fsum(each.users for each in self.tenants)

    @property
    def sent_per_s(self) -> float:
        """Requests of all tenants."""
        return math.fsum(each.sent_per_s for each in self.tenants)


class GatewayForecast(Struct, frozen=True):
    """Figures of a plan. expected: requests of the run; drawn: of an open workload. rate_per_s: in POINTS equal parts of the run.

    users_over_time: at work, in the same parts; none where work arrives at a rate.
    """

    drawn: int | None
    expected: float
    stretches: tuple[Stretch, ...]
    rate_per_s: Floats
    users_over_time: Floats
    warnings: tuple[str, ...]


class Needs(Struct, frozen=True):
    """What a request needs of the parts of a gateway, in seconds; shares of requests that need the lock, and that leave a row."""

    service_s: float
    store_s: float
    hold_s: float
    chained: float
    rows: float

    @classmethod
    def of(cls, scenario: Scenario) -> "Needs":
        """Of an average request of a scenario."""
        gateway = gateway_of(scenario)
        store, chain, outbox = gateway.store, gateway.chain, gateway.outbox
        return cls(
            scenario.workload.service.mean_s,
            store.latency.mean_s if store else 0.0,
            chain.hold.mean_s if chain else 0.0,
            _share(scenario, chain.kinds) if chain else 0.0,
            _share(scenario, outbox.kinds) if outbox else 0.0,
        )


def _share(scenario: Scenario, kinds: tuple[str, ...]) -> float:
    """The share of requests that are of these kinds; all where none is named."""
    declared = scenario.workload.kinds
    if not kinds or not declared:
        return 1.0
    shares = expected_shares(scenario)
    return math.fsum(share for kind, share in zip(declared, shares, strict=True) if kind.name in kinds)


class Path(Struct, frozen=True):
    """The stations that the requests of a tenant go through, in order: workers, store, lock; `of`: its share of all requests."""

    workers: Station
    store: Station
    lock: Station

    @property
    def stations(self) -> tuple[Station, ...]:
        """All three."""
        return self.workers, self.store, self.lock


class Load:
    """What tenants ask of a gateway when they send at certain rates, or have certain numbers of users."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario, self._gateway = scenario, gateway_of(scenario)
        self.needs = Needs.of(scenario)
        self.names = [each.name for each in scenario.workload.tenants] or [""]
        self.apart = self._gateway.pools is Pools.PER_TENANT
        self._networks: dict[tuple[float, ...], ClosedNetwork] = {}
        self._rates: dict[tuple[float, ...], list[float]] = {}

    def paths(self) -> list[Path]:
        """Of each tenant."""
        gateway, count = self._gateway, len(self.names)
        workers = _each(gateway, gateway.workers, count)
        connections = _each(gateway, gateway.store.connections, count) if gateway.store else [math.inf] * count
        needs, lock = self.needs, Station(self.needs.hold_s * self.needs.chained, 1)
        return [
            Path(Station(needs.service_s, c), Station(needs.store_s, k), lock)
            for c, k in zip(workers, connections, strict=True)
        ]

    def closed_rates(self, users: Sequence[float], most: Sequence[float]) -> list[float]:
        """Requests per second of each tenant that end, with users of each at work; `most`: of the whole run.

        Exact for exponential times (or PS) where pools are apart or all users alike; otherwise tenants are taken to be drawn.
        """
        if (key := tuple(users)) not in self._rates:
            self._rates[key] = self._apart(users, most) if self._separate else self._together(users, most)
        return self._rates[key]

    @property
    def _separate(self) -> bool:
        """Whether users of a tenant meet those of no other."""
        settings = self._scenario.workload.users
        return self.apart and settings is not None and bool(settings.groups)

    def _apart(self, users: Sequence[float], most: Sequence[float]) -> list[float]:
        return [
            _with(number, self._network((place,), max(most), path.stations))
            for place, (number, path) in enumerate(zip(users, self.paths(), strict=True))
        ]

    def _together(self, users: Sequence[float], most: Sequence[float]) -> list[float]:
        total = math.fsum(users)
        if not total:
            return [0.0] * len(users)
        shares = [number / total for number in users]
        stations: list[Station] = []
        for place, (share, path) in enumerate(zip(shares, self.paths(), strict=True)):
            own = [Station(each.need_s * share, each.servers) for each in path.stations]
            if self.apart:
                stations += own
            else:
                stations += [*path.stations[:2], own[2]] if place == 0 else [own[2]]
        key = tuple(round(share, 12) for share in shares)
        ended_per_s = _with(total, self._network(key, math.fsum(most), stations))
        return [ended_per_s * share for share in shares]

    def _network(self, key: tuple[float, ...], most: float, stations: Sequence[Station]) -> ClosedNetwork:
        if key not in self._networks:
            users = self._scenario.workload.users
            assert users
            self._networks[key] = ClosedNetwork(math.ceil(most), users.between_s, stations)
        return self._networks[key]

    def tenants(self, users: Sequence[float], per_s: Sequence[float], length_s: float) -> tuple[Tenant, ...]:
        """What becomes of these rates; in a closed workload they are those of requests that end."""
        closed, found = self._scenario.workload.users, []
        limits = [self._gateway.limit_of(name) for name in self.names]
        admitted = [min(x, limit.rate_per_s) if limit else x for x, limit in zip(per_s, limits, strict=True)]
        total = math.fsum(admitted)
        for name, number, x, own, path in zip(self.names, users, per_s, admitted, self.paths(), strict=True):
            shared = own if self.apart else total
            rates = shared, shared, own
            busy = [each.busy(rate) for each, rate in zip(path.stations, rates, strict=True)]
            if closed:
                waits_s = number / x - closed.between_s if x else 0.0
                # Who is throttled thinks again at once.
                sent = max(x, (number - own * waits_s) / closed.between_s) if own < x else x
            else:
                waits_s = math.fsum(response_s(r, each) for r, each in zip(rates, path.stations, strict=True))
                sent = x
            took_s = waits_s if math.isfinite(waits_s) else None
            found.append(Tenant(name, number, sent, own, sent * length_s, took_s, *busy))
        return tuple(found)


def _with(users: float, network: ClosedNetwork) -> float:
    """Requests per second that end with this number of users on average."""
    whole = max(1, round(users))
    return network.of(whole).throughput_per_s * users / whole


def _each(gateway: Gateway, of: int, tenants: int) -> list[float]:
    """How many workers or connections the requests of each tenant can have."""
    parts = gateway.parts(of, tenants)
    return [float(part) for part in (parts if len(parts) == tenants else parts * tenants)]


def forecast_gateway(plan: Plan) -> GatewayForecast:
    """The forecast of a plan of the system `gateway`."""
    from soak.simulation.gateway.warnings import warnings

    scenario = plan.scenario
    load = Load(scenario)
    edges = np.linspace(0.0, scenario.duration_s, POINTS + 1)
    if plan.users:
        middles = ((edges[:-1] + edges[1:]) / 2).tolist()
        at_work = [_users(scenario, t_s, t_s) for t_s in middles]
        most = _most(scenario)
        rate_per_s = np.array([math.fsum(load.closed_rates(each, most)) for each in at_work])
        users, drawn = np.array([math.fsum(each) for each in at_work]), None
        expected = float(rate_per_s.mean()) * scenario.duration_s
    else:
        histogram, drawn = np.zeros(POINTS), 0
        for chunk in plan.submissions():
            drawn += len(chunk)
            histogram += np.histogram(chunk.due_s, edges)[0]
        rate_per_s, users = histogram / (edges[1] - edges[0]), np.zeros(0)
        expected = float(plan.rate.expected(scenario.duration_s))
    if scenario.workload.tasks is not None:
        expected = min(expected, float(scenario.workload.tasks))
    stretches = tuple(_stretches(plan, load))
    found = tuple(warnings(plan, load, stretches, drawn))
    return GatewayForecast(drawn, expected, stretches, rate_per_s, users, found)


def _stretches(plan: Plan, load: Load) -> Iterator[Stretch]:
    scenario = plan.scenario
    spans = [(each.name, each.window.start_s, each.window.end_s) for each in scenario.phases]
    outbox = gateway_of(scenario).outbox
    for name, start_s, end_s in spans or [("", 0.0, scenario.duration_s)]:
        if plan.users:
            users = _users(scenario, start_s, end_s)
            rates = load.closed_rates(users, _most(scenario))
        else:
            arrivals = float(plan.rate.expected(end_s)) - float(plan.rate.expected(start_s))
            shares = [each.share for each in scenario.workload.tenants] or [1.0]
            users, rates = [0.0] * len(shares), [arrivals / (end_s - start_s) * share for share in shares]
        tenants = load.tenants(users, rates, end_s - start_s)
        rows_per_s = math.fsum(each.admitted_per_s for each in tenants) * load.needs.rows
        drained = rows_per_s / outbox.drain_rate_per_s if outbox and outbox.drain_rate_per_s else 0.0
        yield Stretch(name, start_s, end_s, drained, tenants)


def _users(scenario: Scenario, start_s: float, end_s: float) -> list[float]:
    """Users of each tenant at work, on average between two times; where tenants are drawn, their shares of the users."""
    users = scenario.workload.users
    assert users
    if users.groups:
        return [_mean(group.levels, start_s, end_s) for group in users.groups]
    total = _mean(users.levels, start_s, end_s)
    return [total * each.share for each in scenario.workload.tenants] or [total]


def _most(scenario: Scenario) -> list[float]:
    users = scenario.workload.users
    assert users
    if users.groups:
        return [float(group.count) for group in users.groups]
    return [users.count * each.share for each in scenario.workload.tenants] or [float(users.count)]


def _mean(levels: Sequence[tuple[float, float]], start_s: float, end_s: float) -> float:
    """The mean of levels between two times; at one time the level there."""
    pieces = [*pairwise(levels), (levels[-1], (math.inf, levels[-1][1]))]
    if start_s == end_s:
        for (from_s, before), (to_s, after) in pieces:
            if from_s <= start_s < to_s:
                return before if math.isinf(to_s) else before + (after - before) * (start_s - from_s) / (to_s - from_s)
        return levels[0][1]
    area = 0.0
    for (from_s, before), (to_s, after) in pieces:
        low, high = max(from_s, start_s), min(to_s, end_s)
        if low < high:
            slope = 0.0 if math.isinf(to_s) else (after - before) / (to_s - from_s)
            area += (before + slope * ((low + high) / 2 - from_s)) * (high - low)
    return area / (end_s - start_s)
