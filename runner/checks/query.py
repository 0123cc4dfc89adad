"""An SQL query of a check: SQLite by the standard library, PostgreSQL by psycopg where it is installed."""

import contextlib
import importlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from soak.runner.checks.answers import NoAnswerError
from soak.schemas.errors import printable

SQLITE, POSTGRESQL = "sqlite:///", "postgresql://"
_MOST_CELL = 1_000_000
_LOCKED, _CLOSED = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED"}), frozenset({"SQLITE_CANTOPEN", "SQLITE_NOTADB"})


def query(database: str, sql: str, folder: Path, timeout_s: float, *, changes: bool) -> Mapping[str, Any]:
    """The one row of a query, by column; of a statement that changes something, what it returns, if anything.

    changes: whether it may change something; otherwise the database refuses that. Raises NoAnswerError.
    """
    if database.startswith(SQLITE):
        return _sqlite(folder / database.removeprefix(SQLITE), sql, timeout_s, changes=changes)
    if database.startswith(POSTGRESQL):
        return _postgresql(database, sql, timeout_s, changes=changes)
    raise NoAnswerError("connection", "the URL of the database is of another kind")


def _sqlite(path: Path, sql: str, timeout_s: float, *, changes: bool) -> Mapping[str, Any]:
    place = f"file:{quote(str(path.absolute()))}?mode={'rw' if changes else 'ro'}"
    try:
        connection = sqlite3.connect(place, uri=True, timeout=timeout_s, check_same_thread=False)
    except sqlite3.Error as error:
        raise NoAnswerError("connection", f"{path.name}: {error}") from None
    with contextlib.closing(connection), _ended_after(timeout_s, connection.interrupt) as ended:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_CELL)
        try:
            cursor = connection.execute(sql)
            rows = cursor.fetchmany(2)
            names = [column[0] for column in cursor.description or ()]
            connection.commit()
        except (sqlite3.Error, sqlite3.Warning) as error:
            name = getattr(error, "sqlite_errorname", "")
            if ended.is_set() or name in _LOCKED:
                raise NoAnswerError("timeout", printable(str(error))) from None
            raise NoAnswerError("connection" if name in _CLOSED else "query", printable(str(error))) from None
    return _one(names, rows, changes=changes)


@contextmanager
def _ended_after(timeout_s: float, end: Any) -> Iterator[threading.Event]:
    """Call `end` after a time; the event says whether that was done."""
    ended = threading.Event()

    def fire() -> None:
        ended.set()
        end()

    timer = threading.Timer(timeout_s, fire)
    timer.daemon = True
    timer.start()
    try:
        yield ended
    finally:
        timer.cancel()
        timer.join()


def _postgresql(database: str, sql: str, timeout_s: float, *, changes: bool) -> Mapping[str, Any]:
    try:
        psycopg = importlib.import_module("psycopg")
    except ImportError:
        raise NoAnswerError("connection", "psycopg is not installed (pip install 'psycopg[binary]')") from None
    options = f"-c statement_timeout={max(1, round(timeout_s * 1000))}"
    options += "" if changes else " -c default_transaction_read_only=on"
    try:
        with psycopg.connect(database, connect_timeout=max(2, round(timeout_s)), options=options) as connection:
            cursor = connection.execute(sql)
            names = [column.name for column in cursor.description or ()]
            return _one(names, cursor.fetchmany(2) if names else [], changes=changes)
    except psycopg.errors.QueryCanceled as error:
        raise NoAnswerError("timeout", _first_line(error)) from None
    except psycopg.OperationalError as error:
        # It would be asked for a password, or the one it gave is not right.
        tried = error.pgconn
        login = tried is not None and (tried.needs_password or tried.used_password)
        raise NoAnswerError("no_login" if login else "connection", "" if login else _first_line(error)) from None
    except psycopg.Error as error:
        if error.sqlstate is None:
            # Its URL cannot be read; the message may quote a password.
            raise NoAnswerError("connection", "the URL of the database cannot be read") from None
        raise NoAnswerError("query", _first_line(error)) from None


def _first_line(error: Exception) -> str:
    return printable(next(iter(str(error).splitlines()), ""))


def _one(names: list[str], rows: list[Any], *, changes: bool) -> Mapping[str, Any]:
    if changes:
        return dict(zip(names, rows[0], strict=False)) if rows else {}
    if len(rows) != 1:
        raise NoAnswerError(f"not_one_row {'no' if not rows else 'several'}")
    return dict(zip(names, rows[0], strict=True))
