"""Quantiles of any number of values, in bounded memory: of every k-th value, where k doubles whenever they become too many."""

from dataclasses import dataclass, field

import numpy as np

from soak.schemas.stream.block import Floats

MOST_KEPT = 65_536
QUANTILES = 512
_MOST_PARTS = 64
"""Small arrays are put together, since each takes room of its own."""


@dataclass(slots=True)
class Sample:
    """Every `step`-th of the values so far; no more than 2 * `most` of them, beside those that came last."""

    most: int = field(default_factory=lambda: MOST_KEPT)
    step: int = 1
    seen: int = 0
    kept: list[Floats] = field(default_factory=list, repr=False)
    count: int = 0

    def add(self, values: Floats) -> None:
        """More values, in their order."""
        # A copy, since a slice would keep all of the values.
        chosen = values[-self.seen % self.step :: self.step].copy()
        self.seen += len(values)
        if len(chosen):
            self.kept.append(chosen)
            self.count += len(chosen)
        if len(self.kept) > _MOST_PARTS:
            self.kept = [np.concatenate(self.kept)]
        while self.count > self.most:
            halved = np.concatenate(self.kept)[::2].copy()
            self.step, self.kept, self.count = self.step * 2, [halved], len(halved)

    def quantiles(self) -> tuple[float, ...]:
        """Up to QUANTILES of them, ascending, in the middle of equal parts; none of no values."""
        if not self.count:
            return ()
        values = np.sort(np.concatenate(self.kept))
        parts = min(QUANTILES, len(values))
        places = ((np.arange(parts) + 0.5) / parts * len(values)).astype(np.int64)
        return tuple(values[places].tolist())
