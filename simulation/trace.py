"""Arrivals of a trace: its rows in time order, played faster or slower, thinned or multiplied, once or again and again.

Everything about an arrival is addressed by its number: what is asked for later is read again from where it is in the file, so
that memory stays flat, however long the trace is.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from itertools import count

import numpy as np
from msgspec import Struct

from soak.schemas.errors import UsageError
from soak.schemas.language.trace import Trace
from soak.schemas.stream.block import TICKS_PER_S, Bools, Floats, Ints
from soak.schemas.trace.open_trace import open_trace
from soak.schemas.trace.rows import Rows, together
from soak.schemas.trace.settings import Reading
from soak.schemas.trace.survey import Survey
from soak.simulation.streams import BLOCK, Stream

_PIECES_KEPT, _PARTS_KEPT = 4, 16


class Traced(Struct, frozen=True):
    """Arrivals in order, with the numbers of their kinds and tenants among the trace's names; None without such a column."""

    due_s: Floats
    kind: Ints | None = None
    tenant: Ints | None = None
    service_s: Floats | None = None

    def __len__(self) -> int:
        return len(self.due_s)

    def take(self, index: slice) -> "Traced":
        """The arrivals that a slice selects."""
        columns = (self.kind, self.tenant, self.service_s)
        return Traced(self.due_s[index], *(None if each is None else each[index] for each in columns))  # type: ignore[arg-type]


def _joined(parts: list[Traced]) -> Traced:
    columns = []
    for name in ("due_s", "kind", "tenant", "service_s"):
        values = [getattr(part, name) for part in parts]
        columns.append(None if values[0] is None else np.concatenate(values))
    return Traced(*columns)  # type: ignore[arg-type]


class OrderedRows:
    """The rows of a trace in order of time, in parts: part k has those that come no later than any row of the pieces after k.

    Which rows a part has follows from the survey alone, so that each can be made on its own: from the pieces that reach into it.
    """

    def __init__(self, reading: Reading, seen: Survey) -> None:
        self._file = open_trace(reading, seen.known)
        self._seen = seen
        self._highest = np.maximum.accumulate(seen.until_us)
        self._pieces: OrderedDict[int, Rows] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen.places)

    def part(self, place: int) -> Rows:
        """The rows of a part, by time, and by line where times are equal."""
        seen = self._seen
        last = place + 1 == len(self)
        begin = (int(seen.from_us[place]), int(seen.from_line[place]))
        end = None if last else (int(seen.from_us[place + 1]), int(seen.from_line[place + 1]))
        earliest = int(np.searchsorted(self._highest, begin[0], side="left"))
        reaching = [each for each in range(earliest, place + 1) if seen.until_us[each] >= begin[0]]
        rows = together([self._piece(each) for each in reaching])
        inside = _from(rows, begin)
        if end is not None:
            inside &= ~_from(rows, end)
        if not inside.all():
            rows = rows.take(inside)
        if (np.diff(rows.time_us) < 0).any():
            rows = rows.take(np.lexsort((rows.line, rows.time_us)))
        return rows

    def _piece(self, place: int) -> Rows:
        rows = self._pieces.pop(place, None)
        if rows is None:
            # Without the text of the rows.
            rows = together([self._file.again(self._seen.places[place])])
            if not len(rows) or int(rows.time_us.max()) != int(self._seen.until_us[place]):
                what = f"{self._file.path.name}: has changed since it was looked through"
                raise UsageError(f"{what} (run again, with a file that nothing writes to)")
        self._pieces[place] = rows
        if len(self._pieces) > _PIECES_KEPT:
            self._pieces.popitem(last=False)
        return rows


def _from(rows: Rows, key: tuple[int, int]) -> Bools:
    """The rows from a time and line on."""
    time_us, line = key
    inside: Bools = (rows.time_us > time_us) | ((rows.time_us == time_us) & (rows.line >= line))
    return inside


class TraceArrivals:
    """What arrives before `until_s`, for one seed: without `scale`, the same for every seed."""

    def __init__(self, trace: Trace, seed: int, until_s: float) -> None:
        """Raises UsageError where the file is not there."""
        if not trace.here:
            what = f"{trace.reading.name}: is not here, and the run needs its rows"
            raise UsageError(f"{what} (put the file with the SHA-256 {trace.seen.sha256} beside the scenario)")
        self.trace = trace
        self._until_s = until_s
        self._rows = OrderedRows(trace.reading, trace.seen)
        self._stream = Stream(seed, "trace")
        self._made: OrderedDict[int, Traced] = OrderedDict()
        self._empty: Traced | None = None
        self._starts: list[int] = [0]
        """Arrivals before each part known so far, and before the next one."""

    def blocks(self) -> Iterator[Traced]:
        """All arrivals, BLOCK at a time; the last block is shorter, and may be empty."""
        waiting: list[Traced] = [self._nothing()]
        held = 0
        for number in self._numbers():
            part = self._part(number)
            waiting.append(part)
            held += len(part)
            if held < BLOCK:
                continue
            whole = _joined(waiting)
            for start in range(0, held - BLOCK + 1, BLOCK):
                yield whole.take(slice(start, start + BLOCK))
            waiting = [whole.take(slice(held - held % BLOCK, None))]
            held %= BLOCK
        yield _joined(waiting)

    def within(self) -> Iterator[Traced]:
        """The same up to the end of arrivals."""
        for block in self.blocks():
            inside = int(np.searchsorted(block.due_s, self._until_s, side="left"))
            yield block if inside == len(block) else block.take(slice(0, inside))
            if inside < BLOCK:
                return

    def block(self, block: int) -> Traced:
        """Arrivals block * BLOCK to (block + 1) * BLOCK; fewer at the end of the trace."""
        first, end = block * BLOCK, (block + 1) * BLOCK
        numbers = self._numbers(len(self._starts) - 1)
        while self._starts[-1] < end and (number := next(numbers, None)) is not None:
            self._part(number)
        parts, number = [self._nothing()], bisect_right(self._starts, first) - 1
        while number < len(self._starts) - 1 and self._starts[number] < end:
            part, before = self._part(number), self._starts[number]
            parts.append(part.take(slice(max(0, first - before), max(0, end - before))))
            number += 1
        return _joined(parts)

    def _numbers(self, first: int = 0) -> Iterator[int]:
        """The numbers of the parts that begin in time, those of later turns after those of the first."""
        for number in count(first) if self.trace.repeat else range(first, len(self._rows)):
            turn, place = divmod(number, len(self._rows))
            begin_us = int(self.trace.seen.from_us[place]) - self.trace.origin_us
            if turn * self.trace.round_s + begin_us / self.trace.speed / TICKS_PER_S >= self._until_s:
                return
            yield number

    def _nothing(self) -> Traced:
        if self._empty is None:
            self._empty = self._part(0).take(slice(0, 0))
        return self._empty

    def _part(self, number: int) -> Traced:
        made = self._made.pop(number, None)
        if made is None:
            made = self._make(*divmod(number, len(self._rows)))
            if number + 1 == len(self._starts):
                self._starts.append(self._starts[-1] + len(made))
        self._made[number] = made
        if len(self._made) > _PARTS_KEPT:
            self._made.popitem(last=False)
        return made

    def _make(self, turn: int, place: int) -> Traced:
        """A part of the trace in its turn (0: the first)."""
        trace = self.trace
        rows = self._rows.part(place)
        if trace.origin_us > trace.seen.first_us:
            rows = rows.take(rows.time_us >= trace.origin_us)
        after_us: Floats = (rows.time_us - trace.origin_us).astype(np.float64)
        index = np.arange(len(rows))
        if trace.scale != 1.0:
            after_us, index = self._scaled(rows, after_us, turn, place)
        due_us = np.rint(after_us / trace.speed)
        if turn:
            due_us += np.rint(turn * trace.round_s * TICKS_PER_S)
        columns = (None if each is None else each[index] for each in (rows.kind, rows.tenant, rows.service_s))
        return Traced(due_us / TICKS_PER_S, *columns)  # type: ignore[arg-type]

    def _scaled(self, rows: Rows, after_us: Floats, turn: int, place: int) -> tuple[Floats, Ints]:
        """Times of as many arrivals as `scale` asks for, in order, and the row of each.

        Each row is there floor(scale) times, and once more with the rest as its probability. What is added comes at a random
        time before the next row, so that the rate at each time is scaled, and nothing arrives at the same instant.
        """
        whole = int(self.trace.scale)
        copies = whole + (self._drawn(rows.line, turn, 0) < self.trace.scale - whole)
        index, times = [np.flatnonzero(copies > 0)], [after_us[copies > 0]]
        gap_us = np.diff(np.append(after_us, max(self._end_us(place), after_us[-1]) if len(rows) else 0.0))
        for copy in range(1, whole + 1):
            more = np.flatnonzero(copies > copy)
            index.append(more)
            times.append(after_us[more] + gap_us[more] * self._drawn(rows.line, turn, copy)[more])
        joined = np.concatenate(times)
        order = np.argsort(joined, kind="stable")
        return joined[order], np.concatenate(index)[order]

    def _end_us(self, place: int) -> float:
        """When the row after a part comes, from the start; after the last row, a mean gap later."""
        seen = self.trace.seen
        if place + 1 < len(self._rows):
            return float(seen.from_us[place + 1] - self.trace.origin_us)
        return self.trace.round_s * self.trace.speed * TICKS_PER_S

    def _drawn(self, line: Ints, turn: int, copy: int) -> Floats:
        """A uniform number for each row, addressed by its line."""
        result = np.empty(len(line))
        blocks = line // BLOCK
        for block in np.unique(blocks).tolist():
            inside = blocks == block
            uniform = self._stream.at(block, (turn << 16) | copy).random(BLOCK)
            result[inside] = uniform[line[inside] % BLOCK]
        return result
