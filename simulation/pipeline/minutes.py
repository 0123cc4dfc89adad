"""The records of each minute, as the first sink has them."""

import numpy as np

from soak.schemas.stream.block import Ints
from soak.simulation.pipeline.flow import Flow
from soak.simulation.pipeline.rules import MINUTE_S, SETTLING_S, Minute


class Minutes:
    """Counts the records of each minute of scenario time by when they were sent."""

    def __init__(self, until_s: float) -> None:
        self.count = int((until_s + 1e-9) // MINUTE_S)
        self._counts = np.zeros((3, self.count + 2), dtype=np.int64)

    def add(self, flow: Flow) -> None:
        """The first sink holds more records."""
        minute = np.minimum((flow.sent_s / MINUTE_S).astype(np.int64), self.count + 1)
        first = int(minute[0])
        for place, chosen in enumerate((None, flow.strong, flow.low_consistency)):
            counted: Ints = np.bincount((minute if chosen is None else minute[chosen]) - first)
            self._counts[place, first : first + len(counted)] += counted

    def close(self, number: int) -> Minute:
        """A minute as it is now."""
        return Minute(*self._counts[:, number].tolist())

    @staticmethod
    def closes_s(number: int) -> float:
        """When a minute is closed."""
        return (number + 1) * MINUTE_S + SETTLING_S
