"""The tables of the store. Every index that serves the queue is partial: finished rows cost nothing."""

import sqlite3

from soak.systems.orchestrator import defects
from soak.systems.orchestrator.defects import Defect
from soak.systems.orchestrator.model import TaskState

VERSION = 1

_TABLES = (
    """
    CREATE TABLE tasks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL,
        title TEXT NOT NULL DEFAULT '',
        payload TEXT NOT NULL DEFAULT '',
        state TEXT NOT NULL DEFAULT 'PENDING',
        attempt INTEGER NOT NULL DEFAULT 0,
        owner TEXT,
        lease_until REAL,
        retry_not_before REAL NOT NULL,
        enqueued_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        error TEXT NOT NULL DEFAULT '',
        notes TEXT NOT NULL DEFAULT '',
        tokens INTEGER NOT NULL DEFAULT 0
    )""",
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        type TEXT NOT NULL,
        task_id INTEGER NOT NULL,
        key TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        worker TEXT NOT NULL DEFAULT '',
        error TEXT NOT NULL DEFAULT '',
        due REAL
    )""",
    """
    CREATE TABLE workers (
        name TEXT PRIMARY KEY,
        pid INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'idle',
        task_id INTEGER,
        seen_at REAL NOT NULL
    ) WITHOUT ROWID""",
    "CREATE TABLE counts (state TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID",
)

ACTIVE = "state IN ('PENDING', 'IN_PROGRESS', 'DONE')"
"""A key in one of these states is not taken again. Queries must use these very words, or the index does not serve them."""

_INDEXES = (
    f"CREATE UNIQUE INDEX task_active_key ON tasks (key) WHERE {ACTIVE}",
    "CREATE INDEX task_pending ON tasks (id, retry_not_before) WHERE state = 'PENDING'",
    "CREATE INDEX task_due ON tasks (retry_not_before) WHERE state = 'PENDING'",
    "CREATE INDEX task_lease ON tasks (lease_until) WHERE state = 'IN_PROGRESS'",
)

_TRIGGERS = (
    """
    CREATE TRIGGER task_added AFTER INSERT ON tasks BEGIN
        UPDATE counts SET n = n + 1 WHERE state = NEW.state;
    END""",
    """
    CREATE TRIGGER task_moved AFTER UPDATE OF state ON tasks WHEN OLD.state <> NEW.state BEGIN
        UPDATE counts SET n = n + (state = NEW.state) - (state = OLD.state) WHERE state IN (OLD.state, NEW.state);
    END""",
    """
    CREATE TRIGGER task_deleted AFTER DELETE ON tasks BEGIN
        UPDATE counts SET n = n - 1 WHERE state = OLD.state;
    END""",
)


def prepare(connection: sqlite3.Connection) -> None:
    """Create what is not there yet. A store that is ready is only read."""
    if _version(connection) != VERSION:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _version(connection) != VERSION:
                _create(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    if defects.active(Defect.IDEMPOTENCY_OFF, Defect.IDEMPOTENCY_DONE_ONLY):
        connection.execute("DROP INDEX IF EXISTS task_active_key")
        connection.execute("CREATE INDEX IF NOT EXISTS task_key ON tasks (key)")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _create(connection: sqlite3.Connection) -> None:
    for statement in (*_TABLES, *_INDEXES, *_TRIGGERS):
        connection.execute(statement)
    connection.executemany("INSERT INTO counts VALUES (?, 0)", [(state,) for state in TaskState])
    connection.execute(f"PRAGMA user_version = {VERSION}")
