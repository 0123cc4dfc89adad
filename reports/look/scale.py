"""From values to places in a picture, in per cent."""

import math

from msgspec import Struct

FEW_TICKS = 4


class Scale(Struct, frozen=True):
    """From values to per cent of the width, linear or by their logarithm; what is outside is at the edge."""

    low: float
    high: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value."""
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(max(value, self.low))
        return 100 * min(max((at - low) / ((high - low) or 1.0), 0.0), 1.0)


def alternate(number: int, count: int) -> str:
    """Every second tick of many is left out on a narrow screen."""
    return ' class="alternate"' if number % 2 and count > FEW_TICKS else ""
