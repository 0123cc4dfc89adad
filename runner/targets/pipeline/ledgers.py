"""All ledgers of a run: read as they grow, folded into the flow of records, and kept in the record ledger of the evidence."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from soak.runner.targets.pipeline.book import Seen
from soak.runner.targets.pipeline.dues import Dues
from soak.runner.targets.pipeline.epochs import Epochs
from soak.runner.targets.pipeline.flow import Flow
from soak.runner.targets.pipeline.keys import Keys
from soak.runner.targets.pipeline.places import CONFIRMED, LOW, STRONG, Place
from soak.runner.targets.pipeline.readable import Readable
from soak.runner.targets.pipeline.tails import Rows, Tail, tail_of
from soak.schemas.errors import writing
from soak.schemas.stream.block import Ints
from soak.schemas.stream.events import KEY_SHIFT
from soak.schemas.systems.pipeline.record_ledger import (
    FILE,
    SOURCE,
    LedgerLine,
    counted_up,
    counting_runs,
    level_runs,
    levels,
    packed,
    seconds,
    ticks,
    unpacked,
)
from soak.schemas.target.model import Ledger
from soak.simulation.pipeline.content import Content
from soak.simulation.plan import Plan

_MOST_AT_ONCE = 50
"""Reads of one ledger in a row: others must not wait for one that has grown by much."""


class Ledgers:
    """The ledgers of places, and that of the source (None: what arrives was sent). ours: the records are those of the plan."""

    def __init__(
        self, plan: Plan, flow: Flow, source: Ledger | None, epochs: Epochs, directory: Path, *, ours: bool
    ) -> None:
        self._plan, self._flow, self._epochs, self._ours = plan, flow, epochs, ours
        flow.knows_sent = source is not None
        self._content, self._dues = Content(plan), Dues(plan)
        self._places = {place.name: place for place in flow.places}
        self._known = {SOURCE: source, **{place.name: place.ledger for place in flow.places}}
        self._tails: dict[str, Tail] = {}
        self.readable = Readable({k: each for k, each in self._known.items() if each}, self._tails, epochs)
        self._path = directory / FILE
        self._file = -1
        self._fresh: dict[str, list[Seen]] = {}
        self._dropped: dict[str, int] = {}
        self.on_rows: Callable[[Place, Seen], None] | None = None
        """Called with what is read of a place."""
        self._labels = {label.kind: number for number, label in enumerate(plan.vocabulary.labels)}

    def open(self, positions: Mapping[str, int | str]) -> None:
        """Begin to follow: each from a position, or from its beginning. Raises OutputError."""
        for name, ledger in self._known.items():
            if ledger is not None:
                self._tails[name] = tail_of(ledger, positions.get(name))
        with writing(self._path):
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def unread(self) -> list[int]:
        """At the end: of which parts of the system (-1: the source) the ledgers cannot be judged by. It is said why."""
        expected = frozenset({SOURCE, *(place.name for place in self._flow.places if self._flow.expects(place))})
        names = self.readable.unread(expected)
        return [-1 if name == SOURCE else self._places[name].part for name in names]

    def read(self, now_s: float) -> int:
        """Read what is new, up to now; returns how many rows there were. What has no time of its own came now."""
        # A sink is read before the source: what it holds was sent by then.
        found = [(name, rows) for name in reversed(self._tails) for rows in self._rows(name)]
        for name, rows in reversed(found) if SOURCE not in self._tails else _source_first(found):
            self.readable.look(name, rows)
            seen = self._seen(name, rows, now_s)
            self._fresh.setdefault(name, []).append(seen)
            self._take(name, seen)
            if name != SOURCE and self.on_rows is not None:
                self.on_rows(self._places[name], seen)
        return sum(len(rows) for _, rows in found)

    def _rows(self, name: str) -> Iterator[Rows]:
        for _ in range(_MOST_AT_ONCE):
            if (rows := self._tails[name].read()) is None:
                return
            yield rows

    def _take(self, name: str, seen: Seen) -> None:
        if name == SOURCE:
            self._flow.send(seen)
            return
        if self._known[SOURCE] is None:
            sent_s = seen.at_s if seen.sent_s is None else seen.sent_s
            self._flow.send(Seen(seen.keys, sent_s, None, seen.label, seen.like))
        self._flow.arrive(self._places[name], seen)

    def drop(self, process: str, count: int) -> None:
        """A process says that it dropped records."""
        self._dropped[process] = self._dropped.get(process, 0) + count
        self._flow.gaps.drop(count)

    def say_backlog(self, process: int, waiting: float) -> None:
        """A process says how many records wait for it."""
        self._flow.waiting.says[process] = waiting

    @property
    def sees_no_gaps(self) -> bool:
        """Whether no ledger shows what the reader of the source did not get."""
        return self._flow.gaps.reader is None or self._known[SOURCE] is None

    def close(self, until_s: float) -> None:
        """A stretch ends: its events are noted, and its rows are kept. Raises OutputError."""
        lines = [_line(until_s, name, self._fresh.get(name, []), tail.position) for name, tail in self._tails.items()]
        lines += [LedgerLine(until_s, name, dropped=count) for name, count in self._dropped.items()]
        self._fresh, self._dropped = {}, {}
        with writing(self._path):
            text = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
            while text:
                text = text[os.write(self._file, text) :]
        self._flow.close(until_s)

    # Of a run that goes on.

    def restore(self, until_s: float) -> dict[str, int | str]:
        """Go through the record ledger up to a time, without noting anything, and cut it there; returns the positions reached.

        Raises OSError, and ValueError for a damaged one.
        """
        positions: dict[str, int | str] = {}
        end_s, kept = 0.0, 0
        decode = msgspec.json.Decoder(LedgerLine).decode
        with self._path.open("rb") as file:
            for text in file:
                line = decode(text) if text.endswith(b"\n") else None
                if line is None or line.until > until_s:
                    break
                if line.until > end_s:
                    self._flow.close(end_s) if end_s else None
                    end_s = line.until
                self._again(line, positions)
                kept += len(text)
        if end_s:
            self._flow.close(end_s)
        os.truncate(self._path, kept)
        return positions

    def _again(self, line: LedgerLine, positions: dict[str, int | str]) -> None:
        if line.position is not None:
            positions[line.of] = line.position
        if line.dropped:
            self._flow.gaps.drop(line.dropped)
        if line.keys:
            seen = _seen_again(line)
            self.readable.count(line.of, len(seen))
            self._take(line.of, self._told_by_plan(seen) if line.of == SOURCE and self._ours else seen)

    # Rows in scenario time.

    def _seen(self, name: str, rows: Rows, now_s: float) -> Seen:
        at_s = np.full(len(rows), now_s) if rows.at is None else np.minimum(self._epochs.scenario(rows.at), now_s)
        at_s = seconds(ticks(at_s))
        keys = rows.keys
        sent_s = None if rows.sent is None else seconds(ticks(self._epochs.scenario(rows.sent)))
        label = None
        if rows.kind is not None:
            label = np.fromiter((self._labels.get(each, -1) for each in rows.kind), np.int64, len(rows))
        if rows.last is not None:
            counts = np.asarray(rows.last, dtype=np.int64) - np.asarray(keys, dtype=np.int64) + 1
            runs = np.column_stack([np.asarray(keys, dtype=np.int64), counts]).ravel()
            keys, at_s = counted_up(runs.tolist()), np.repeat(at_s, counts)
            label = None if label is None else np.repeat(label, counts)
        seen = Seen(keys, at_s, sent_s, label, _like(rows))
        return self._told_by_plan(seen) if name == SOURCE and self._ours else seen

    def _told_by_plan(self, seen: Seen) -> Seen:
        """Records of the plan: their keys are the numbers of its arrivals."""
        arrival = np.asarray(seen.keys, dtype=np.int64)
        number, due_s = arrival << KEY_SHIFT, self._dues.of(arrival, seen.at_s)
        if len(arrival):
            self._flow.note_late(float((seen.at_s - due_s).max()))
        # Their shares are those of the time at which they were due.
        records = self._content.of(number, due_s)
        like = records.strong * STRONG + records.low_consistency * LOW + records.confirmed * CONFIRMED
        return Seen(seen.keys, seen.at_s, seen.sent_s, self._plan.labels_of(number), like)

    def close_files(self) -> None:
        """Let go of all files."""
        for tail in self._tails.values():
            tail.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _source_first(found: list[tuple[str, Rows]]) -> list[tuple[str, Rows]]:
    return sorted(found, key=lambda each: each[0] != SOURCE)


def _like(rows: Rows) -> Ints | None:
    """What records are like, as bits. A record is confirmed where it is strong and not of low consistency."""
    strong, low, confirm = rows.strong, rows.low_consistency, rows.confirm
    if strong is None and low is None and confirm is None:
        return None
    if confirm is None and strong is not None and low is not None:
        confirm = strong & ~low
    none = np.zeros(len(rows), dtype=np.bool_)
    found = [none if each is None else each for each in (strong, low, confirm)]
    like: Ints = found[0] * STRONG + found[1] * LOW + found[2] * CONFIRMED
    return like


def _line(until_s: float, name: str, fresh: list[Seen], position: int | str) -> LedgerLine:
    if not fresh:
        return LedgerLine(until_s, name, position=position)
    keys = _joined([each.keys for each in fresh])
    at_s = np.concatenate([each.at_s for each in fresh])
    extra: dict[str, Any] = {}
    if name != SOURCE and fresh[0].label is not None:
        extra["label"] = level_runs(np.concatenate([each.label for each in fresh if each.label is not None]))
    if fresh[0].sent_s is not None:
        extra["sent"] = level_runs(ticks(np.concatenate([each.sent_s for each in fresh if each.sent_s is not None])))
    if name != SOURCE and fresh[0].like is not None:
        like = np.concatenate([each.like for each in fresh if each.like is not None])
        bits = {"strong": STRONG, "confirm": CONFIRMED, "low_consistency": LOW}
        extra |= {called: packed((like & bit) > 0) for called, bit in bits.items()}
    told: list[int | str] = [*(counting_runs(keys) if isinstance(keys, np.ndarray) else keys)]
    return LedgerLine(until_s, name, told, level_runs(ticks(at_s)), **extra, position=position)


def _joined(parts: list[Keys]) -> Ints | list[str]:
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate([np.asarray(part) for part in parts])
    return [str(key) for part in parts for key in part]


def _seen_again(line: LedgerLine) -> Seen:
    """The rows of a line. Raises ValueError."""
    texts = isinstance(line.keys[0], str)
    keys: Keys = [str(each) for each in line.keys] if texts else counted_up([int(each) for each in line.keys])
    count = len(keys)
    like = None
    if line.strong:
        bits = ((line.strong, STRONG), (line.confirm, CONFIRMED), (line.low_consistency, LOW))
        like = np.sum([unpacked(text, count) * bit for text, bit in bits], axis=0)
    return Seen(
        keys,
        seconds(levels(line.at)),
        seconds(levels(line.sent)) if line.sent else None,
        levels(line.label) if line.label else None,
        like,
    )
