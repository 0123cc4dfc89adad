"""Follows the signals of a sink, as readers downstream do."""

import sqlite3
from pathlib import Path
from typing import Protocol

from soak.systems.pipeline.records import Signal, decode_signal
from soak.systems.pipeline.sinks import TABLE
from soak.systems.pipeline.spool import LineReader

_ROWS = 2000


class Tail(Protocol):
    """Reads signals in the order stored, from a position."""

    position: int

    def close(self) -> None:
        """Read no more."""
        ...

    def read(self) -> list[Signal]:
        """The next ones; none if there is nothing new."""
        ...

    def waiting(self) -> int:
        """How many there are that were not read."""
        ...


class JsonlTail:
    """Lines; the position is in bytes."""

    def __init__(self, path: Path, position: int = 0) -> None:
        self._reader = LineReader(path, position)

    @property
    def position(self) -> int:
        """Where it goes on."""
        return self._reader.offset

    @position.setter
    def position(self, offset: int) -> None:
        self._reader.offset = offset

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def read(self) -> list[Signal]:
        """The next ones; none if there is nothing new."""
        return [decode_signal(line) for line in self._reader.read()]

    def waiting(self) -> int:
        """How many there are that were not read."""
        return self._reader.waiting()


class SqliteTail:
    """Rows; the position is a row's number."""

    def __init__(self, path: Path, position: int = 0) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self.position = position

    def close(self) -> None:
        """Close the database."""
        if self._database:
            self._database.close()
            self._database = None

    def read(self) -> list[Signal]:
        """The next ones; none if there is nothing new, or the table is not there yet."""
        rows = self._rows(
            "SELECT rowid, seq, sent, at, symbol, strong, confirm, low_consistency"
            f" FROM {TABLE} WHERE rowid > ? ORDER BY rowid LIMIT {_ROWS}"
        )
        if rows:
            self.position = rows[-1][0]
        return [Signal(r[1], r[2], r[3], r[4], bool(r[5]), bool(r[6]), bool(r[7]), 0) for r in rows]

    def waiting(self) -> int:
        """How many there are that were not read."""
        rows = self._rows(f"SELECT COALESCE(MAX(rowid), 0) - ? FROM {TABLE}")
        return max(0, int(rows[0][0])) if rows else 0

    def _rows(self, query: str) -> list[tuple[int, int, float, float, str, int, int, int]]:
        try:
            if self._database is None:
                if not self._path.exists():
                    return []
                self._database = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.1)
            return self._database.execute(query, (self.position,)).fetchall()
        except sqlite3.OperationalError:
            return []


def tail_of(sink: str, directory: Path, position: int = 0) -> Tail:
    """The tail of a sink by its name."""
    if sink == "jsonl":
        return JsonlTail(directory / "signals.jsonl", position)
    return SqliteTail(directory / "signals.db", position)
