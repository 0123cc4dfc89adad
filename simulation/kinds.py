"""Which tenant and which kind of work each task is of, and how long an attempt at it takes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from soak.schemas.language.model import Workload
from soak.schemas.stream.block import Bools, Floats, Ints
from soak.schemas.stream.events import KEY_SHIFT
from soak.simulation.distributions import draw
from soak.simulation.streams import BLOCK, Stream

NO_KIND = -1


class Shares:
    """Draws which of several groups with given shares each arrival belongs to, from a stream of their own."""

    def __init__(self, shares: Sequence[float], seed: int, stream: str) -> None:
        self._edges = np.cumsum(shares)[:-1]
        self._stream = Stream(seed, stream)

    def of_block(self, block: int) -> Ints:
        """The places of the groups of BLOCK arrivals."""
        return np.searchsorted(self._edges, self._stream.at(block).random(BLOCK), side="right")


class Kinds:
    """The kind of each task, by its place in the workload; drawn, unless the source of an arrival says which it is."""

    def __init__(self, workload: Workload, seed: int) -> None:
        self.kinds = workload.kinds
        self._shares = Shares([kind.share for kind in workload.kinds], seed, "kinds")
        self._given: dict[int, npt.NDArray[np.int16]] = {}
        self._known: dict[int, Ints] = {}

    def give(self, block: int, kinds: Ints) -> None:
        """The kinds of the first arrivals of a block, as their source gives them (NO_KIND: drawn), before any is asked for."""
        if (kinds != NO_KIND).any():
            self._given[block] = kinds.astype(np.int16)
            self._known.pop(block, None)

    def of_entries(self, workload: Workload, entries: Ints) -> Ints:
        """The kinds of arrivals at set times, by the entry of `workload.scheduled` that they are of (-1: none)."""
        places = {kind.name: place for place, kind in enumerate(self.kinds)}
        return np.array([*(places.get(each.kind, NO_KIND) for each in workload.scheduled), NO_KIND])[entries]

    def of_block(self, block: int) -> Ints:
        """The kinds of BLOCK arrivals."""
        if block not in self._known:
            kinds = self._shares.of_block(block)
            if (given := self._given.get(block)) is not None:
                kinds[: len(given)] = np.where(given == NO_KIND, kinds[: len(given)], given)
            while len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            self._known[block] = kinds
        return self._known[block]

    def of(self, numbers: Ints) -> Ints:
        """The kinds of tasks by their numbers; that of a second submission is that of the first."""
        return of_numbers(self, numbers)

    def among(self, names: Sequence[str]) -> Bools:
        """By kind: whether it is one of these."""
        return np.array([kind.name in names for kind in self.kinds])

    def one(self, number: int) -> int:
        """The kind of one task."""
        arrival = number >> KEY_SHIFT
        return int(self.of_block(arrival // BLOCK)[arrival % BLOCK])


_KEPT = 64
"""How many blocks of kinds are kept; the rest can be drawn again."""


def of_numbers(groups: "Shares | Kinds", numbers: Ints) -> Ints:
    """The places of the groups of tasks by their numbers."""
    arrivals = numbers >> KEY_SHIFT
    blocks, result = arrivals // BLOCK, np.empty(len(numbers), dtype=np.int64)
    for block in np.unique(blocks).tolist():
        inside = blocks == block
        result[inside] = groups.of_block(block)[arrivals[inside] % BLOCK]
    return result


class ServiceTimes:
    """How long attempts take, by kind: each kind with a duration of its own has a stream of its own.

    A kind without one has the workload's, from the workload's stream: as long as nothing differs, kinds shift nothing.
    """

    def __init__(self, kinds: Kinds, seed: int, limits_s: Sequence[float]) -> None:
        """limits_s: by kind, after how long an attempt is ended."""
        self._kinds = kinds
        names = [f"service:{kind.name}" if kind.own_service else "service" for kind in kinds.kinds]
        self._streams = [Stream(seed, name) for name in names]
        self._limits_s = np.array(limits_s)

    def draw(self, block: int, layer: int) -> tuple[Floats, Ints]:
        """Of BLOCK tasks: how long an attempt takes, in seconds, and the places of those that take longer than they may."""
        kinds, service_s = self._kinds.of_block(block), np.empty(BLOCK)
        for place, kind in enumerate(self._kinds.kinds):
            mine = kinds == place
            if mine.any():
                service_s[mine] = draw(kind.service, self._streams[place].at(block, layer), BLOCK)[mine]
        limits_s = self._limits_s[kinds]
        late = np.flatnonzero(service_s > limits_s)
        return np.minimum(service_s, limits_s), late
