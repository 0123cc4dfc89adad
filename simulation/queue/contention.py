"""Dispatchers that contend for a task."""

import numpy as np

from soak.schemas.stream.block import Ints
from soak.schemas.stream.events import KEY_SHIFT
from soak.schemas.systems.queue.settings import Queue
from soak.simulation.streams import BLOCK, Stream

_MOST_KEPT = 64


class Contention:
    """How many other dispatchers pick the same task within the claim time of the one that gets it.

    Polls of dispatchers are independent and uniform in the poll interval, so their number is binomial.
    """

    def __init__(self, queue: Queue, seed: int) -> None:
        self._queue = queue
        self._stream = Stream(seed, "contention")
        self._counts: dict[tuple[int, int], list[int]] = {}

    def rivals(self, number: int, attempt: int) -> int:
        """Of an attempt (from 1) at a task."""
        queue = self._queue
        if queue.dispatchers == 1 or not queue.poll_interval_s:
            return 0
        arrival = number >> KEY_SHIFT
        key = (arrival // BLOCK, attempt)
        if key not in self._counts:
            if len(self._counts) >= _MOST_KEPT:
                self._counts.pop(next(iter(self._counts)))
            self._counts[key] = self.of_block(*key).tolist()
        return self._counts[key][arrival % BLOCK]

    def of_block(self, block: int, attempt: int) -> Ints:
        """The same of an attempt at each of BLOCK tasks."""
        queue = self._queue
        if queue.dispatchers == 1 or not queue.poll_interval_s:
            return np.zeros(BLOCK, dtype=np.int64)
        share = min(1.0, queue.claim_time_s / queue.poll_interval_s)
        return self._stream.at(block, attempt).binomial(queue.dispatchers - 1, share, BLOCK)
