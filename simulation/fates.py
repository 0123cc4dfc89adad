"""The fate of every attempt: how long it takes and which fault, if any, it meets.

A fate is addressed by task and attempt. It does not depend on the order of events, on the number of workers or on
other faults' draws: each fault has a stream of its own.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

import numpy as np

from schemas.block import Floats, Ints
from schemas.events import COPY, KEY_SHIFT, NO_CAUSE, Vocabulary
from schemas.model import PER_TASK, Fault, FaultType, Scenario, Window
from simulation.distributions import draw
from simulation.streams import BLOCK, Stream

BLOCK_BITS = BLOCK.bit_length() - 1
CACHED_BLOCKS = 256
_COPY_LAYERS = 1 << 16


class Action(IntEnum):
    """What a fault does to an attempt."""

    NONE = 0
    TRANSIENT = 1
    PERMANENT = 2
    DB_LOCK = 3
    OVER_BUDGET = 4
    CRASH = 5
    HANG = 6


ACTIONS = {
    FaultType.TRANSIENT_ERROR: Action.TRANSIENT,
    FaultType.PERMANENT_ERROR: Action.PERMANENT,
    FaultType.DB_LOCK: Action.DB_LOCK,
    FaultType.GUARDRAIL_EXCEED: Action.OVER_BUDGET,
    FaultType.WORKER_CRASH: Action.CRASH,
    FaultType.WORKER_HANG: Action.HANG,
}
"""The faults that an attempt can meet."""


Fate: TypeAlias = tuple[float, int, float]
"""One attempt: service time in seconds; the cause of what goes wrong (0: nothing); at which share of the service time.

A plain tuple: one is read for each attempt.
"""


@dataclass(frozen=True, slots=True)
class _Windowed:
    """A fault that an attempt meets if it starts inside one of these windows."""

    windows: tuple[Window, ...]
    cause: int
    within: float


class _Rows:
    """Columns read a row at a time: cheaper than a list where few rows are read."""

    def __init__(self, service_s: Floats, cause: Ints, within: Floats) -> None:
        self._columns = service_s, cause, within

    def __getitem__(self, index: int) -> Fate:
        service_s, cause, within = self._columns
        return float(service_s[index]), int(cause[index]), float(within[index])


@dataclass(slots=True)
class _Draws:
    """The draws of BLOCK tasks for one attempt: nearly all of the first are read, and few of the others."""

    fates: list[Fate] | _Rows
    windowed: dict[int, list[_Windowed]] = field(default_factory=dict)


class _FaultDraws:
    """One fault's stream and the causes it can show up as."""

    def __init__(self, fault: Fault, seed: int, vocabulary: Vocabulary) -> None:
        self.fault = fault
        self.causes = np.array([vocabulary.cause(fault.name, error) for error in fault.errors])
        self._stream = Stream(seed, f"fault:{fault.name}")

    def hits(self, block: int, attempt: int, copy: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For the tasks of a block: whether the fault hits, as which cause, and at which share of the attempt.

        One uniform number decides all three: given that it is below the rate, its share of the rate is uniform too.
        """
        layer = (0 if self.fault.type in PER_TASK else attempt) + copy * _COPY_LAYERS
        uniform = self._stream.at(block, layer).random(BLOCK)
        hit = uniform < self.fault.rate
        within = uniform / self.fault.rate if self.fault.rate else uniform
        cause = self.causes[np.minimum((within * len(self.causes)).astype(np.int64), len(self.causes) - 1)]
        return hit, cause, within


class Fates:
    """Fates by task number and attempt, drawn a block at a time; the blocks in use are kept, the rest can be drawn again."""

    def __init__(self, scenario: Scenario, seed: int, vocabulary: Vocabulary) -> None:
        self._service = scenario.workload.service
        self._stream = Stream(seed, "service")
        self._faults = [_FaultDraws(fault, seed, vocabulary) for fault in scenario.faults if fault.type in ACTIONS]
        self._blocks: OrderedDict[tuple[int, int, int], _Draws] = OrderedDict()

    def of(self, number: int, attempt: int, start_s: float) -> Fate:
        """The fate of an attempt that starts at `start_s`."""
        arrival = number >> KEY_SHIFT
        key = (arrival >> BLOCK_BITS, attempt, number & COPY)
        draws = self._blocks.get(key) or self._draw(*key)
        index = arrival & (BLOCK - 1)
        if draws.windowed and index in draws.windowed:
            for fault in draws.windowed[index]:
                if any(window.start_s <= start_s < window.end_s for window in fault.windows):
                    return draws.fates[index][0], fault.cause, fault.within
        return draws.fates[index]

    def _draw(self, block: int, attempt: int, copy: int) -> _Draws:
        service_s = draw(self._service, self._stream.at(block, attempt + copy * _COPY_LAYERS), BLOCK)
        cause, within = np.full(BLOCK, NO_CAUSE), np.zeros(BLOCK)
        windowed: dict[int, list[_Windowed]] = {}
        for fault in self._faults:
            hit, its_cause, its_within = fault.hits(block, attempt, copy)
            hit &= cause == NO_CAUSE
            if fault.fault.windows:
                for index in np.flatnonzero(hit).tolist():
                    entry = _Windowed(fault.fault.windows, int(its_cause[index]), float(its_within[index]))
                    windowed.setdefault(index, []).append(entry)
            else:
                cause[hit], within[hit] = its_cause[hit], its_within[hit]
        rows = _Rows(service_s, cause, within)
        first = attempt == 1 and not copy
        listed = list(zip(service_s.tolist(), cause.tolist(), within.tolist(), strict=True)) if first else rows
        draws = _Draws(listed, windowed)
        self._blocks[block, attempt, copy] = draws
        if len(self._blocks) > CACHED_BLOCKS:
            self._blocks.popitem(last=False)
        return draws
