"""What events amount to per minute: sums of their values, and largest values; see `Amount`."""

from collections.abc import Iterable

import numpy as np

from soak.schemas.language.room import Amount
from soak.schemas.stream.block import TICKS_PER_S, Block, Floats, Ints


class Amounts:
    """A column for each amount. Sums are of whole ticks, so that nothing depends on where blocks end."""

    def __init__(self, amounts: Iterable[Amount]) -> None:
        self._amounts = tuple(amounts)
        self._sums = np.zeros(len(self._amounts), dtype=np.int64)
        self._most = np.full(len(self._amounts), np.nan)

    def minutes(self, block: Block, minute: Ints, count: int) -> Floats:
        """The amounts of `count` minutes, by minute and amount; the last goes on in the next block. minute: of each event."""
        result = np.zeros((count, len(self._amounts)))
        for column, amount in enumerate(self._amounts):
            chosen = block.kind == amount.kind
            if amount.worker is not None:
                chosen &= block.worker == amount.worker
            values = block.attempt[chosen].astype(np.float64) if amount.records else block.value[chosen]
            if amount.most:
                most = np.full(count, np.nan)
                most[0] = self._most[column]
                np.fmax.at(most, minute[chosen], values)
                self._most[column], result[:, column] = most[-1], most
                continue
            sums = np.zeros(count, dtype=np.int64)
            sums[0] = self._sums[column]
            np.add.at(sums, minute[chosen], np.rint(values * TICKS_PER_S).astype(np.int64))
            self._sums[column], result[:, column] = sums[-1], sums / TICKS_PER_S
        return result
