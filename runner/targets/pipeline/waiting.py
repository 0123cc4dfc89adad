"""How many records wait for each process, wherever they are: what it could have read and has not passed on."""

from soak.runner.targets.pipeline.book import Book
from soak.runner.targets.pipeline.gaps import Gaps
from soak.runner.targets.pipeline.places import CONFIRMED, STRONG, Place, input_of, output_of
from soak.schemas.systems.pipeline.settings import SOURCE, Passes, Pipeline

_BITS = {Passes.ALL: 0, Passes.STRONG: STRONG, Passes.CONFIRMED: CONFIRMED}


class Waiting:
    """By the ledgers before and behind a process; by what the process says itself (`says`) where there is none behind it."""

    def __init__(self, book: Book, places: tuple[Place, ...], pipeline: Pipeline, gaps: Gaps) -> None:
        self._book, self._pipeline, self._gaps = book, pipeline, gaps
        numbers = range(len(pipeline.processes))
        self._before = [input_of(places, pipeline, each) for each in numbers]
        self._behind = [output_of(places, pipeline, each) for each in numbers]
        self.says: dict[int, float] = {}

    def now(self) -> dict[int, float]:
        """By process; without those of which nobody knows."""
        found = {number: self._of(number) for number in range(len(self._before))}
        return {number: value for number, value in found.items() if value is not None}

    def _of(self, number: int) -> float | None:
        process, before, behind = self._pipeline.processes[number], self._before[number], self._behind[number]
        from_source = process.reads == SOURCE
        if behind is None or (before is None and not from_source):
            return self.says.get(number)
        bit = _BITS[process.passes]
        if bit and not self._book.knows_like:
            return self.says.get(number)
        if from_source:
            there = self._book.sent_like(bit) - (self._gaps.gone if not bit else 0)
        else:
            assert before is not None
            tally = self._book.tallies[before.name]
            there = tally.like[bit] if bit else tally.distinct
        return float(max(0, there - self._book.tallies[behind.name].distinct))
