"""Random choices of one seed, made so that features come in few or in many, and times coincide."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

SECONDS = (0.5, 1, 1, 2, 5, 10, 30, 60)
"""Times are often multiples of one of these."""
LEVELS = (0.1, 0.3, 0.6)
"""How much of the language a scenario uses: with few features at a time their combinations are easier to see."""


class Dice:
    """Choices drawn from a seed; the same on every machine."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._level = self.pick(*LEVELS)
        self._grid_s = float(self.pick(*SECONDS))
        self._coincide = self.pick(0.0, 0.6, 0.95)
        self._seen_s: list[float] = []

    def chance(self, share: float) -> bool:
        """Whether something of this probability takes place."""
        return self._random.random() < share

    def wants(self, often: float = 1.0) -> bool:
        """Whether the scenario uses a feature; `often`: how much more than others."""
        return self.chance(min(1.0, often * self._level))

    def pick(self, *options: T) -> T:
        """One of them."""
        return options[int(self._random.random() * len(options))]

    def some(self, options: Sequence[T], most: int) -> list[T]:
        """From 1 to `most` different ones, in any order."""
        rest, count = list(options), self.whole(1, min(most, len(options)))
        return [rest.pop(self.whole(0, len(rest) - 1)) for _ in range(count)]

    def whole(self, low: int, high: int) -> int:
        """A whole number, both bounds included."""
        return low + int(self._random.random() * (high - low + 1))

    def between(self, low: float, high: float) -> float:
        """A number; its logarithm is uniform where both bounds are above 0."""
        part = self._random.random()
        return low * (high / low) ** part if low > 0 else low + part * (high - low)

    def time_s(self, low_s: float, high_s: float) -> float:
        """A time in milliseconds: of many scenarios one that another has, or a multiple of what others are multiples of."""
        if self.chance(self._coincide):
            again = [each for each in self._seen_s if low_s <= each <= high_s]
            if again and self.chance(0.7):
                return self.pick(*again)
            steps = int(high_s / self._grid_s)
            if steps and steps * self._grid_s >= low_s:
                first = max(1, -int(-low_s // self._grid_s))
                return self.keep(self.whole(first, min(steps, first + 20)) * self._grid_s)
        return self.keep(min(high_s, max(low_s, round(self.between(low_s, high_s), 3))))

    def keep(self, value_s: float) -> float:
        """A time that others may be equal to."""
        self._seen_s.append(value_s)
        return value_s

    def time(self, low_s: float, high_s: float) -> str:
        """The same as a scenario writes it."""
        return seconds(self.time_s(low_s, high_s))

    def share(self, low: float = 0.0, high: float = 1.0) -> str:
        """A percentage."""
        return f"{round(100 * (low + self._random.random() * (high - low)), 2):g}%"


def seconds(value_s: float) -> str:
    """A duration as a scenario writes it."""
    return f"{value_s:.6f}".rstrip("0").rstrip(".") + "s"


def per_minute(per_s: float) -> str:
    """A rate as a scenario writes it."""
    return f"{60 * per_s:.9f}".rstrip("0").rstrip(".") + "/min"
