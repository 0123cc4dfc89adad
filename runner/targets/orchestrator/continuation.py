"""Going on with a system whose runner was gone: what it knows already, and clocks that stood still."""

import sqlite3
from collections import Counter
from pathlib import Path

from runner.targets.history import History
from schemas.events import COPY, KEY_SHIFT

_NOTED = (
    "enqueued", "skipped", "dispatched", "retry", "done", "failed", "blocked", "cancelled", "expired", "contended", "refused"
)  # fmt: skip
"""The records of the system's log that the stream has an event for."""


_CLOSING = frozenset({"done", "failed", "blocked", "cancelled"})


class Continuation:
    """What the database of the system tells; without a `history` there is nothing to tell."""

    def __init__(self, database: Path, history: History | None) -> None:
        self.history = history or History()
        self.last_event = 0
        """The last record of the system's log that the stream knows of."""
        self.logged = 0
        """The last record of the system's log there is."""
        self.tasks: dict[int, int] = {}
        """The task numbers, by the system's ids, of tasks that the stream does not know to be closed."""
        self.done: set[tuple[int, int]] = set()
        """Task number and attempt of what was done without the stream knowing of it."""
        self._submitted: Counter[str] = Counter()
        if history:
            self._read(database)

    def _read(self, database: Path) -> None:
        connection = sqlite3.connect(database, isolation_level=None)
        try:
            self._let_clocks_stand_still(connection)
            marks = ", ".join("?" * len(_NOTED))
            query = f"SELECT id, type, task_id, key, attempt FROM events WHERE type IN ({marks}) ORDER BY id"
            for place, (event_id, kind, task_id, key, attempt) in enumerate(connection.execute(query, _NOTED), 1):
                self.logged = event_id
                if place <= self.history.told:
                    self.last_event = event_id
                    if kind in _CLOSING:
                        self.tasks.pop(task_id, None)
                elif kind == "done" and task_id in self.tasks:
                    self.done.add((self.tasks[task_id], attempt))
                if kind in {"enqueued", "skipped"}:
                    if kind == "enqueued":
                        self.tasks[task_id] = int(key) << KEY_SHIFT | (COPY if self._submitted[key] else 0)
                    self._submitted[key] += 1
        finally:
            connection.close()

    def _let_clocks_stand_still(self, connection: sqlite3.Connection) -> None:
        gap_s = self.history.gap_real_s
        connection.execute(
            "UPDATE tasks SET retry_not_before = retry_not_before + ?, lease_until = lease_until + ?"
            " WHERE state IN ('PENDING', 'IN_PROGRESS')",
            (gap_s, gap_s),
        )

    def knows(self, number: int) -> bool:
        """Whether the system was given this submission; to be asked for each, in the order of the plan."""
        key = str(number >> KEY_SHIFT)
        if not self._submitted[key]:
            return False
        self._submitted[key] -= 1
        return True
