"""Records that the reader of the source never passed on: dropped at its full buffer, as it says itself, or missed."""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from soak.runner.targets.pipeline.blame import Blame, Gone
from soak.runner.targets.pipeline.book import Book
from soak.runner.targets.pipeline.places import Place, bits_of, shown_by
from soak.runner.targets.pipeline.waiting import PATIENCE
from soak.schemas.stream.events import Kind

Note = Callable[..., Any]


class Gaps:
    """reader: where it is seen what the reader of the source has passed on; None: nowhere, and nothing is known to be missing.

    Where that is a sink, the other sinks of its stream show it as well. process: the number of the reader. parts: its name, and
    those of the sinks that it writes.
    """

    def __init__(
        self,
        book: Book,
        blame: Blame,
        reader: Place | None,
        process: int,
        places: tuple[Place, ...],
        parts: frozenset[str],
    ) -> None:
        self._parts = parts
        self._book, self._blame, self.reader, self._process = book, blame, reader, process
        self._shown = shown_by(places, reader)
        self._reached: deque[int] = deque([0] * PATIENCE)
        self._looked = 0
        self._told = False
        self._unmatched = 0
        """Records that are said to be dropped and were not found to be missing yet."""
        self.dropped = 0

    @property
    def bits(self) -> int:
        """The bits of the places that show what the reader has passed on; 0 without any."""
        return bits_of(self._shown)

    def drop(self, count: int) -> None:
        """The reader says that it dropped records."""
        self._unmatched += count
        self.dropped += count

    def close(self, until_s: float, note: Note, *, at_once: bool = False, tells: bool = True) -> None:
        """Note what is missing by now of what was sent before something that has arrived since.

        tells: whether it is known what was sent; the first time, that is noted with 0 missing.
        """
        if self.reader is None:
            return
        highest = max(self._book.tallies[each.name].highest for each in self._shown)
        if tells and not self._told and highest >= 0:
            self._told = True
            note(until_s, Kind.RECORDS_MISSED, worker=self._process, value=0)
        self._reached.append(highest)
        last = highest if at_once else self._reached.popleft()
        if last <= self._looked:
            return
        missing = self._book.absent(self.bits, self._looked, last, 0)
        self._looked = last
        dropped = min(self._unmatched, len(missing))
        self._unmatched -= dropped
        missed = missing[dropped:]
        gone = Gone(
            self._shown,
            self._book.sent_s.values[missed],
            self._book.passed_over_s(self._shown, missed),
            self._parts,
            of_source=True,
        )
        causes, counts = np.unique(self._blame.of(gone), return_counts=True)
        for cause, count in zip(causes.tolist(), counts.tolist(), strict=True):
            note(until_s, Kind.RECORDS_MISSED, worker=self._process, cause=cause, value=count)
