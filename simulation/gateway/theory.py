"""What queueing theory expects of a gateway: closed networks with a product form, and stations with work that arrives."""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Floats

MOST_USERS = 4_000
"""A closed network of more is left to its bounds."""


class Station(Struct, frozen=True):
    """Seconds that a request needs of it on average, and how many it serves at once (inf: nobody waits)."""

    need_s: float
    servers: float

    def busy(self, rate_per_s: float) -> float:
        """Share of its servers that are busy, by the utilisation law; above 1: more than it can do."""
        return rate_per_s * self.need_s / self.servers if math.isfinite(self.servers) else 0.0


class Network(Struct, frozen=True):
    """In the long run: requests that end per second, and the mean time to the end of one in seconds."""

    throughput_per_s: float
    response_s: float


class ClosedNetwork:
    """Users who think for `between_s` and then go through all stations, each with exponential times or processor sharing.

    Exact by the convolution of the stations' weights (Buzen 1973), here of their logarithms, since they span more than numbers
    do; mean value analysis (Reiser & Lavenberg 1980) gives the same. Above MOST_USERS min(N / (Z + R), c / S), which bounds it.
    """

    def __init__(self, users: int, between_s: float, stations: Sequence[Station]) -> None:
        """`users`: the most that will be asked for."""
        self._between_s = between_s
        self._least_s = math.fsum(each.need_s for each in stations)
        self._most_per_s = min((each.servers / each.need_s for each in stations if each.need_s), default=math.inf)
        self._weights: list[float] = []
        if users <= MOST_USERS:
            weights = _weights(users, Station(between_s, math.inf))
            for each in stations:
                weights = _convolved(weights, each) if each.need_s else weights
            self._weights = weights.tolist()

    def of(self, users: int) -> Network:
        """With this number of users."""
        if not users:
            return Network(0.0, self._least_s)
        if not self._weights:
            throughput_per_s = min(users / (self._between_s + self._least_s), self._most_per_s)
        else:
            throughput_per_s = math.exp(self._weights[users - 1] - self._weights[users])
        return Network(throughput_per_s, max(self._least_s, users / throughput_per_s - self._between_s))


def _weights(users: int, station: Station) -> Floats:
    """The logarithms of the product of need / min(k, servers) for k up to each number of users."""
    steps = math.log(station.need_s) - np.log(np.minimum(np.arange(1, users + 1), station.servers))
    return np.concatenate([[0.0], np.cumsum(steps)])


def _convolved(before: Floats, station: Station) -> Floats:
    own = _weights(len(before) - 1, station)
    return np.array([np.logaddexp.reduce(before[: n + 1] + own[n::-1]) for n in range(len(before))])


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
