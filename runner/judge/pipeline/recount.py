"""The figures of records counted again from the record ledger, by other means than in the run: are they those of the stream?"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np

from soak.runner.judge.pipeline.keys import Keys
from soak.runner.judge.recount import Recount
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.pipeline.record_ledger import FILE, SOURCE, counted_up, unpacked
from soak.schemas.systems.pipeline.settings import Passes, Pipeline, pipeline_of

_NUMBERED = {
    Kind.RECORDS_SENT: "records sent",
    Kind.RECORDS_DUPLICATED: "records stored again",
    Kind.RECORDS_TAKEN: "records taken",
    Kind.RECORDS_DROPPED: "records dropped",
    Kind.ORDERS_PLACED: "orders placed",
    Kind.ORDERS_DUPLICATED: "orders placed again",
    Kind.SINK_TOTAL: "records in the sink at the end",
    Kind.SINK_CONFIRM: "confirmed records in the sink at the end",
    Kind.SINK_STRONG: "strong records in the sink at the end",
}
_AT_THE_END = {_NUMBERED[kind] for kind in (Kind.SINK_TOTAL, Kind.SINK_CONFIRM, Kind.SINK_STRONG)}
_STORED = "records stored"
_WITHOUT = kind_flags(Kind.SAMPLE_LOST)
_WORDS = {
    **_NUMBERED,
    Kind.RECORDS_STORED: _STORED,
    Kind.RECORDS_LOST: "records lost",
    Kind.RECORDS_MISSED: "records missed",
}
_COUNTED = kind_flags(Kind.SAMPLE_BACKLOG, *_WORDS)

_BEFORE = 1 << 16
"""By how much a key may be smaller than the first one that is seen, and is still flagged."""

Figure: TypeAlias = tuple[str, int]
"""What is counted, and of which part of the system (-1: the source)."""


class _Line(msgspec.Struct, gc=False):
    """What is counted of a line of the ledger, see `LedgerLine`: the rest, most of it times, is passed over."""

    of: str
    keys: list[int | str] = []
    strong: str = ""
    confirm: str = ""
    dropped: int = 0


class RecordRecount(Recount):
    """Adds up the events of records, and counts the ledger by itself."""

    file = FILE

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self._pipeline = pipeline_of(scenario)
        self._stream: Counter[Figure] = Counter()
        self._without = self._unread = False
        """Whether events were lost on purpose; whether a ledger could not be read, so that sinks were not counted at the end."""
        self._waiting: dict[int, int] = {}
        """By process, how many records wait for it at the end."""

    def observe(self, block: Block) -> None:
        """See `Recount`."""
        self._without = self._without or bool(_WITHOUT[block.kind].any())
        self._unread = self._unread or bool((block.kind == Kind.LEDGER_UNREAD).any())
        rows = block.take(_COUNTED[block.kind])
        amounts = np.where(rows.kind == Kind.RECORDS_STORED, rows.attempt, np.rint(rows.value)).astype(np.int64)
        for kind in set(rows.kind.tolist()):
            chosen = rows.kind == kind
            amount, parts = amounts[chosen], rows.worker[chosen]
            for part in set(parts.tolist()):
                here = amount[parts == part]
                if kind == Kind.SAMPLE_BACKLOG:
                    self._waiting[part] = int(here[-1])
                else:
                    self._stream[_WORDS[Kind(kind)], part] += int(here.sum())

    def differences(self, ledger: Path) -> Iterator[str]:
        """See `Recount`. Where events were lost on purpose, nothing can be said."""
        if self._without:
            return
        counted = _Counts(self._pipeline)
        decode = msgspec.json.Decoder(_Line).decode
        with ledger.open("rb") as file:
            for line in file:
                counted.take(decode(line))
        figures, told = counted.figures(), self._stream
        absent = {_WORDS[Kind.RECORDS_LOST], _WORDS[Kind.RECORDS_MISSED]}
        for figure in sorted({*figures, *(each for each in told if each[0] not in absent)}):
            if self._unread and figure[0] in _AT_THE_END:
                continue
            if told[figure] != figures[figure]:
                yield f"{self._named(figure)}: {figures[figure]:,} by the ledger, {told[figure]:,} in the stream"
        if not self._unread:
            yield from self._absent(counted)

    def _absent(self, counted: "_Counts") -> Iterator[str]:
        """What never came to the reader of the source, and what came there and to a sink no more: all of it but what waits.

        A process that passes on some records only does not say which: then there are not more than are absent.
        """
        pipeline, reader = self._pipeline, self._pipeline.reader
        shown = counted.shown_by(reader)
        missed = 0 if shown is None else counted.absent(SOURCE, shown)
        yield from self._within((_WORDS[Kind.RECORDS_MISSED], reader), missed, [reader])
        for sink in pipeline.sinks:
            figure = _WORDS[Kind.RECORDS_LOST], pipeline.sink(sink.name)
            # Where the run failed midway, it is not known what is lost.
            if (_WORDS[Kind.SINK_TOTAL], figure[1]) in self._stream:
                way = [each for each in pipeline.way_to(sink.of) if shown is None or each != reader]
                yield from self._within(figure, counted.absent(shown or SOURCE, sink.name), way)

    def _within(self, figure: Figure, most: int, way: list[int]) -> Iterator[str]:
        """Whether a figure is what is absent behind some processes, without what waits for them or was dropped by them."""
        told, least = self._stream[figure], 0
        if all(self._pipeline.processes[each].passes is Passes.ALL for each in way):
            elsewhere = (self._waiting.get(each, 0) + self._stream[_WORDS[Kind.RECORDS_DROPPED], each] for each in way)
            least = max(0, most - sum(elsewhere))
        if not least <= told <= most:
            counted = f"{most:,}" if least == most else f"{least:,} to {most:,}"
            yield f"{self._named(figure)}: {counted} by the ledger, {told:,} in the stream"

    def _named(self, figure: Figure) -> str:
        what, part = figure
        return f"{what} of {self._pipeline.parts[part]}" if part >= 0 else what


class _Counts:
    """Counts the lines of a ledger."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._sinks = {each.name for each in pipeline.sinks}
        self._keys: dict[str, Keys] = {}
        self._seen: set[str] = set()
        """Of which ledgers there are lines, also such without rows."""
        self._early: list[tuple[_Line, Ints, Bools]] = []
        """Lines with keys that were not sent yet: they are looked at again when all is known."""
        self._has_source = False
        self._first = 0
        self._counts: Counter[Figure] = Counter()

    def take(self, line: _Line) -> None:
        """Count a line. Raises ValueError for one that cannot be."""
        if line.dropped:
            self._counts[_NUMBERED[Kind.RECORDS_DROPPED], self._pipeline.process(line.of)] += line.dropped
        self._has_source = self._has_source or line.of == SOURCE
        self._seen.add(line.of)
        if not line.keys:
            return
        keys = _ids(line)
        if not self._keys and not isinstance(line.keys[0], str):
            self._first = int(keys[0])
        if line.of == SOURCE or not self._has_source:
            self._counts[_NUMBERED[Kind.RECORDS_SENT], -1] += self._of(SOURCE).add(keys)
        if line.of != SOURCE:
            known = self._of(SOURCE).known(keys)
            self._arrive(line, keys, known)
            if not known.all():
                self._early.append((line, keys, ~known))

    def figures(self) -> Counter[Figure]:
        """All counts."""
        sent = self._of(SOURCE)
        for line, keys, early in self._early:
            self._arrive(line, keys, early & sent.known(keys))
        self._early = []
        return self._counts

    def shown_by(self, process: int) -> str | None:
        """The ledger that shows what a process passed on: of its stream, or else the first sink of that; None for none."""
        stream = self._pipeline.processes[process].writes
        names = (stream, *(sink.name for sink in self._pipeline.sinks if sink.of == stream))
        return next((name for name in names if name in self._seen), None)

    def absent(self, one: str, other: str) -> int:
        """How many records are in one ledger and not in another one."""
        return self._of(one).without(self._of(other))

    def _of(self, name: str) -> Keys:
        if name not in self._keys:
            self._keys[name] = Keys(self._first - _BEFORE)
        return self._keys[name]

    def _arrive(self, line: _Line, keys: Ints, chosen: Bools) -> None:
        number = int(chosen.sum())
        fresh = self._of(line.of).add(keys if number == len(keys) else keys[chosen])
        if line.of in self._sinks:
            part = self._pipeline.sink(line.of)
            self._counts[_STORED, part] += fresh
            self._counts[_NUMBERED[Kind.RECORDS_DUPLICATED], part] += number - fresh
            self._counts[_NUMBERED[Kind.SINK_TOTAL], part] += number
            for text, kind in ((line.confirm, Kind.SINK_CONFIRM), (line.strong, Kind.SINK_STRONG)):
                if text:
                    self._counts[_NUMBERED[kind], part] += int((unpacked(text, len(keys)) & chosen).sum())
            return
        part = self._writer(line.of)
        placed = part in self._pipeline.places_orders
        self._counts[_NUMBERED[Kind.ORDERS_PLACED if placed else Kind.RECORDS_TAKEN], part] += fresh
        if placed:
            self._counts[_NUMBERED[Kind.ORDERS_DUPLICATED], part] += number - fresh

    def _writer(self, stream: str) -> int:
        part = self._pipeline.writer(stream)
        if part is None:
            raise ValueError(f"no process writes {stream!r}")
        return part


def _ids(line: _Line) -> Ints:
    """The keys of a line as numbers. Raises ValueError."""
    if isinstance(line.keys[0], str):
        return np.fromiter(map(hash, line.keys), np.int64, len(line.keys))
    return counted_up([int(each) for each in line.keys])
