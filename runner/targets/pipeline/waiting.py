"""How many records wait for each process, wherever they are: what it could have read and has not passed on.

What a process has passed over does not wait: something that came after it was passed on, and it was not.
"""

from collections import deque
from collections.abc import Iterator

import numpy as np

from soak.runner.targets.pipeline.book import Book
from soak.runner.targets.pipeline.places import NEEDS, Place, bits_of, input_of, output_of, shown_by
from soak.schemas.stream.block import Bools, Ints
from soak.schemas.systems.pipeline.settings import SOURCE, Pipeline

PATIENCE = 2
"""Stretches that a record may come later than one that was sent after it."""


class Queue:
    """What waits for a process, by the ledgers before and behind it.

    before: where it is seen what it can read; empty: everything that was sent. behind: where it is seen what it passed on.
    unseen: the processes between these places and this one, whose output nothing shows. like: what a record must be like to be
    passed on by all of them.
    """

    def __init__(
        self, book: Book, before: tuple[Place, ...], behind: tuple[Place, ...], unseen: tuple[int, ...], like: int
    ) -> None:
        self._book, self.behind, self.unseen, self.like = book, behind, unseen, like
        self._before, self._behind = np.uint32(bits_of(before)), np.uint32(bits_of(behind))
        self._reached: deque[int] = deque([-1] * PATIENCE)

    def close(self) -> None:
        """A stretch ends."""
        self._reached.append(self._highest)
        self._reached.popleft()

    def count(self, *, at_once: bool) -> int:
        """How many wait. at_once: without patience for what may still come."""
        after = self._highest if at_once else self._reached[0]
        first = after + 1
        return int(self._unread(np.arange(first, max(first, self._book.sent))).sum())

    def holds(self, numbers: Ints) -> Bools:
        """Which of these records wait, at the end."""
        return self._unread(numbers) & (numbers > self._highest)

    def lacks(self, numbers: Ints) -> Bools:
        """Which of these records could be read, and were not passed on."""
        return self._unread(numbers)

    @property
    def _highest(self) -> int:
        return max(self._book.tallies[each.name].highest for each in self.behind)

    def _unread(self, numbers: Ints) -> Bools:
        held = self._book.held.values[numbers]
        found: Bools = (held & self._behind) == 0
        if self._before:
            found &= (held & self._before) != 0
        if self.like:
            found &= (self._book.like.values[numbers] & self.like) == self.like
        return found


class Waiting:
    """By the ledgers before and behind a process; by what the process says itself (`says`) where there is none behind it."""

    def __init__(self, book: Book, places: tuple[Place, ...], pipeline: Pipeline) -> None:
        self._book, self._pipeline = book, pipeline
        self._queues = {number: self._queue(places, number) for number in range(len(pipeline.processes))}
        self.says: dict[int, float] = {}

    def _queue(self, places: tuple[Place, ...], number: int) -> Queue | None:
        pipeline = self._pipeline
        if (behind := output_of(places, pipeline, number)) is None:
            return None
        like, unseen, upstream = NEEDS[pipeline.processes[number].passes], list[int](), number
        while (before := input_of(places, pipeline, upstream)) is None:
            stream = pipeline.processes[upstream].reads
            writer = pipeline.writer(stream)
            if stream == SOURCE or writer is None or writer in unseen:
                break
            upstream = writer
            unseen.append(writer)
            like |= NEEDS[pipeline.processes[writer].passes]
        return Queue(self._book, shown_by(places, before), shown_by(places, behind), tuple(unseen), like)

    def close(self) -> None:
        """A stretch ends."""
        for queue in filter(None, self._queues.values()):
            queue.close()

    def now(self, *, at_once: bool = False) -> dict[int, float]:
        """By process; without those of which nobody knows. at_once: without patience for what may still come."""
        found = {number: self._of(number, at_once=at_once) for number in self._queues}
        return {number: value for number, value in found.items() if value is not None}

    def _of(self, number: int, *, at_once: bool) -> float | None:
        queue = self._queues[number]
        if queue is None or (queue.like and not self._book.knows_like):
            return self.says.get(number)
        # What an unseen process says that waits for it does not wait for this one.
        elsewhere = sum(self.says.get(each, 0.0) for each in queue.unseen)
        return max(0.0, queue.count(at_once=at_once) - elsewhere)

    def on_the_way(self, stream: str) -> Iterator[tuple[int, Queue]]:
        """The processes through which records get into a stream, the last first, and what waits for them, where that is seen."""
        while (process := self._pipeline.writer(stream)) is not None:
            if (queue := self._queues[process]) is not None:
                yield process, queue
            stream = self._pipeline.processes[process].reads
