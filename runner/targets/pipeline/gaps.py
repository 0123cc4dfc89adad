"""Records that the reader of the source never passed on: dropped at its full buffer, as it says itself, or missed."""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from soak.runner.targets.pipeline.blame import Blame, Gone
from soak.runner.targets.pipeline.book import Book
from soak.runner.targets.pipeline.places import Place
from soak.runner.targets.pipeline.waiting import PATIENCE
from soak.schemas.stream.events import Kind

Note = Callable[..., Any]


class Gaps:
    """reader: where it is seen what the reader of the source has passed on; None: nowhere, and nothing is known to be missing.

    process: the number of the reader. parts: its name, and those of the sinks that it writes.
    """

    def __init__(self, book: Book, blame: Blame, reader: Place | None, process: int, parts: frozenset[str]) -> None:
        self._parts = parts
        self._book, self._blame, self.reader, self._process = book, blame, reader, process
        self._reached: deque[int] = deque([0] * PATIENCE)
        self._looked = 0
        self._unmatched = 0
        """Records that are said to be dropped and were not found to be missing yet."""
        self.dropped = 0

    def drop(self, count: int) -> None:
        """The reader says that it dropped records."""
        self._unmatched += count
        self.dropped += count

    def close(self, until_s: float, note: Note, *, at_once: bool = False) -> None:
        """Note what is missing by now of what was sent before something that has arrived since."""
        if self.reader is None:
            return
        highest = self._book.tallies[self.reader.name].highest
        self._reached.append(highest)
        last = highest if at_once else self._reached.popleft()
        if last <= self._looked:
            return
        missing = self._book.absent(self.reader, self._looked, last, 0)
        self._looked = last
        dropped = min(self._unmatched, len(missing))
        self._unmatched -= dropped
        missed = missing[dropped:]
        passed_over_s = self._book.passed_over_s(self.reader, missed)
        gone = Gone(self.reader, self._book.sent_s.values[missed], passed_over_s, self._parts, of_source=True)
        causes, counts = np.unique(self._blame.of(gone), return_counts=True)
        for cause, count in zip(causes.tolist(), counts.tolist(), strict=True):
            note(until_s, Kind.RECORDS_MISSED, worker=self._process, cause=cause, value=count)
