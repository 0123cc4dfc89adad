"""Ledgers that others write, followed as they grow: lines of a file, or rows of a query."""

import os
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np

from soak.runner.targets.pipeline.keys import Keys
from soak.schemas.errors import SoakError, quoted
from soak.schemas.stream.block import Bools, Floats
from soak.schemas.target.model import Ledger, TimeFormat

_AT_ONCE_BYTES = 4 << 20
_AT_ONCE_ROWS = 20_000
_PATIENCE_S = 5.0
_PRIMARY = 0xFF
_LATER = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR}
"""Results of SQLite after which the same may succeed."""

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


@dataclass(frozen=True, slots=True)
class Rows:
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
    """Whole lines of a file that others append to; half a line waits for its rest. damaged: lines that could not be read."""

    def __init__(self, ledger: Ledger, offset: int) -> None:
        assert ledger.jsonl is not None
        self._path = Path(ledger.jsonl)
        self._ledger = ledger
        self.position: int | str = offset
        self.damaged = 0
        self._file = -1
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
            size *= 2
            chunk = os.pread(self._file, size, offset)
        if not end:
            return None
        self.position = offset + end
        found = self._decoded(chunk[:end])
        return self._rows(found) if found else None

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> bool:
        try:
            self._file = os.open(self._path, os.O_RDONLY)
        except OSError:
            return False
        return True

    def _decoded(self, text: bytes) -> list[Any]:
        try:
            return self._lines.decode_lines(text)
        except msgspec.MsgspecError:
            found = []
            for line in text.splitlines():
                try:
                    found.append(self._lines.decode(line))
                except msgspec.MsgspecError:
                    self.damaged += 1
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
        """See `Tail`. Raises LedgerError for a query that the database refuses."""
        try:
            if self._database is None:
                if not self._path.exists():
                    return None
                self._database = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)
            cursor = self._database.execute(*self._query())
            names = [each[0] for each in cursor.description]
            rows = cursor.fetchmany(_AT_ONCE_ROWS)
            cursor.close()
        except sqlite3.OperationalError as error:
            if self._may_pass(error):
                return None
            raise LedgerError(f"{self._path.name}: {error} (correct the query in the target file)") from None
        self._failed_s = None
        return self._rows(names, rows) if rows else None

    def _may_pass(self, error: sqlite3.OperationalError) -> bool:
        """Whether a database may answer later: it is locked, or its tables may still be made."""
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY in _LATER:
            return True
        self._failed_s = time.monotonic() if self._failed_s is None else self._failed_s
        return time.monotonic() - self._failed_s < self.patience_s

    def _query(self) -> tuple[str, tuple[int | str, ...]]:
        if self._counts:
            return f"SELECT * FROM ({self._ledger.query}) LIMIT -1 OFFSET ?", (max(0, int(self.position)),)
        return self._ledger.query.replace(AFTER, ":after"), {"after": self.position}  # type: ignore[return-value]

    def _rows(self, names: list[str], rows: list[tuple[Any, ...]]) -> Rows:
        ledger = self._ledger
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        if missing := [name for name in (ledger.key, *_named(ledger), *self._counted) if name not in columns]:
            what = f"the query gives no column {missing[0]!r}"
            raise LedgerError(f"{self._path.name}: {what} (it gives {', '.join(names)})")
        self._moved(columns, len(rows))
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

    def _moved(self, columns: dict[str, tuple[Any, ...]], rows: int) -> None:
        if self._counts:
            self.position = max(0, int(self.position)) + rows
        else:
            self.position = max(columns[POSITION])

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()
            self._database = None


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
    """Seconds since 1970."""
    if form is TimeFormat.ISO or any(isinstance(each, str) for each in values):
        return np.fromiter(map(_iso, values), np.float64, len(values))
    return np.array(values, dtype=np.float64) / _PER_S[form]
