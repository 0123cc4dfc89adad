"""Scheduled actions: the single thread of a real run waits for the next one, or for input."""

import heapq
import math
from collections.abc import Callable
from itertools import count


class Agenda:
    """Actions by scenario time; those of the same time keep their order of insertion."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, t_s: float, action: Callable[[], None]) -> None:
        """Do `action` at `t_s`, or as soon as possible after it."""
        heapq.heappush(self._heap, (t_s, next(self._order), action))

    @property
    def next_s(self) -> float:
        """When the next action is due; infinite without any."""
        return self._heap[0][0] if self._heap else math.inf

    def run(self, now_s: float) -> None:
        """Do everything that is due by `now_s`."""
        while self._heap and self._heap[0][0] <= now_s:
            heapq.heappop(self._heap)[2]()
