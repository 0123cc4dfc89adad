"""How often each fault can be expected to have struck, given what happened.

The first fault in the file that hits an attempt (a call, a task) decides it: a later one can only strike what the earlier
ones that hold at the time have left. What happened is kept as whole numbers, by which faults could have struck, so that
nothing depends on where blocks end.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias

import numpy as np

from soak.schemas.language.faults import Fault
from soak.schemas.stream.block import Block, Bools, Floats
from soak.simulation.plan import inside_windows

_BITS = 10
_Can: TypeAlias = tuple[bool, ...]
"""For each fault of a contest, whether it could have struck."""


class Contest:
    """Faults that strike the same things, in the order in which they decide."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        self._counts: Counter[_Can] = Counter()

    def add(self, can: Sequence[Bools]) -> None:
        """Count things that could have been struck: for each fault whether it could."""
        if len(can) > _BITS:
            kinds, counts = np.unique(np.stack(can, axis=1), axis=0, return_counts=True)
            self._counts.update(dict(zip(map(tuple, kinds.tolist()), counts.tolist(), strict=True)))
            return
        # A number for each combination of few faults is counted many times as fast as rows are sorted.
        code = np.zeros(len(can[0]), dtype=np.int64)
        for place, each in enumerate(can):
            code |= each.astype(np.int64) << place
        counted = np.bincount(code)
        for number in np.flatnonzero(counted).tolist():
            self._counts[tuple(bool(number >> place & 1) for place in range(len(can)))] += int(counted[number])

    def expected(self, place: int) -> float:
        """How often the fault at a place can be expected to have struck."""
        return math.fsum(count * self.chances(can)[place] for can, count in self._counts.items())

    def items(self) -> Iterable[tuple[_Can, int]]:
        """What there was of each, and how many."""
        return self._counts.items()

    def chances(self, can: _Can) -> list[float]:
        """With which probability each fault decides."""
        left, chances = 1.0, []
        for fault, could in zip(self.faults, can, strict=True):
            chances.append(left * fault.rate * could)
            left *= 1 - fault.rate * could
        return chances


def holds(fault: Fault, t_s: Floats) -> Bools:
    """At which of these times a fault holds."""
    return inside_windows(t_s, fault.windows) if fault.windows else np.ones(len(t_s), dtype=np.bool_)


class Exposed(Protocol):
    """Things that faults strike, and how many of them there were."""

    contest: Contest

    def observe(self, block: Block) -> None:
        """Take in a block."""

    def expected(self, place: int, ended_s: float) -> float:
        """How often the fault at a place of the contest can be expected to have struck in a run that ended then."""


class Exposure:
    """Follows what the faults by rate of a scenario can strike."""

    def __init__(self, exposed: Sequence[Exposed]) -> None:
        self._exposed = [each for each in exposed if each.contest.faults]

    def observe(self, block: Block) -> None:
        """Take in a block."""
        for each in self._exposed:
            each.observe(block)

    def expected(self, fault: Fault, ended_s: float) -> float:
        """How often a fault by rate can be expected to have struck in a run that ended then."""
        for each in self._exposed:
            if fault in each.contest.faults:
                return each.expected(each.contest.faults.index(fault), ended_s)
        return math.nan
