"""The two databases behind one interface: SQL with `?`, rows as tuples, and errors that say whether to try again."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar

Record = tuple[Any, ...]
Statement = tuple[str, tuple[object, ...]]
"""A text with `?`, and its values."""
T = TypeVar("T")
_PROGRESS_STEPS = 50_000


class StoreError(Exception):
    """The database could not do what it was asked to."""


class Connection(Protocol):
    """One connection, used by one thread at a time; each statement is committed by itself outside `begin` and `commit`."""

    for_update: str
    """What a SELECT ends with that reads a row in order to change it."""

    def rows(self, text: str, *values: object) -> list[Record]:
        """The rows of a statement. Raises StoreError."""

    def change(self, text: str, *values: object) -> int:
        """How many rows a statement changed. Raises StoreError."""

    def change_all(self, changes: Sequence[Statement]) -> None:
        """Several statements that do not depend on each other, in one round trip if possible. Raises StoreError."""

    def begin(self) -> None:
        """Begin to write. Raises StoreError."""

    def commit(self) -> None:
        """Write. Raises StoreError."""

    def rollback(self) -> None:
        """Forget what was changed since `begin`; raises nothing."""

    def close(self) -> None:
        """Close it; raises nothing."""

    @property
    def broken(self) -> bool:
        """Whether it cannot be used any more."""


class SqliteConnection:
    """SQLite in WAL mode: readers and one writer at a time, over all processes."""

    for_update = ""

    def __init__(self, path: str, statement_s: float) -> None:
        try:
            self._raw = sqlite3.connect(path, timeout=statement_s, isolation_level=None, check_same_thread=False)
            self._raw.execute("PRAGMA journal_mode=WAL")
            self._raw.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.Error as error:
            raise StoreError(str(error)) from None
        self._statement_s, self._end = statement_s, 0.0
        self._raw.set_progress_handler(self._is_late, _PROGRESS_STEPS)

    def _is_late(self) -> int:
        return int(time.monotonic() > self._end)

    def _run(self, text: str, values: tuple[object, ...]) -> sqlite3.Cursor:
        self._end = time.monotonic() + self._statement_s
        try:
            return self._raw.execute(text, values)
        except sqlite3.Error as error:
            raise StoreError(str(error)) from None

    def rows(self, text: str, *values: object) -> list[Record]:
        """The rows of a statement."""
        cursor = self._run(text, values)
        try:
            return cursor.fetchall()
        except sqlite3.Error as error:
            raise StoreError(str(error)) from None

    def change(self, text: str, *values: object) -> int:
        """How many rows a statement changed."""
        return self._run(text, values).rowcount

    def change_all(self, changes: Sequence[Statement]) -> None:
        """Several statements."""
        for text, values in changes:
            self._run(text, values)

    def begin(self) -> None:
        """Begin to write."""
        self._run("BEGIN IMMEDIATE", ())

    def commit(self) -> None:
        """Write."""
        self._run("COMMIT", ())

    def rollback(self) -> None:
        """Forget what was changed."""
        if self._raw.in_transaction:
            self._raw.rollback()

    def close(self) -> None:
        """Close it."""
        self._raw.close()

    @property
    def broken(self) -> bool:
        """Whether it cannot be used any more."""
        return False


class Database(Protocol):
    """Where connections come from."""

    serial: str
    """How a column is declared that numbers its rows."""

    def connect(self) -> Connection:
        """A new connection. Raises StoreError."""


class Sqlite:
    """A file."""

    serial = "INTEGER PRIMARY KEY AUTOINCREMENT"

    def __init__(self, path: str, statement_s: float) -> None:
        self._path, self._statement_s = path, statement_s

    def connect(self) -> Connection:
        """A new connection."""
        return SqliteConnection(self._path, self._statement_s)


def open_database(url: str, statement_s: float) -> Database:
    """The database of a URL, `sqlite:///PATH` or `postgresql://…`; nothing is connected yet."""
    if url.startswith("sqlite:///"):
        return Sqlite(url.removeprefix("sqlite:///"), statement_s)
    from soak.systems.gateway.postgres import Postgres

    return Postgres(url, statement_s)


@cache
def percent_style(text: str) -> str:
    """A statement as psycopg has it, with `%s` for each value."""
    return text.replace("%", "%%").replace("?", "%s")


def transaction(connection: Connection, work: Callable[[], T]) -> T:
    """What `work` gives, committed; nothing of it when it fails. Raises StoreError."""
    connection.begin()
    try:
        result = work()
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return result
