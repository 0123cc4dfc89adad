"""Windows of scenario time, single or recurring."""

import math
from collections.abc import Sequence

from msgspec import Struct


class Window(Struct, frozen=True):
    """A half-open interval of scenario time, in seconds."""

    start_s: float
    end_s: float


class Recurrence(Struct, frozen=True):
    """From `at_s` for `for_s`, and again every `every_s` (0: once), `times` times in all (0: until the end)."""

    at_s: float
    for_s: float
    every_s: float = 0.0
    times: int = 0

    def windows(self, until_s: float) -> tuple[Window, ...]:
        """Every occurrence that starts before `until_s`."""
        count = 1 if not self.every_s else max(0, math.ceil((until_s - self.at_s) / self.every_s))
        count = min(count, self.times) if self.times else count
        starts = (self.at_s + index * self.every_s for index in range(count))
        return tuple(Window(start, start + self.for_s) for start in starts if start < until_s)


def common_cycle_s(periods_s: Sequence[float], duration_s: float) -> float:
    """The least common multiple of periods, in seconds; 0 if there is none within half of the run."""
    if not periods_s or not all(periods_s):
        return 0.0
    cycle_s = math.lcm(*(round(each * 1000) for each in periods_s)) / 1000
    return cycle_s if 2 * cycle_s <= duration_s else 0.0
