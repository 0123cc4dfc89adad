"""Whether the programs of a system waited as long as their faster clock says: where it does not, times say less of the system."""

from collections.abc import Iterator

import numpy as np

from soak.schemas.stream.block import Block
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.kinds import Kind
from soak.schemas.units import show_ratio

ALLOWED = 0.01
"""Share by which waits may be longer than they should."""

_MILLION = 1_000_000
"""Sums are of whole millionths, so that nothing depends on where blocks end."""


class Pace:
    """The mean of the samples of the clock, which runs as fast as the run."""

    def __init__(self, identity: Identity | None) -> None:
        self._speed = identity.speed if identity else 1.0
        self._count = self._total = 0

    def observe(self, block: Block) -> None:
        """Take in a block."""
        sampled = block.value[block.kind == Kind.SAMPLE_CLOCK]
        self._count += len(sampled)
        self._total += int(np.rint(sampled / self._speed * _MILLION).astype(np.int64).sum())

    def doubts(self) -> Iterator[str]:
        """That waits took too long; nothing without samples."""
        if not self._count:
            return
        longer = self._count * _MILLION / self._total - 1 if self._total else float("inf")
        if longer > ALLOWED:
            what = f"waits of the system's programs took {show_ratio(round(longer, 3))} longer than by their clock"
            yield f"{what}, which runs {self._speed:g} times as fast (lower clock: faketime, or run it on a less busy machine)"
