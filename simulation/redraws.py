"""Runs whose draws are in part made anew, or drawn with other chances: what the search for rare events is made of.

A run is a function of the draws that its seed addresses. `Redraw` replaces those of a random share of the tasks by those of
another seed: what the run is drawn from stays what it was, whatever is replaced, since draws are independent. `Tilt` draws the
faults of a stretch of tasks with other rates, and keeps the likelihood ratio, by which the outcome is to be weighted.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

import numpy as np
from msgspec import Struct

from soak.schemas.language.model import Workload
from soak.schemas.stream.block import TICKS_PER_S, Floats, Ints
from soak.simulation.arrivals import arrivals
from soak.simulation.streams import BLOCK, AlteredSeed, Stream, stream_key

_ARRIVALS = frozenset({"arrivals", "batches"})
"""The streams that say when work arrives."""


class Which(StrEnum):
    """Which draws of a task are replaced."""

    ALL = "all"
    ARRIVALS = "arrivals"
    FATES = "fates"


class Redraw(Struct, frozen=True):
    """Each task has its draws replaced, with a chance of `share`, by those of `seed`; `which` of them."""

    seed: int
    share: float
    which: Which = Which.ALL

    def concerns(self, stream: str) -> bool:
        """Whether draws of that stream are replaced."""
        return self.which is Which.ALL or (stream in _ARRIVALS) is (self.which is Which.ARRIVALS)

    def chosen(self, block: int) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Which of the BLOCK tasks of a block it concerns."""
        key = stream_key(self.seed, "redrawn")
        generator = np.random.Generator(np.random.Philox(key=key, counter=block << 128))
        return generator.random(BLOCK) < self.share


class TiltedRate(Struct, frozen=True):
    """A fault that attempts, or tasks, meet with another chance: its stream, the layer of its draws, both chances (0 to 1)."""

    stream: str
    layer: int
    rate: float
    tilted: float


class Tilt(Struct, frozen=True):
    """Tasks from place `first` to before `first + length`, in order of arrival, meet faults with other chances.

    The stretch is one of `firsts`, chosen with equal chance. The law of such a run is a mixture, and its likelihood ratio
    is the mean of those of all stretches: it is bounded by their number over the ratio of any of them (Hesterberg 1995).
    """

    first: int
    length: int
    firsts: tuple[int, ...]
    rates: tuple[TiltedRate, ...]


class RedrawnSeed(AlteredSeed):
    """A seed, with draws that were replaced (in turn, the later over the earlier) and a tilt."""

    redraws: tuple[Redraw, ...]
    tilt: Tilt | None

    def __new__(cls, seed: int, redraws: Sequence[Redraw] = (), tilt: Tilt | None = None) -> "RedrawnSeed":
        """`seed`: gives all draws that are not replaced."""
        made = super().__new__(cls, seed)
        made.redraws, made.tilt = tuple(redraws), tilt
        made._weigh, made._owners = _Weigh(tilt) if tilt else None, {}
        return made

    _weigh: "_Weigh | None"
    _owners: dict[tuple[bool, int], Ints]

    def altered(self, name: str, block: int, layer: int, own: np.random.Generator) -> np.random.Generator:
        """The generator of a stream at a position, with what is replaced and tilted."""
        made = own
        if self.redraws:
            owners = self._owners_of(name, block)
            used = np.unique(owners).tolist()
            if used != [-1]:
                parts = [own if each < 0 else Stream(self.redraws[each].seed, name).at(block, layer) for each in used]
                made = cast("np.random.Generator", _Mixed(parts, np.searchsorted(used, owners)))
        if self._weigh and (rate := self._weigh.rates.get((name, layer))):
            made = cast("np.random.Generator", _Tilted(made, self._weigh, rate, block))
        return made

    def tilted(self, workload: Workload, ended_s: float) -> "Weighed":
        """What a run with a tilt, that ended at `ended_s`, is to be weighted by.

        Draws of tasks that had not arrived by then do not count: the run did not depend on them.
        """
        assert self._weigh
        if workload.users is not None:
            return self._weigh.weighed(None)
        return self._weigh.weighed(sum(len(each) for each in arrivals(workload, self, ended_s + 1 / TICKS_PER_S)))

    def _owners_of(self, name: str, block: int) -> Ints:
        """By task of a block, the number of the redraw that its draws are of; -1: of none."""
        key = name in _ARRIVALS, block
        if key not in self._owners:
            owners = np.full(BLOCK, -1, dtype=np.int64)
            for number, each in enumerate(self.redraws):
                if each.concerns(name):
                    owners[each.chosen(block)] = number
            self._owners[key] = owners
        return self._owners[key]


class Weighed(Struct, frozen=True):
    """The likelihood ratio of a run with a tilt: its chance without over that with it.

    hits, trials: for each of the tilted rates, how many draws inside the stretch met the fault, of how many.
    """

    ratio: float
    hits: tuple[int, ...]
    trials: int


class _Mixed:
    """In place of a generator: of each array that is drawn, the values of several generators in their places."""

    def __init__(self, parts: Sequence[np.random.Generator], owners: Ints) -> None:
        self._parts, self._owners = parts, owners

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def drawn(*args: Any, **kwargs: Any) -> Any:
            values = [getattr(each, name)(*args, **kwargs) for each in self._parts]
            if not isinstance(values[0], np.ndarray):
                return values[self._owners[0]]
            owners = np.resize(self._owners, len(values[0]))
            return np.stack(values)[owners, np.arange(len(owners))]

        return drawn


@dataclass(slots=True)
class _Weigh:
    """The logarithms of likelihood ratios by task, as if all of them were tilted."""

    tilt: Tilt
    rates: dict[tuple[str, int], TiltedRate] = field(init=False)
    logs: dict[tuple[str, int, int], Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rates = {(each.stream, each.layer): each for each in self.tilt.rates}

    def weighed(self, count: int | None) -> Weighed:
        """1 over the mean, over all stretches, of how much likelier their tilt makes the first `count` tasks (None: all)."""
        blocks = 1 + max((block for _, block, _ in self.logs), default=0)
        total = np.zeros((blocks, BLOCK))
        for (_, block, _), logs in self.logs.items():
            total[block] += logs
        sums = np.concatenate([[0.0], np.cumsum(total.ravel()[:count])])
        firsts = np.array(self.tilt.firsts)
        begin, end = (np.clip(each, 0, len(sums) - 1) for each in (firsts, firsts + self.tilt.length))
        ratios = sums[end] - sums[begin]
        highest = float(ratios.max())
        ratio = math.exp(-highest) / float(np.exp(ratios - highest).mean())
        return Weighed(ratio, *self._counts(len(sums) - 1))

    def _counts(self, count: int) -> tuple[tuple[int, ...], int]:
        first, until = max(0, self.tilt.first), max(0, min(count, self.tilt.first + self.tilt.length))
        hits = []
        for each in self.tilt.rates:
            found = 0
            for (stream, block, layer), logs in self.logs.items():
                if (stream, layer) == (each.stream, each.layer):
                    inside = logs[max(0, first - block * BLOCK) : max(0, until - block * BLOCK)]
                    found += int((inside > 0).sum())
            hits.append(found)
        return tuple(hits), max(0, until - first)


class _Tilted:
    """In place of the generator of a fault: uniform numbers that are below its rate more often, inside the stretch."""

    def __init__(self, own: np.random.Generator, weigh: _Weigh, rate: TiltedRate, block: int) -> None:
        self._own, self._weigh, self._rate, self._block = own, weigh, rate, block

    def random(self, size: int) -> Floats:
        """`size` numbers from 0 to 1, one a task."""
        uniform, rate, tilted = self._own.random(size), self._rate.rate, self._rate.tilted
        first = self._weigh.tilt.first - self._block * BLOCK
        inside = slice(max(0, first), max(0, first + self._weigh.tilt.length))
        part = uniform[inside]
        uniform[inside] = np.where(
            part < tilted, part * (rate / tilted), rate + (part - tilted) * ((1 - rate) / (1 - tilted))
        )
        logs = np.where(uniform < rate, math.log(tilted / rate), math.log((1 - tilted) / (1 - rate)))
        self._weigh.logs[self._rate.stream, self._block, self._rate.layer] = logs
        return uniform

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)
