"""The two sinks. Each stores signals and its own position in one step, so that after a kill nothing is missing or there twice.

JSONL: the last whole line has the position. SQLite: rows and position are one transaction.
"""

import json
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from soak.systems.pipeline.records import Signal, encode
from soak.systems.pipeline.settings import Batch
from soak.systems.pipeline.spool import Appender, last_line

TABLE = "signals"
_COLUMNS = "seq, sent, at, symbol, strong, confirm, low_consistency"
_AT_ONCE = 5000


class Sink(ABC):
    """Collects a batch, and stores it."""

    name = ""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self.pending: list[Signal] = []
        self._since_s = 0.0
        self.error = ""
        """Why the last batch could not be stored; empty if it could."""

    @property
    @abstractmethod
    def position(self) -> int:
        """Up to where in `raw.jsonl` it has everything."""

    @abstractmethod
    def _store(self, signals: Sequence[Signal]) -> int:
        """Store signals; how many, from the first. If not all, `error` says why."""

    def offer(self, signals: Sequence[Signal], *, again: bool = False) -> None:
        """Take what is behind its position into the batch; `again`: all."""
        behind = self.pending[-1].input if self.pending else self.position
        fresh = [each for each in signals if again or each.input > behind]
        if fresh and not self.pending:
            self._since_s = time.monotonic()
        self.pending.extend(fresh)

    def due_s(self) -> float:
        """In how many seconds the batch is to be stored; infinity if it is empty."""
        if not self.pending:
            return float("inf")
        if len(self.pending) >= self._batch.rows:
            return 0.0
        return max(0.0, self._since_s + self._batch.every - time.monotonic())

    @abstractmethod
    def close(self) -> None:
        """Nothing more is stored."""

    def flush(self) -> int:
        """Store the batch; how many signals."""
        stored = 0
        self.error = ""
        while self.pending and not self.error:
            done = self._store(self.pending[:_AT_ONCE])
            del self.pending[:done]
            stored += done
        return stored


class JsonlSink(Sink):
    """Lines of a file."""

    name = "jsonl"

    def __init__(self, path: Path, batch: Batch) -> None:
        super().__init__(batch)
        self._spool = Appender(path)
        last = last_line(path)
        self._position = int(json.loads(last)["input"]) if last else 0

    @property
    def position(self) -> int:
        """The last line's."""
        return self._position

    def close(self) -> None:
        """Close the file."""
        self._spool.close()

    def _store(self, signals: Sequence[Signal]) -> int:
        at = round(time.time(), 6)
        done = self._spool.append([_line(signal, at) for signal in signals])
        if done:
            self._position = signals[done - 1].input
        self.error = self._spool.error
        return done


def _line(signal: Signal, at: float) -> bytes:
    s = signal
    return encode(Signal(s.seq, s.sent, at, s.symbol, s.strong, s.confirm, s.low_consistency, s.input)) + b"\n"


class SqliteSink(Sink):
    """Rows of a table. With `ignore`, keys that are there already are left out silently."""

    name = "sqlite"

    def __init__(self, path: Path, batch: Batch, *, ignore: bool = False) -> None:
        super().__init__(batch)
        self._path, self._ignore = path, ignore
        self._database: sqlite3.Connection | None = None
        self._position = 0
        while self._database is None and not self.error:
            self._open()

    @property
    def position(self) -> int:
        """The stored one."""
        return self._position

    def close(self) -> None:
        """Close the database, and put what is in its log into it."""
        if self._database:
            self._database.close()

    def forget_batch(self) -> None:
        """Record the position of the batch, and drop it."""
        if self._database and self.pending:
            self._database.execute("UPDATE position SET input = ?", (self.pending[-1].input,))
            self.pending.clear()

    def _open(self) -> None:
        try:
            database = sqlite3.connect(self._path, timeout=0, isolation_level=None)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            key = "INTEGER NOT NULL UNIQUE" if self._ignore else "INTEGER NOT NULL"
            database.execute("BEGIN IMMEDIATE")
            database.execute(
                f"CREATE TABLE IF NOT EXISTS {TABLE} (seq {key}, sent REAL NOT NULL, at REAL NOT NULL,"
                " symbol TEXT NOT NULL, strong INTEGER NOT NULL, confirm INTEGER NOT NULL, low_consistency INTEGER NOT NULL)"
            )
            database.execute(
                "CREATE TABLE IF NOT EXISTS position (id INTEGER PRIMARY KEY CHECK (id = 1), input INTEGER NOT NULL)"
            )
            database.execute("INSERT OR IGNORE INTO position VALUES (1, 0)")
            database.execute("COMMIT")
            self._position = int(database.execute("SELECT input FROM position").fetchone()[0])
            self._database = database
        except sqlite3.OperationalError as error:
            self.error = str(error)

    def _store(self, signals: Sequence[Signal]) -> int:
        database = self._database
        assert database is not None
        at = round(time.time(), 6)
        rows = [(s.seq, s.sent, at, s.symbol, s.strong, s.confirm, s.low_consistency) for s in signals]
        insert = "INSERT OR IGNORE" if self._ignore else "INSERT"
        try:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(f"{insert} INTO {TABLE} ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            database.execute("UPDATE position SET input = ?", (signals[-1].input,))
            database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self.error = str(error)
            if database.in_transaction:
                database.execute("ROLLBACK")
            return 0
        self._position = signals[-1].input
        return len(signals)
