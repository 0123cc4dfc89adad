"""The expected number of injections of each fault, given what happened.

The first fault in the file that hits an attempt (a call, a task) takes effect: a later one can only hit what the earlier
active ones have left. Exposure is counted in integers per combination of faults, so that nothing depends on block
boundaries.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias

import numpy as np

from soak.schemas.language.faults import Fault
from soak.schemas.stream.block import Block, Bools, Floats, Ints
from soak.simulation.plan import inside_windows

BITS = 10
_Can: TypeAlias = tuple[bool, ...]
"""For each fault of a contest, whether it could have applied."""


class Contest:
    """Faults that compete for the same attempts, in order of precedence."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        self._counts: Counter[_Can] = Counter()

    def add(self, can: Sequence[Bools]) -> None:
        """Count opportunities: for each fault whether it could have applied."""
        if len(can) > BITS:
            kinds, counts = np.unique(np.stack(can, axis=1), axis=0, return_counts=True)
            self._counts.update(dict(zip(map(tuple, kinds.tolist()), counts.tolist(), strict=True)))
            return
        # Counting a code per combination of few faults is many times as fast as sorting rows.
        code = np.zeros(len(can[0]), dtype=np.int64)
        for place, each in enumerate(can):
            code |= each.astype(np.int64) << place
        counted = np.bincount(code)
        for number in np.flatnonzero(counted).tolist():
            self._counts[tuple(bool(number >> place & 1) for place in range(len(can)))] += int(counted[number])

    def add_all(self, count: int) -> None:
        """Count opportunities at which every fault could have applied."""
        if count:
            self._counts[tuple(True for _ in self.faults)] += count

    def put(self, counts: Ints) -> None:
        """Opportunities counted elsewhere, all of them so far: by code, in which the bit of each place says whether it could."""
        self._counts.clear()
        for code in np.flatnonzero(counts).tolist():
            self._counts[tuple(bool(code >> place & 1) for place in range(len(self.faults)))] = int(counts[code])

    def expected(self, place: int) -> float:
        """Expected injections of the fault at a position."""
        return math.fsum(count * self.chances(can)[place] for can, count in self._counts.items())

    def items(self) -> Iterable[tuple[_Can, int]]:
        """Each combination with its count."""
        return self._counts.items()

    def chances(self, can: _Can) -> list[float]:
        """The probability with which each fault takes effect."""
        left, chances = 1.0, []
        for fault, could in zip(self.faults, can, strict=True):
            chances.append(left * fault.rate * could)
            left *= 1 - fault.rate * could
        return chances


def holds(fault: Fault, t_s: Floats) -> Bools:
    """At which of these times a fault is active."""
    return inside_windows(t_s, fault.windows) if fault.windows else np.ones(len(t_s), dtype=np.bool_)


class Exposed(Protocol):
    """Things that faults strike, and how many of them there were."""

    contest: Contest

    def observe(self, block: Block) -> None:
        """Process a block."""

    def expected(self, place: int, ended_s: float) -> float:
        """How often the fault at a place of the contest can be expected to have struck in a run that ended then."""


class Exposure:
    """Tracks the opportunities of the faults by rate of a scenario."""

    def __init__(self, exposed: Sequence[Exposed]) -> None:
        self._exposed = [each for each in exposed if each.contest.faults]

    def observe(self, block: Block) -> None:
        """Process a block."""
        for each in self._exposed:
            each.observe(block)

    def expected(self, fault: Fault, ended_s: float) -> float:
        """Expected injections of a fault by rate in a run that ended then."""
        for each in self._exposed:
            if fault in each.contest.faults:
                return each.expected(each.contest.faults.index(fault), ended_s)
        raise ValueError(f"what the fault {fault.name} could have struck is not followed")

    def follows(self, fault: Fault) -> bool:
        """Whether it is known what a fault by rate could have struck."""
        return any(fault in each.contest.faults for each in self._exposed)
