"""What queueing theory expects of a gateway: closed networks with a product form, and stations with work that arrives."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soak.schemas.stream.block import Floats

MOST_USERS = 4_000
"""A closed network of more is left to its bounds."""


@dataclass(frozen=True, slots=True)
class Station:
    """Seconds that a request needs of it on average, and how many it serves at once (inf: nobody waits)."""

    need_s: float
    servers: float

    def busy(self, rate_per_s: float) -> float:
        """Share of its servers that are busy, by the utilisation law; above 1: more than it can do."""
        return rate_per_s * self.need_s / self.servers if math.isfinite(self.servers) else 0.0


@dataclass(frozen=True, slots=True)
class Network:
    """In the long run: requests that end per second, and the mean time to the end of one in seconds."""

    throughput_per_s: float
    response_s: float


def closed_network(users: int, between_s: float, stations: Sequence[Station]) -> Network:
    """Users who think for `between_s` and then go through all stations, each with exponential times or processor sharing.

    Exact by the convolution of the stations' weights (Buzen 1973), here of their logarithms, since they span more than numbers
    do; mean value analysis (Reiser & Lavenberg 1980) gives the same. Above MOST_USERS min(N / (Z + R), c / S), which bounds it.
    """
    least_s = math.fsum(each.need_s for each in stations)
    most_per_s = min((each.servers / each.need_s for each in stations if each.need_s), default=math.inf)
    if not users:
        return Network(0.0, least_s)
    if users > MOST_USERS:
        bound_per_s = min(users / (between_s + least_s), most_per_s)
        return Network(bound_per_s, users / bound_per_s - between_s)
    weights = _weights(users, Station(between_s, math.inf))
    for each in stations:
        if each.need_s:
            weights = _convolved(weights, _weights(users, each))
    throughput_per_s = math.exp(weights[users - 1] - weights[users])
    return Network(throughput_per_s, max(least_s, users / throughput_per_s - between_s))


def _weights(users: int, station: Station) -> Floats:
    """The logarithms of the product of need / min(k, servers) for k up to each number of users."""
    steps = math.log(station.need_s) - np.log(np.minimum(np.arange(1, users + 1), station.servers))
    return np.concatenate([[0.0], np.cumsum(steps)])


def _convolved(a: Floats, b: Floats) -> Floats:
    return np.array([np.logaddexp.reduce(a[: n + 1] + b[n::-1]) for n in range(len(a))])


def response_s(rate_per_s: float, station: Station) -> float:
    """Mean time in an M/M/c queue, waiting included (Erlang C, by Erlang's recursion for B); inf where it is overloaded.

    One server that is shared equally has the same mean whatever the distribution: M/G/1-PS, S / (1 - rho) (Sakata et al. 1971).
    """
    if not station.need_s or math.isinf(station.servers):
        return station.need_s
    load, servers = rate_per_s * station.need_s, int(station.servers)
    if load >= servers:
        return math.inf
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    waits = blocked / (1 - load / servers * (1 - blocked))
    return station.need_s + waits * station.need_s / (servers - load)
