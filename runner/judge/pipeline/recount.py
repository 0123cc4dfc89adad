"""The figures of records counted again from the record ledger, by other means than in the run: are they those of the stream?"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from soak.runner.judge.recount import Recount
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.pipeline.record_ledger import FILE, SOURCE, LedgerLine, counted_up, unpacked
from soak.schemas.systems.pipeline.settings import Pipeline, pipeline_of

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
_COUNTED = kind_flags(Kind.RECORDS_STORED, *_NUMBERED)

Figure: TypeAlias = tuple[str, int]
"""What is counted, and of which part of the system (-1: the source)."""


class RecordRecount(Recount):
    """Adds up the events of records, and counts the ledger by itself."""

    file = FILE

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self._pipeline = pipeline_of(scenario)
        self._stream: Counter[Figure] = Counter()
        self._lost = False
        self._unread = False
        """Whether a ledger could not be read: sinks are not counted at the end then."""

    def observe(self, block: Block) -> None:
        """See `Recount`."""
        self._lost = self._lost or bool(_WITHOUT[block.kind].any())
        self._unread = self._unread or bool((block.kind == Kind.LEDGER_UNREAD).any())
        for place in np.flatnonzero(_COUNTED[block.kind]).tolist():
            kind, part = Kind(int(block.kind[place])), int(block.worker[place])
            if kind is Kind.RECORDS_STORED:
                self._stream[_STORED, part] += int(block.attempt[place])
            else:
                self._stream[_NUMBERED[kind], part] += round(float(block.value[place]))

    def differences(self, ledger: Path) -> Iterator[str]:
        """See `Recount`. Where events were lost on purpose, nothing can be said."""
        if self._lost:
            return
        counted = _Counts(self._pipeline)
        decode = msgspec.json.Decoder(LedgerLine).decode
        with ledger.open("rb") as file:
            for line in file:
                counted.take(decode(line))
        names = self._pipeline.parts
        for figure, count in sorted(counted.figures().items()):
            if self._unread and figure[0] in _AT_THE_END:
                continue
            if (told := self._stream[figure]) != count and (figure in self._stream or count):
                what, part = figure
                of = f" of {names[part]}" if part >= 0 else ""
                yield f"{what}{of}: {count:,} by the ledger, {told:,} in the stream"


class _Keys:
    """Which keys a ledger holds: flags of small numbers, and a set of all others (texts by their hash)."""

    def __init__(self) -> None:
        self._flags: Bools = np.zeros(1 << 16, dtype=np.bool_)
        self._others: set[int] = set()

    def known(self, keys: Ints) -> Bools:
        """Which keys are there."""
        small = (keys >= 0) & (keys < len(self._flags))
        found: Bools = small & self._flags[np.where(small, keys, 0)]
        for place in np.flatnonzero(~small).tolist() if self._others else ():
            found[place] = int(keys[place]) in self._others
        return found

    def add(self, keys: Ints) -> int:
        """Add keys; returns how many were not there."""
        small = (keys >= 0) & (keys < _MOST_FLAGS)
        chosen = keys if small.all() else keys[small]
        if not (np.diff(chosen) > 0).all():
            chosen = np.unique(chosen)
        if len(chosen) and (least := int(chosen[-1]) + 1) > len(self._flags):
            grown: npt.NDArray[np.bool_] = np.zeros(max(least, 2 * len(self._flags)), dtype=np.bool_)
            grown[: len(self._flags)] = self._flags
            self._flags = grown
        fresh = int((~self._flags[chosen]).sum())
        self._flags[chosen] = True
        before = len(self._others)
        if len(chosen) < len(keys):
            self._others.update(keys[~small].tolist())
        return fresh + len(self._others) - before


_MOST_FLAGS = 1 << 28


class _Counts:
    """Counts the lines of a ledger."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._sinks = {each.name for each in pipeline.sinks}
        self._keys: dict[str, _Keys] = {}
        self._early: list[tuple[LedgerLine, Ints, Bools]] = []
        """Lines with keys that were not sent yet: they are looked at again when all is known."""
        self._has_source = False
        self._counts: Counter[Figure] = Counter()

    def take(self, line: LedgerLine) -> None:
        """Count a line. Raises ValueError for one that cannot be."""
        if line.dropped:
            self._counts[_NUMBERED[Kind.RECORDS_DROPPED], self._pipeline.process(line.of)] += line.dropped
        self._has_source = self._has_source or line.of == SOURCE
        if not line.keys:
            return
        keys = _ids(line)
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

    def _of(self, name: str) -> _Keys:
        return self._keys.setdefault(name, _Keys())

    def _arrive(self, line: LedgerLine, keys: Ints, chosen: Bools) -> None:
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


def _ids(line: LedgerLine) -> Ints:
    """The keys of a line as numbers. Raises ValueError."""
    if isinstance(line.keys[0], str):
        return np.fromiter(map(hash, line.keys), np.int64, len(line.keys))
    return counted_up([int(each) for each in line.keys])
