"""Records that the reader of the source never passed on: dropped at its full buffer, as it says itself, or missed."""

from collections import deque
from collections.abc import Callable
from itertools import groupby
from typing import Any

from soak.runner.targets.pipeline.blame import Blame
from soak.runner.targets.pipeline.book import Book
from soak.runner.targets.pipeline.places import Place, PlaceKind
from soak.schemas.stream.events import Kind

_PATIENCE = 2
"""Stretches that a record may come later than one that was sent after it."""

Note = Callable[..., Any]


class Gaps:
    """reader: where it is seen what the reader of the source has passed on; None: nowhere, and nothing is known to be missing.

    Where that is a sink, the other sinks of its stream show it as well.
    """

    def __init__(self, book: Book, blame: Blame, reader: Place | None, process: int, places: tuple[Place, ...]) -> None:
        self._book, self._blame, self.reader, self._process = book, blame, reader, process
        self._shown = tuple(each for each in places if reader is not None and _shows(each, reader))
        self._reached: deque[int] = deque([0] * _PATIENCE)
        self._looked = 0
        self._told = False
        self._unmatched = 0
        """Records that are said to be dropped and were not found to be missing yet."""
        self.gone = 0
        """Records that were passed over."""
        self.dropped = 0

    @property
    def bits(self) -> int:
        """The bits of the places that show what the reader has passed on; 0 without any."""
        return sum(each.bit for each in self._shown)

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
        self.gone += len(missing)
        dropped = min(self._unmatched, len(missing))
        self._unmatched -= dropped
        sent_s = self._book.sent_s.values
        for cause, numbers in groupby(
            missing[dropped:].tolist(), lambda each: self._blame.of_record(float(sent_s[each]))
        ):
            note(until_s, Kind.RECORDS_MISSED, worker=self._process, cause=cause, value=len(list(numbers)))


def _shows(place: Place, reader: Place) -> bool:
    return place is reader or (reader.kind is place.kind is PlaceKind.SINK and place.stream == reader.stream)
