"""One connection to the store: transactions that take the write lock at once, errors with names, and the event log."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Self

from soak.systems.orchestrator import defects, schema
from soak.systems.orchestrator.defects import Defect
from soak.systems.orchestrator.model import EventType, Task, TaskState
from soak.systems.orchestrator.settings import Settings

Value = str | int | float | None
Row = tuple[Value, ...]

_COLUMNS = ", ".join(field.name for field in fields(Task))
_BUSY_CODES = {
    sqlite3.SQLITE_BUSY: "the database is busy",
    sqlite3.SQLITE_LOCKED: "the database is busy",
    sqlite3.SQLITE_FULL: "the disk is full",
}
_DROPPED_EVERY = 5


class StoreError(Exception):
    """The database cannot be used; the message names the file and says why."""


class BusyError(StoreError):
    """The database was busy for longer than its timeout, or its disk is full: nothing is written, and it may be tried again."""


class Database:
    """A SQLite database in WAL mode. Every change and its event are one transaction."""

    def __init__(self, path: str | Path, settings: Settings) -> None:
        defects.check()
        self.path = str(path)
        self.settings = settings
        self._leaked: list[sqlite3.Connection] = []
        with self._errors():
            self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self.settings.busy_timeout_s, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            schema.prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Give the database back. A closed store cannot be used again."""
        for connection in (self._connection, *self._leaked):
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[float]:
        """Hold the write lock; yields the time, so that events in the order of their ids are in the order of time."""
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield time.time()
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[float]:
        """All reads inside see the same state of the database; yields the time."""
        with self._errors():
            self._connection.execute("BEGIN")
            try:
                yield time.time()
            finally:
                self._connection.execute("ROLLBACK")

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Everything a statement answers, in one of the transactions above or by itself."""
        with self._errors():
            return self._connection.execute(statement, values).fetchall()

    def changed(self, statement: str, values: Sequence[Value] = ()) -> int:
        """How many rows a statement changed."""
        return self._connection.execute(statement, values).rowcount

    def record(
        self,
        now: float,
        event: EventType,
        task: Task,
        *,
        attempt: int | None = None,
        worker: str = "",
        error: str = "",
        due: float | None = None,
    ) -> None:
        """Write an event, in the transaction of the change it tells of."""
        if defects.active(Defect.TELEMETRY_DROPPED) and task.id % _DROPPED_EVERY == 0:
            return
        number = task.attempt if attempt is None else attempt
        self.rows(
            "INSERT INTO events (at, type, task_id, key, attempt, worker, error, due) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (now, event, task.id, task.key, number, worker, error, due),
        )

    def task(self, task_id: int) -> Task | None:
        """A task, if there is one of this number."""
        return next(iter(self.tasks_where("id = ?", (task_id,))), None)

    def tasks_where(self, condition: str, values: Sequence[Value] = ()) -> list[Task]:
        """The tasks that a condition in SQL holds for."""
        return [task_of(row) for row in self.rows(f"SELECT {_COLUMNS} FROM tasks WHERE {condition}", values)]

    def leak_connection(self) -> None:
        """Open a connection and forget it: the planted defect `connection_leak`."""
        self._leaked.append(self._open())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _named(self.path, error) from error


def task_of(row: Row) -> Task:
    """A task from a row in the order of its columns."""
    task_id, key, title, payload, state, *rest = row
    return Task(task_id, key, title, payload, TaskState(str(state)), *rest)  # type: ignore[arg-type]


def _named(path: str, error: sqlite3.Error) -> StoreError:
    # Extended codes, such as "busy: a snapshot is too old", have the plain code in the low byte.
    if why := _BUSY_CODES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF):
        return BusyError(f"{path}: {why}")
    return StoreError(f"{path}: {error}")
