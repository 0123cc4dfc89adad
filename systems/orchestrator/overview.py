"""What the store can tell: the log, the queue at a moment, and whether it is in order."""

from soak.systems.orchestrator.database import Database, Value
from soak.systems.orchestrator.model import Event, EventType, QueueStats, Task, TaskState, Worker

_EVENT = "id, at, type, task_id, key, attempt, worker, error, due"


class Overview(Database):
    """Reads only: nothing here takes the write lock."""

    def events_after(self, event_id: int, limit: int = 1000) -> list[Event]:
        """The events after a number, in order, at most `limit`. Start with 0, then with the last number read."""
        found = self.rows(f"SELECT {_EVENT} FROM events WHERE id > ? ORDER BY id LIMIT ?", (event_id, limit))
        return [_event(*row) for row in found]  # type: ignore[arg-type]

    def events_of(self, task_id: int) -> list[Event]:
        """The events of one task, in order. Reads the whole log."""
        found = self.rows(f"SELECT {_EVENT} FROM events WHERE task_id = ? ORDER BY id", (task_id,))
        return [_event(*row) for row in found]  # type: ignore[arg-type]

    def tasks(self, *states: TaskState, limit: int = -1) -> list[Task]:
        """The tasks in these states (none named: all), oldest first."""
        wanted: tuple[Value, ...] = states or tuple(TaskState)
        marks = ", ".join("?" * len(wanted))
        return self.tasks_where(f"state IN ({marks}) ORDER BY id LIMIT ?", (*wanted, limit))

    def workers(self) -> list[Worker]:
        """The registered workers by name."""
        found = self.rows("SELECT name, pid, state = 'busy', task_id, seen_at FROM workers ORDER BY name")
        return [Worker(name, pid, bool(busy), *rest) for name, pid, busy, *rest in found]  # type: ignore[arg-type]

    def snapshot(self) -> QueueStats:
        """The queue at one moment. Costs the same however many tasks have ended."""
        waiting = "FROM tasks INDEXED BY task_due WHERE state = 'PENDING'"
        with self.reading() as now:
            counts = {TaskState(str(state)): n for state, n in self.rows("SELECT state, n FROM counts")}
            later = self.rows(f"SELECT count(*) {waiting} AND retry_not_before > ?", (now,))[0][0]
            oldest = self.rows(f"SELECT min(retry_not_before) {waiting} AND retry_not_before <= ?", (now,))[0][0]
            workers, busy = self.rows("SELECT count(*), coalesce(sum(state = 'busy'), 0) FROM workers")[0]
        due = counts[TaskState.PENDING] - later  # type: ignore[operator]
        age_s = 0.0 if oldest is None else now - oldest  # type: ignore[operator]
        return QueueStats(counts, due, age_s, workers, busy)  # type: ignore[arg-type]

    def latencies_s(self) -> list[float]:
        """From enqueue to the end, of every task that is DONE or FAILED, shortest first."""
        found = self.rows("SELECT updated_at - enqueued_at FROM tasks WHERE state IN ('DONE', 'FAILED') ORDER BY 1")
        return [float(latency_s or 0) for (latency_s,) in found]

    def event_counts(self) -> list[tuple[EventType, str, int]]:
        """How many events there are of each type and error."""
        found = self.rows("SELECT type, error, count(*) FROM events GROUP BY type, error ORDER BY type, error")
        return [(EventType(str(kind)), str(error), int(n or 0)) for kind, error, n in found]

    def consistency_check(self) -> list[str]:
        """What is wrong with the store, in words; nothing if all is well. Reads every row."""
        with self.reading():
            return [f"{what} {row[0]}" for what, statement in _CHECKS.items() for row in self.rows(statement)]


def _event(number: int, at: float, kind: str, *rest: object) -> Event:
    return Event(number, at, EventType(kind), *rest)  # type: ignore[arg-type]


_CHECKS = {
    "IN_PROGRESS without an owner or a lease: task": (
        "SELECT id FROM tasks WHERE state = 'IN_PROGRESS' AND (owner IS NULL OR lease_until IS NULL)"
    ),
    "an owner or a lease without being IN_PROGRESS: task": (
        "SELECT id FROM tasks WHERE state <> 'IN_PROGRESS' AND (owner IS NOT NULL OR lease_until IS NOT NULL)"
    ),
    "more than one active task of the key": (
        "SELECT key FROM tasks WHERE state IN ('PENDING', 'IN_PROGRESS', 'DONE') GROUP BY key HAVING count(*) > 1"
    ),
    "DONE without a done event: task": (
        "SELECT id FROM tasks WHERE state = 'DONE' AND id NOT IN (SELECT task_id FROM events WHERE type = 'done')"
    ),
    "done more than once: task": "SELECT task_id FROM events WHERE type = 'done' GROUP BY task_id HAVING count(*) > 1",
    "in the log but not in the queue: task": (
        "SELECT DISTINCT task_id FROM events WHERE task_id NOT IN (SELECT id FROM tasks)"
    ),
    "busy with a task that is not its own: worker": (
        "SELECT name FROM workers LEFT JOIN tasks ON tasks.id = task_id"
        " WHERE workers.state = 'busy' AND (tasks.owner IS NULL OR tasks.owner <> name)"
    ),
    "idle with a task: worker": "SELECT name FROM workers WHERE state = 'idle' AND task_id IS NOT NULL",
    "the count kept is not what is there: state": (
        "SELECT state FROM counts WHERE n <> (SELECT count(*) FROM tasks WHERE tasks.state = counts.state)"
    ),
}
