"""Which tenant and which kind of work each task is of, and how long an attempt at it takes."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from soak.schemas.language.distributions import ServiceTime
from soak.schemas.language.model import Workload
from soak.schemas.stream.block import Bools, Floats, Ints
from soak.schemas.stream.events import KEY_SHIFT
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.simulation.distributions import draw
from soak.simulation.streams import BLOCK, Stream

Known: TypeAlias = Callable[[int], Ints]
"""The places of the groups of a block of BLOCK arrivals, where they are not drawn."""

NO_KIND = -1


class Shares:
    """Draws which of several groups with given shares each arrival belongs to, from a stream of their own."""

    def __init__(self, shares: Sequence[float], seed: int, stream: str, known: Known | None = None) -> None:
        self._known = known
        self._edges = np.cumsum(shares)[:-1]
        self._stream = Stream(seed, stream)

    def of_block(self, block: int) -> Ints:
        """The places of the groups of BLOCK arrivals."""
        if self._known is not None:
            return self._known(block)
        return np.searchsorted(self._edges, self._stream.at(block).random(BLOCK), side="right")


class Kinds:
    """The kind of each task, by its place in the workload; drawn, unless the source of an arrival says which it is."""

    def __init__(self, workload: Workload, seed: int, known: Known | None = None) -> None:
        self.kinds = workload.kinds
        self._shares = Shares([kind.share for kind in workload.kinds], seed, "kinds", known)
        self._given: dict[int, npt.NDArray[np.int16]] = {}
        self._known: dict[int, Ints] = {}
        self._listed: dict[int, list[int]] = {}

    def give(self, block: int, kinds: Ints) -> None:
        """The kinds of the first arrivals of a block, as their source gives them (NO_KIND: drawn), before any is asked for."""
        if (kinds != NO_KIND).any():
            self._given[block] = kinds.astype(np.int16)
            self._known.pop(block, None)
            self._listed.pop(block, None)

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
        block = arrival // BLOCK
        listed = self._listed.get(block)
        if listed is None:
            listed = self._listed[block] = self.of_block(block).tolist()
            while len(self._listed) > _KEPT:
                del self._listed[next(iter(self._listed))]
        return listed[arrival % BLOCK]


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

    A kind without one has the workload's, from the workload's stream: as long as nothing differs, kinds shift nothing. An
    attempt that would take longer than it may is ended there; what a fault does to it, it does by then.
    """

    def __init__(
        self,
        workload: Workload,
        kinds: Kinds | None,
        seed: int,
        limits_s: Sequence[float],
        late_cause: int,
        *,
        known_s: Callable[[int], Floats] | None = None,
    ) -> None:
        """limits_s: by kind, after how long an attempt is ended (none: never). late_cause: the cause of that.

        known_s: the service times of a block of BLOCK arrivals, where they are not drawn: the same for every attempt.
        """
        self._known_s = known_s
        self._kinds = kinds
        names = [f"service:{kind.name}" if kind.own_service else _STREAM for kind in workload.kinds] or [_STREAM]
        services: list[ServiceTime] = [*(kind.service for kind in workload.kinds)] or [workload.service]
        self._parts = [(each, Stream(seed, name)) for each, name in zip(services, names, strict=True)]
        self._limits_s = np.array(limits_s or [np.inf] * len(self._parts))
        self._late_cause = late_cause

    def draw(self, block: int, layer: int) -> tuple[Floats, Ints]:
        """Of BLOCK tasks: how long an attempt takes, in seconds, and the cause of its end if no fault decides it."""
        kinds = self._kinds.of_block(block) if self._kinds else np.zeros(BLOCK, dtype=np.int64)
        service_s = self._known_s(block) if self._known_s else self._drawn(block, layer, kinds)
        limits_s = self._limits_s[kinds]
        return np.minimum(service_s, limits_s), np.where(service_s > limits_s, self._late_cause, NO_CAUSE)

    def _drawn(self, block: int, layer: int, kinds: Ints) -> Floats:
        service_s = np.empty(BLOCK)
        for place, (service, stream) in enumerate(self._parts):
            mine = kinds == place
            if mine.any():
                service_s[mine] = draw(service, stream.at(block, layer), BLOCK)[mine]
        return service_s


_STREAM = "service"
TIME_LIMIT = "time_limit"
"""The error of an attempt that is ended since it runs for too long."""
