"""Ledgers that others write, followed as they grow: lines of a file, or rows of a query."""

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
from msgspec import Struct

from soak.runner.targets.pipeline.keys import Keys
from soak.schemas.errors import SoakError, quoted
from soak.schemas.stream.block import Bools, Floats
from soak.schemas.target.model import Ledger, TimeFormat

_AT_ONCE_BYTES = 4 << 20
_HEAD_BYTES = 64
_LONGEST_LINE_BYTES = 16 << 20
_AT_ONCE_ROWS = 20_000
_PATIENCE_S = 5.0
_PRIMARY = 0xFF
_UNREADABLE = (ValueError, TypeError, OverflowError)
"""Errors of values that are not what a target file says: half a date, a key that is not a whole number."""

_LATER = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR}
"""Results of SQLite after which the same may succeed."""

_LATEST_S = 1e11
"""Some thousand years from now: later times are written in another unit, or are rubbish."""

AFTER = "{after}"
POSITION = "position"
"""The column of a query by which `{after}` counts."""

_PER_S = {
    TimeFormat.SECONDS: 1.0,
    TimeFormat.MILLISECONDS: 1e3,
    TimeFormat.MICROSECONDS: 1e6,
    TimeFormat.NANOSECONDS: 1e9,
}


class LedgerError(SoakError):
    """A ledger is not as the target file says."""


class Rows(Struct, frozen=True):
    """Records that were read. Times in seconds since 1970; None: the ledger does not say.

    last: where a row stands for all keys from `keys` to there.
    """

    keys: Keys
    last: Keys | None
    at: Floats | None
    sent: Floats | None
    kind: Sequence[str] | None
    strong: Bools | None
    confirm: Bools | None
    low_consistency: Bools | None

    def __len__(self) -> int:
        return len(self.keys)


class Tail(Protocol):
    """Follows a ledger. `position`: where it goes on, so that another one can go on there."""

    position: int | str
    damaged: int

    def read(self) -> Rows | None:
        """What is new, at most a few MB of it; None if there is nothing."""

    def close(self) -> None:
        """Let go of it."""


def tail_of(ledger: Ledger, position: int | str | None = None) -> Tail:
    """The tail of a ledger of a target file, from its beginning or from the position of an earlier one."""
    return JsonLines(ledger, int(position or 0)) if ledger.jsonl is not None else SqlRows(ledger, position)


_VALUES = ("at", "sent", "kind", "strong", "confirm", "low_consistency")


class JsonLines:
    """Whole lines of a file that others append to; half a line waits for its rest. damaged: lines that could not be read.

    Where another file has its name, or all of it was written anew, it goes on at the beginning of that.
    """

    def __init__(self, ledger: Ledger, offset: int) -> None:
        assert ledger.jsonl is not None
        self._path = Path(ledger.jsonl)
        self._ledger = ledger
        self.position: int | str = offset
        self.damaged = 0
        self._file = -1
        self._head = b""
        self._line = _line_type(ledger)
        self._lines = msgspec.json.Decoder(self._line)

    def read(self) -> Rows | None:
        """See `Tail`."""
        if not (self._file >= 0 or self._open()):
            return None
        offset = int(self.position)
        size = _AT_ONCE_BYTES
        chunk = os.pread(self._file, size, offset)
        while (end := chunk.rfind(b"\n") + 1) == 0 and len(chunk) == size:
            if size >= _LONGEST_LINE_BYTES:
                self.position = offset + size
                self.damaged += 1
                return None
            size *= 2
            chunk = os.pread(self._file, size, offset)
        if not end:
            self._look_for_another(offset, half=bool(chunk))
            return None
        self._head = self._head or _head_of(chunk)
        self.position = offset + end
        return self._readable(self._decoded(chunk[:end]))

    def _look_for_another(self, offset: int, *, half: bool) -> None:
        """Everything was read: go on with what has taken the place of the file since, if something has."""
        own = os.fstat(self._file)
        try:
            named = self._path.stat()
        except OSError:
            return
        if (named.st_ino, named.st_dev) != (own.st_ino, own.st_dev):
            # The one that writes it may still have the old one open while the new one is empty.
            if named.st_size:
                self.damaged += half
                self.close()
                self.position, self._head = 0, b""
        elif own.st_size < offset and os.pread(self._file, len(self._head), 0) != self._head:
            # What was only cut at its end is written again up to where it was.
            self.position, self._head = 0, b""

    def _readable(self, found: list[Any]) -> Rows | None:
        try:
            return self._rows(found) if found else None
        except _UNREADABLE:
            fine = [each for each in found if _is_fine(self._rows, [each])]
            self.damaged += len(found) - len(fine)
            return self._rows(fine) if fine else None

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> bool:
        try:
            self._file = os.open(self._path, os.O_RDONLY)
            self._head = _head_of(os.pread(self._file, _HEAD_BYTES, 0)) if self.position else b""
        except OSError:
            return False
        return True

    def _decoded(self, text: bytes) -> list[Any]:
        try:
            return self._lines.decode_lines(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            found = []
            for line in text.splitlines():
                try:
                    found.append(self._lines.decode(line))
                except (msgspec.MsgspecError, ValueError, RecursionError):
                    self.damaged += bool(line.strip())
            return found

    def _rows(self, found: list[Any]) -> Rows:
        ledger = self._ledger
        return Rows(
            keys=_keys([each.key for each in found]),
            last=_keys([each.last for each in found]) if ledger.last is not None else None,
            at=_times([each.at for each in found], ledger.time) if ledger.at else None,
            sent=_times([each.sent for each in found], ledger.time) if ledger.sent else None,
            kind=[each.kind for each in found] if ledger.kind else None,
            strong=_flags([each.strong for each in found]) if ledger.strong else None,
            confirm=_flags([each.confirm for each in found]) if ledger.confirm else None,
            low_consistency=_flags([each.low_consistency for each in found]) if ledger.low_consistency else None,
        )


def _head_of(content: bytes) -> bytes:
    """The beginning of the first line, by which a file is known."""
    return content[:_HEAD_BYTES].partition(b"\n")[0]


def _line_type(ledger: Ledger) -> type[msgspec.Struct]:
    """The type of a line: the fields that the target file names, and no others."""
    key = ledger.first if ledger.first is not None else ledger.key
    fields: list[tuple[str, Any, Any]] = [("key", int | str, msgspec.field(name=key))]
    if ledger.last is not None:
        fields.append(("last", int | str, msgspec.field(name=ledger.last)))
    types: dict[str, Any] = {"at": float | str, "sent": float | str, "kind": str}
    fields += [
        (name, types.get(name, bool | int | None), msgspec.field(name=called))
        for name in _VALUES
        if (called := getattr(ledger, name)) is not None
    ]
    return msgspec.defstruct("Line", fields, gc=False)


class SqlRows:
    """Rows of a query on an SQLite database, which is opened for reading only. A locked one is read later."""

    def __init__(self, ledger: Ledger, position: int | str | None) -> None:
        assert ledger.sqlite is not None
        self._path = Path(ledger.sqlite)
        self._ledger = ledger
        self.position: int | str = -1 if position is None else position
        self.damaged = 0
        self._database: sqlite3.Connection | None = None
        self._counts = AFTER not in ledger.query
        self._counted = () if self._counts else (POSITION,)
        self.patience_s = _PATIENCE_S
        """How long a query may fail before it counts as wrong."""
        self._failed_s: float | None = None

    def read(self) -> Rows | None:
        """See `Tail`. Raises LedgerError for a query that the database refuses, and for what is not one."""
        try:
            if self._database is None:
                if not self._path.exists():
                    return None
                self._database = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)
            cursor = self._database.execute(*self._query())
            names = [each[0] for each in cursor.description or ()]
            rows = cursor.fetchmany(_AT_ONCE_ROWS)
            cursor.close()
        except sqlite3.Error as error:
            if self._may_pass(error):
                return None
            refused = isinstance(error, sqlite3.OperationalError | sqlite3.ProgrammingError)
            remedy = "correct the query in the target file" if refused else "the database is damaged, or none"
            raise LedgerError(f"{self._path.name}: {error} ({remedy})") from None
        self._failed_s = None
        return self._readable(names, rows) if rows else None

    def _may_pass(self, error: sqlite3.Error) -> bool:
        """Whether a database may answer later: it is locked, or its tables may still be made."""
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY in _LATER:
            return True
        self._failed_s = time.monotonic() if self._failed_s is None else self._failed_s
        return time.monotonic() - self._failed_s < self.patience_s

    def _query(self) -> tuple[str, tuple[int | str, ...]]:
        if self._counts:
            return f"SELECT * FROM ({self._ledger.query}) LIMIT -1 OFFSET ?", (max(0, int(self.position)),)
        return self._ledger.query.replace(AFTER, ":after"), {"after": self.position}  # type: ignore[return-value]

    def _readable(self, names: list[str], rows: list[tuple[Any, ...]]) -> Rows | None:
        """The rows without those that cannot be read."""
        ledger = self._ledger
        if missing := [name for name in (ledger.key, *_named(ledger), *self._counted) if name not in names]:
            what = f"the query gives no column {missing[0]!r}"
            raise LedgerError(f"{self._path.name}: {what} (it gives {', '.join(names)})")
        self._move(dict(zip(names, zip(*rows, strict=True), strict=True)), len(rows))
        try:
            return self._rows(names, rows)
        except _UNREADABLE:
            fine = [each for each in rows if _is_fine(self._rows, names, [each])]
            self.damaged += len(rows) - len(fine)
            return self._rows(names, fine) if fine else None

    def _rows(self, names: list[str], rows: list[tuple[Any, ...]]) -> Rows:
        ledger = self._ledger
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        times, flags = ledger.time, columns
        return Rows(
            keys=_keys(list(columns[ledger.key])),
            last=None,
            at=_times(columns[ledger.at], times) if ledger.at else None,
            sent=_times(columns[ledger.sent], times) if ledger.sent else None,
            kind=list(map(str, columns[ledger.kind])) if ledger.kind else None,
            strong=_flags(flags[ledger.strong]) if ledger.strong else None,
            confirm=_flags(flags[ledger.confirm]) if ledger.confirm else None,
            low_consistency=_flags(flags[ledger.low_consistency]) if ledger.low_consistency else None,
        )

    def _move(self, columns: dict[str, tuple[Any, ...]], rows: int) -> None:
        if self._counts:
            self.position = max(0, int(self.position)) + rows
            return
        try:
            self.position = max(each for each in columns[POSITION] if each is not None)
        except _UNREADABLE:
            what = f"{POSITION!r} is not a number, or a text, in every row, so that {AFTER} has nothing to count by"
            raise LedgerError(f"{self._path.name}: {what} (correct the query in the target file)") from None

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()
            self._database = None


def _is_fine(read: Callable[..., Rows], *row: Any) -> bool:
    """Whether a row can be read."""
    try:
        read(*row)
    except _UNREADABLE:
        return False
    return True


def _named(ledger: Ledger) -> list[str]:
    return [called for name in _VALUES if (called := getattr(ledger, name)) is not None]


def _keys(values: list[Any]) -> Keys:
    """Keys of one type: where some are texts, all are."""
    if any(isinstance(each, str) for each in values):
        return [str(each) for each in values]
    return np.array(values, dtype=np.int64)


def _flags(values: Sequence[Any]) -> Bools:
    return np.fromiter((bool(each) for each in values), np.bool_, len(values))


def _iso(value: Any) -> float:
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except (ValueError, OverflowError):
        what = f"a ledger has the time {quoted(str(value))}, which is not ISO 8601"
        raise LedgerError(f"{what} (correct its time: in the target file)") from None


def _times(values: Sequence[Any], form: TimeFormat) -> Floats:
    """Seconds since 1970. Raises ValueError for what is not a time."""
    if form is TimeFormat.ISO or any(isinstance(each, str) for each in values):
        return np.fromiter(map(_iso, values), np.float64, len(values))
    times = np.array(values, dtype=np.float64) / _PER_S[form]
    if not np.abs(times).max(initial=0.0) < _LATEST_S:
        raise ValueError("not a time")
    return times
