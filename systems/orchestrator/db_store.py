"""The store: the queue, its workers and its log in one SQLite database, shared by all processes."""

from soak.systems.orchestrator import defects
from soak.systems.orchestrator.database import BusyError, StoreError
from soak.systems.orchestrator.defects import Defect
from soak.systems.orchestrator.leases import Leases
from soak.systems.orchestrator.model import Enqueued, EventType, Skipped
from soak.systems.orchestrator.operations import OperationError, Operations
from soak.systems.orchestrator.overview import Overview
from soak.systems.orchestrator.schema import ACTIVE

__all__ = ["BusyError", "OperationError", "Store", "StoreError"]


class Store(Leases, Operations, Overview):
    """`Store(path, settings)`. Any method raises BusyError if the database is busy past its timeout, else StoreError.

    A store belongs to the thread that opened it; close it, or use it in a `with` statement.
    """

    def enqueue(self, key: str, payload: str = "", title: str = "", *, kind: str = "") -> Enqueued | Skipped:
        """Take a new task, unless its key is PENDING, IN_PROGRESS or DONE; `kind`: one of the settings'."""
        with self.transaction() as now:
            taken = "state = 'DONE'" if defects.active(Defect.IDEMPOTENCY_DONE_ONLY) else ACTIVE
            same = [] if defects.active(Defect.IDEMPOTENCY_OFF) else self.tasks_where(f"key = ? AND {taken}", (key,))
            if same:
                self.record(now, EventType.SKIPPED, same[0])
                return Skipped(same[0].id)
            task = self.tasks_where("id = ?", (self._insert(now, key, payload, title),))[0]
            self.place(task.id, kind)
            self.record(now, EventType.ENQUEUED, task, due=now)
        return Enqueued(task.id)

    def _insert(self, now: float, key: str, payload: str, title: str) -> int:
        row = self.rows(
            "INSERT INTO tasks (key, payload, title, retry_not_before, enqueued_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (key, payload, title, now, now, now),
        )
        return int(row[0][0] or 0)
