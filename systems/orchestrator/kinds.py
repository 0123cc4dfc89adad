"""Kinds of tasks: priorities, retries and budgets of their own, and queues with workers of their own.

They are kept in tables of their own, which a store without kinds does not have.
"""

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from soak.systems.orchestrator.database import Database
from soak.systems.orchestrator.settings import Settings, SettingsError

_TABLES = (
    "CREATE TABLE IF NOT EXISTS placements (task_id INTEGER PRIMARY KEY, kind TEXT NOT NULL, queue TEXT NOT NULL,"
    " priority INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS paces (queue TEXT PRIMARY KEY, due REAL NOT NULL) WITHOUT ROWID",
)
_OF_KIND = ("max_attempts", "backoff_s", "hard_tokens", "jitter", "decorrelated", "backoff_max_s")


@dataclass(frozen=True, slots=True)
class TaskQueue:
    """Its workers by name; at most `rate_per_s` dispatches a second (None: any number), up to `at_once` after a pause."""

    workers: tuple[str, ...]
    rate_per_s: float | None
    at_once: float


class KindStore(Database):
    """What the store does with the kind of a task."""

    def _open(self) -> sqlite3.Connection:
        connection = super()._open()
        try:
            for statement in _TABLES if self.settings.kinds else ():
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection

    def place(self, task_id: int, kind: str) -> None:
        """Note the kind of a new task, inside a transaction."""
        if self.settings.kinds:
            of = self.settings.kinds.get(kind, {})
            values = (task_id, kind, str(of.get("queue", "")), int(of.get("priority", 0)))
            self.rows("INSERT INTO placements (task_id, kind, queue, priority) VALUES (?, ?, ?, ?)", values)

    def settings_for(self, task_id: int) -> Settings:
        """The settings that hold for a task."""
        if not self.settings.kinds:
            return self.settings
        found = self.rows("SELECT kind FROM placements WHERE task_id = ?", (task_id,))
        of: Mapping[str, Any] = self.settings.kinds.get(str(found[0][0]), {}) if found else {}
        own = {key: of[key] for key in _OF_KIND if key in of}
        return replace(self.settings, **own) if own else self.settings

    def due_in(self, queue: str, limit: int) -> list[tuple[int, int]]:
        """Id and attempt of due tasks of a queue, those of the highest priority first; no more than its rate allows now."""
        now = time.time()
        limit = min(limit, self._allowed(queue, now))
        if limit <= 0:
            return []
        found = self.rows(
            "SELECT t.id, t.attempt FROM tasks t JOIN placements p ON p.task_id = t.id WHERE t.state = 'PENDING'"
            " AND t.retry_not_before <= ? AND p.queue = ? ORDER BY p.priority DESC, t.id LIMIT ?",
            (now, queue, limit),
        )
        return [(int(task_id or 0), int(attempt or 0)) for task_id, attempt in found]

    def spend(self, queue: str, now: float, count: int) -> None:
        """That many tasks of a queue are dispatched now (generic cell rate algorithm, ITU-T I.371)."""
        rate = queue_of(self.settings, queue).rate_per_s
        if rate and count:
            due = max(self._paced_until(queue), now) + count / rate
            self.rows("INSERT INTO paces VALUES (?, ?) ON CONFLICT DO UPDATE SET due = excluded.due", (queue, due))

    def _allowed(self, queue: str, now: float) -> int:
        of = queue_of(self.settings, queue)
        if not of.rate_per_s:
            return 1 << 30
        return int(of.at_once - max(0.0, self._paced_until(queue) - now) * of.rate_per_s + 1e-9)

    def _paced_until(self, queue: str) -> float:
        found = self.rows("SELECT due FROM paces WHERE queue = ?", (queue,))
        return float(found[0][0] or 0.0) if found else 0.0


def queue_of(settings: Settings, name: str) -> TaskQueue:
    """A queue of the settings; one without a name has all workers. Raises SettingsError for one that is incomplete."""
    of = settings.queues.get(name, {})
    try:
        rate = of.get("rate_per_s")
        return TaskQueue(
            tuple(of.get("workers", ())), None if rate is None else float(rate), float(of.get("at_once", 1))
        )
    except (TypeError, ValueError) as error:
        raise SettingsError(f"queues: {name}: {error}") from None
