"""What the judge extracts from a block of events: series of timed values, and intervals."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from soak.runner.judge.violations import Violations
from soak.schemas.stream.block import TICKS_PER_S, Block, Bools, Floats, Ints, tick


class Samples(Struct, frozen=True):
    """Part of a series, in time order.

    t: seconds. value: in the unit of the series (0 or 1, or a part of `weight`, where it is a ratio).
    weight: what each observation counts (None: one). label: a number of `LabelNumbers` (None: unlabelled).
    exposed: how often the thing that is counted could have happened.
    """

    t: Floats
    value: Floats
    weight: Floats | None = None
    label: Ints | None = None
    exposed: int = 0

    def __len__(self) -> int:
        return len(self.t)

    def take(self, index: Bools | slice) -> "Samples":
        """The observations a mask or slice selects."""
        weight = None if self.weight is None else self.weight[index]
        label = None if self.label is None else self.label[index]
        return Samples(self.t[index], self.value[index], weight, label, self.exposed)

    @property
    def weights(self) -> Floats:
        """What each observation counts."""
        return np.ones(len(self.t)) if self.weight is None else self.weight


NOTHING = Samples(np.empty(0), np.empty(0))


class Stretch(Struct, frozen=True):
    """A stretch of time in which something did not happen; `over`: it has ended (otherwise it still lasts at `end_s`)."""

    start_s: float
    end_s: float
    over: bool

    @property
    def length_s(self) -> float:
        """How long it lasted so far."""
        return tick(self.end_s - self.start_s)


class Scan(Struct, frozen=True):
    """What has been seen of a block in passing: how many events by kind, by kind and cause, and how many retries by attempt.

    retries: the last attempt stands for all further. gaps: where no sign of life came.
    """

    block: Block
    counts: Ints
    cells: Ints
    retries: Ints
    gaps: list[Stretch]


@dataclass(slots=True)
class Facts:
    """The facts of a block: its series and intervals by name, up to `until_s`; `ended`: the run ends there.

    violations: of the series and laws in `wanted` only; see `violations.note`.
    """

    until_s: float
    ended: bool = False
    wanted: frozenset[str] = frozenset()
    series: dict[str, Samples] = field(default_factory=dict)
    stretches: dict[str, list[Stretch]] = field(default_factory=dict)
    violations: list[Violations] = field(default_factory=list)
    scan: Scan | None = None

    def scanned(self, block: Block) -> "Scan | None":
        """What has been seen in passing, if it is of this very block."""
        return self.scan if self.scan and self.scan.block is block else None

    @property
    def settled_s(self) -> float:
        """Up to when all that happened is known, in seconds: more may follow at the very time at which a block ends."""
        return self.until_s if self.ended else tick(tick(self.until_s) - 1 / TICKS_PER_S)

    def get(self, name: str) -> Samples:
        """A series by name; empty if the block has none of it."""
        return self.series.get(name, NOTHING)


Labels = Mapping[str, tuple[str, ...]]
"""The values of each label, in the order of their numbers."""
