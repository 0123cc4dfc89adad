"""The fate of every attempt: how long it takes and which fault, if any, it meets.

A fate is addressed by task and attempt. It does not depend on the order of events, on the number of workers or on
other faults' draws: each fault has a stream of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from soak.schemas.language.distributions import ServiceTime
from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Floats, Ints
from soak.schemas.stream.events import COPY, KEY_SHIFT
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary
from soak.simulation.distributions import draw
from soak.simulation.draws import COPY_LAYERS
from soak.simulation.kinds import Kinds, ServiceTimes
from soak.simulation.streams import BLOCK, Stream

BLOCK_BITS = BLOCK.bit_length() - 1
FIRST_KEPT, LATER_KEPT, SCATTERED_KEPT = 4, 128, 512
"""How many blocks of first attempts, which are read in order, of later ones, and of first attempts in any order are kept."""
_BLOCK_SHIFT = BLOCK_BITS + KEY_SHIFT


Fate: TypeAlias = tuple[float, int, float]
"""One attempt: service time in seconds; the cause of what goes wrong (0: nothing); at which share of the service time.

A plain tuple: one is read for each attempt.
"""


class Windowed(Struct, frozen=True):
    """What a fault does to tasks of a block, to attempts that start inside its windows.

    order: its place among the faults; places: of the tasks in the block, ascending; to each a cause and a share of the attempt.
    """

    order: int
    windows: tuple[Window, ...]
    places: Ints
    cause: Ints
    within: Floats


@dataclass(slots=True)
class FateBlock:
    """The draws of BLOCK tasks for one attempt: how long, by which cause and at which share of it, windows left aside.

    Nearly all first attempts are read, and in order: `listed` holds them as they are read. Of later attempts few are read.
    """

    service_s: Floats
    cause: npt.NDArray[np.int16]
    within: Floats
    windowed: list[Windowed]
    """Of faults in windows, the first in the file first."""
    listed: list[Fate] | None = None
    _by_place: dict[int, list[tuple[tuple[Window, ...], int, float]]] | None = None

    def fate(self, index: int) -> Fate:
        """The fate of one task, windows left aside."""
        if self.listed is not None:
            return self.listed[index]
        return float(self.service_s[index]), int(self.cause[index]), float(self.within[index])

    def list_all(self) -> None:
        """Make lists of the arrays."""
        columns = self.service_s.tolist(), self.cause.tolist(), self.within.tolist()
        self.listed = list(zip(*columns, strict=True))

    def in_window(self, index: int, start_s: float) -> tuple[int, float] | None:
        """The cause and share of the first fault in whose windows an attempt at a task starts; None for none."""
        if self._by_place is None:
            self._by_place = {}
            for each in self.windowed:
                for place, *met in zip(*(of.tolist() for of in (each.places, each.cause, each.within)), strict=True):
                    self._by_place.setdefault(place, []).append((each.windows, *met))
        for windows, cause, within in self._by_place.get(index, ()):
            if any(window.start_s <= start_s < window.end_s for window in windows):
                return cause, within
        return None


class FaultDraws:
    """One fault's stream and the causes it can show up as."""

    def __init__(self, fault: Fault, seed: int, vocabulary: Vocabulary, kinds: Kinds | None = None) -> None:
        self.fault = fault
        self._kinds = kinds if fault.kinds else None
        self.causes = np.array([vocabulary.cause(fault.name, error) for error in fault.errors])
        self.stream = Stream(seed, f"fault:{fault.name}")

    @property
    def by_attempt(self) -> bool:
        """Whether each attempt of a task has draws of its own."""
        return self.fault.spec.counts != "tasks"

    @property
    def is_plain(self) -> bool:
        """Whether its stream alone decides what it hits."""
        return self._kinds is None and not self.stream.is_altered

    def hits(self, block: int, attempt: int, copy: int) -> tuple[Ints, Ints, Floats]:
        """The places in a block of the tasks that the fault hits, each with the cause and the share of the attempt at which.

        One uniform number decides all three: given that it is below the rate, its share of the rate is uniform too.
        """
        layer = (attempt if self.by_attempt else 0) + copy * COPY_LAYERS
        uniform = self.stream.at(block, layer).random(BLOCK)
        places = np.flatnonzero(uniform < self.fault.rate)
        if self._kinds:
            places = places[self._kinds.among(self.fault.kinds)[self._kinds.of_block(block)[places]]]
        within = uniform[places] / self.fault.rate if self.fault.rate else uniform[places]
        cause = self.causes[np.minimum((within * len(self.causes)).astype(np.int64), len(self.causes) - 1)]
        return places, cause, within


class Fates:
    """Fates by task number and attempt, drawn a block at a time; the blocks in use are kept, the rest can be drawn again."""

    def __init__(
        self,
        service: ServiceTime,
        faults: Sequence[Fault],
        seed: int,
        vocabulary: Vocabulary,
        stream: str = "service",
        *,
        kinds: Kinds | None = None,
        times: ServiceTimes | None = None,
        scattered: bool = False,
    ) -> None:
        """kinds: of the tasks, where they have any. times: how long attempts take, where that is not `service` for all.

        `scattered`: first attempts are not read in order: more blocks of them are kept, in less memory.
        """
        self._first_kept = SCATTERED_KEPT if scattered else FIRST_KEPT
        self._scattered = scattered
        self._service = service
        self._stream = Stream(seed, stream)
        self._times = times
        self.faults = [FaultDraws(fault, seed, vocabulary, kinds) for fault in faults]
        self._first: dict[tuple[int, int, int], FateBlock] = {}
        self._later: dict[tuple[int, int, int], FateBlock] = {}
        self._plain: dict[int, list[Fate]] = {}
        """The fates of first attempts, by block, where no window decides."""

    def of(self, number: int, attempt: int, start_s: float) -> Fate:
        """The fate of an attempt that starts at `start_s`."""
        if attempt == 1 and not number & COPY and (plain := self._plain.get(number >> _BLOCK_SHIFT)):
            return plain[number >> KEY_SHIFT & BLOCK - 1]
        arrival = number >> KEY_SHIFT
        key = (arrival >> BLOCK_BITS, attempt, number & COPY)
        draws = (self._first if attempt == 1 else self._later).get(key) or self._draw(*key)
        index = arrival & (BLOCK - 1)
        if draws.windowed and (met := draws.in_window(index, start_s)):
            return draws.fate(index)[0], *met
        return draws.listed[index] if draws.listed is not None else draws.fate(index)

    def _draw(self, block: int, attempt: int, copy: int) -> FateBlock:
        draws = self.block(block, attempt, copy)
        if attempt == 1 and not self._scattered:
            draws.list_all()
            if not copy and not draws.windowed and draws.listed:
                self._plain[block] = draws.listed
        self._keep(self._first if attempt == 1 else self._later, (block, attempt, copy), draws)
        return draws

    def block(self, block: int, attempt: int, copy: int) -> FateBlock:
        """The fates of BLOCK tasks (or of their copies) for one attempt, drawn anew."""
        cause = np.full(BLOCK, NO_CAUSE, dtype=np.int16)
        late = None
        if self._times:
            service_s, late = self._times.draw(block, attempt + copy * COPY_LAYERS)
        else:
            service_s = self.service_s(block, attempt, copy)
        within, windowed = np.zeros(BLOCK), list[Windowed]()
        for order, fault in enumerate(self.faults):
            places, its_cause, its_within = fault.hits(block, attempt, copy)
            undecided = cause[places] == NO_CAUSE
            places, its_cause, its_within = places[undecided], its_cause[undecided], its_within[undecided]
            if fault.fault.windows:
                windowed.append(Windowed(order, fault.fault.windows, places, its_cause, its_within))
            else:
                cause[places] = its_cause
                within[places] = its_within
        if late is not None:
            cause = np.where(cause == NO_CAUSE, late, cause).astype(np.int16)
        return FateBlock(service_s, cause, within, windowed)

    @property
    def are_plain(self) -> bool:
        """Whether streams alone decide: then `service_s` and the draws of each of `faults` are all there is to a fate."""
        return self._times is None and all(fault.is_plain for fault in self.faults)

    def service_s(self, block: int, attempt: int, copy: int) -> Floats:
        """How long an attempt at each of BLOCK tasks takes, in seconds, where no kind of work and no limit decides it."""
        return draw(self._service, self._stream.at(block, attempt + copy * COPY_LAYERS), BLOCK)

    @property
    def windows(self) -> list[tuple[Window, ...]]:
        """The windows of each fault, in the order in which they decide; none for one that is always there."""
        return [fault.fault.windows for fault in self.faults]

    def _keep(self, cache: dict[tuple[int, int, int], FateBlock], key: tuple[int, int, int], draws: FateBlock) -> None:
        cache[key] = draws
        if len(cache) > (self._first_kept if cache is self._first else LATER_KEPT):
            block, attempt, copy = next(iter(cache))
            del cache[block, attempt, copy]
            if attempt == 1 and not copy:
                self._plain.pop(block, None)
