"""Who works on what: dispatch, claims, heartbeats, and leases that expire."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from soak.systems.orchestrator import defects
from soak.systems.orchestrator.defects import Defect
from soak.systems.orchestrator.kinds import queue_of
from soak.systems.orchestrator.model import Assignment, EventType, Task
from soak.systems.orchestrator.outcomes import LEASE_ERROR, Outcomes

_TEN_YEARS_S = 10 * 365 * 86400.0
_HELD_TIMEOUTS = 1.5
_SLOW_PER_ROW_S = 1e-4


class _Candidate(NamedTuple):
    task_id: int
    attempt: int


class Leases(Outcomes):
    """The oldest due task to a free worker; one owner; the lease runs from now, and heartbeats renew it."""

    def assign(self, dispatcher: str) -> tuple[Assignment, ...]:
        """Give due tasks to idle workers, as many as there are of both. Nothing is locked when there is nothing to do."""
        if not self.settings.kinds:
            return self._share(dispatcher, self._idle_workers)
        queues = tuple(self.settings.queues) or ("",)
        return tuple(each for name in queues for each in self._share(dispatcher, partial(self._idle_in, name), name))

    def claim(self, worker: str) -> Task | None:
        """Take the oldest due task for a worker that asks for itself."""
        taken = self._share(worker, lambda: [worker])
        return self.task(taken[0].task_id) if taken else None

    def heartbeat(self, task_id: int, owner: str, attempt: int) -> bool:
        """Renew the lease. False when it is lost."""
        with self.transaction() as now:
            renewed = self.changed(
                "UPDATE tasks SET lease_until = ? WHERE id = ? AND state = 'IN_PROGRESS' AND owner = ? AND attempt = ?",
                (self._lease_end(now), task_id, owner, attempt),
            )
            self.rows("UPDATE workers SET seen_at = ? WHERE name = ?", (now, owner))
        return renewed == 1

    def recover_expired(self) -> int:
        """Take back every task whose lease is over, at once due or, with its attempts used up, failed; how many."""
        condition = "state = 'IN_PROGRESS' AND lease_until < ?"
        if not self.rows(f"SELECT 1 FROM tasks INDEXED BY task_lease WHERE {condition} LIMIT 1", (time.time(),)):
            return 0
        with self.transaction() as now:
            expired = self.tasks_where(f"{condition} ORDER BY id", (now,))
            for task in expired:
                self._recover(now, task)
        return len(expired)

    def _recover(self, now: float, task: Task) -> None:
        owner = task.owner or ""
        self.record(now, EventType.EXPIRED, task, worker=owner)
        if defects.active(Defect.TASK_LOST_ON_CRASH):
            self.rows("DELETE FROM tasks WHERE id = ?", (task.id,))
        elif self.may_retry(task.attempt, task):
            self.put_back(now, task, EventType.RETRY, error=LEASE_ERROR, due=now, worker=owner)
        else:
            self.dead_letter(now, task, error=LEASE_ERROR, attempt=task.attempt, worker=owner)
            self.give_up(now, task, error=LEASE_ERROR, worker=owner)

    def assignment(self, worker: str) -> Task | None:
        """The task that was given to this worker, if it still holds it."""
        found = self.tasks_where(
            "id = (SELECT task_id FROM workers WHERE name = ? AND state = 'busy') AND state = 'IN_PROGRESS' AND owner = ?",
            (worker, worker),
        )
        return next(iter(found), None)

    def register_worker(self, name: str, pid: int) -> None:
        """A worker is there and has nothing to do, whatever an earlier one of its name was doing.

        What that had acknowledged when it was given to it, nobody has any more.
        """
        with self.transaction() as now:
            if self.settings.ack_early:
                self.rows("DELETE FROM tasks WHERE state = 'IN_PROGRESS' AND owner = ?", (name,))
            self.rows(
                "INSERT INTO workers (name, pid, state, task_id, seen_at) VALUES (?, ?, 'idle', NULL, ?)"
                " ON CONFLICT DO UPDATE SET pid = excluded.pid, state = 'idle', task_id = NULL, seen_at = excluded.seen_at",
                (name, pid, now),
            )

    def worker_idle(self, name: str) -> None:
        """The worker has nothing to do. It stays busy if it was given a task meanwhile that it holds."""
        with self.transaction() as now:
            self.rows(
                "UPDATE workers SET state = 'idle', task_id = NULL, seen_at = ? WHERE name = ? AND NOT EXISTS ("
                "SELECT 1 FROM tasks WHERE id = workers.task_id AND state = 'IN_PROGRESS' AND owner = workers.name)",
                (now, name),
            )

    def is_busy(self, name: str) -> bool:
        """Whether the store takes the worker for busy."""
        return bool(self.rows("SELECT 1 FROM workers WHERE name = ? AND state = 'busy'", (name,)))

    def unregister(self, name: str) -> None:
        """The worker is gone; a task it still holds stays leased."""
        with self.transaction():
            self.rows("DELETE FROM workers WHERE name = ?", (name,))

    def retire(self, name: str) -> bool:
        """The worker is gone, unless it was given a task meanwhile that it holds: then nothing changes, and it is False."""
        with self.transaction():
            self.rows(
                "DELETE FROM workers WHERE name = ? AND NOT EXISTS ("
                "SELECT 1 FROM tasks WHERE id = workers.task_id AND state = 'IN_PROGRESS' AND owner = workers.name)",
                (name,),
            )
            return not self.rows("SELECT 1 FROM workers WHERE name = ?", (name,))

    def _share(
        self, claimer: str, workers: Callable[[], list[str]], queue: str | None = None
    ) -> tuple[Assignment, ...]:
        """Give due tasks to these workers; `queue`: those of one queue, by priority."""
        seen = self._due(len(workers()), queue)
        if not seen:
            return ()
        self._pause()
        with self.transaction() as now:
            free = workers()
            if not defects.active(Defect.CLAIM_NOT_ATOMIC):
                self._record_contention(now, claimer, seen)
                seen = self._due(len(free), queue)
            taken = [self._take(now, task, worker) for task, worker in zip(seen, free, strict=False)]
            if queue is not None:
                self.spend(queue, now, len(taken))
            if defects.active(Defect.TRANSACTION_HELD):
                time.sleep(self.settings.busy_timeout_s * _HELD_TIMEOUTS)
        if defects.active(Defect.CONNECTION_LEAK):
            self.leak_connection()
        return tuple(taken)

    def _pause(self) -> None:
        # Long enough for another dispatcher's poll to fall into it.
        wait_s = self.settings.poll_interval_s if defects.active(Defect.CLAIM_NOT_ATOMIC) else 0.0
        if wait_s := max(wait_s, self.settings.claim_time_s):
            time.sleep(wait_s)

    def _idle_workers(self) -> list[str]:
        return [
            str(name) for (name,) in self.rows("SELECT name FROM workers WHERE state = 'idle' ORDER BY seen_at, name")
        ]

    def _idle_in(self, queue: str) -> list[str]:
        idle, own = self._idle_workers(), queue_of(self.settings, queue).workers
        return [name for name in idle if name in own] if queue else idle

    def _due(self, limit: int, queue: str | None = None) -> list[_Candidate]:
        if queue is not None:
            return [_Candidate(*each) for each in self.due_in(queue, limit)]
        now = float("inf") if defects.active(Defect.BACKOFF_IGNORED) else time.time()
        # Tasks that wait for their backoff stand in front of younger ones: look first whether any is due at all.
        any_due = "SELECT 1 FROM tasks INDEXED BY task_due WHERE state = 'PENDING' AND retry_not_before <= ? LIMIT 1"
        if not limit or not self.rows(any_due, (now,)):
            return []
        access = "INDEXED BY task_pending"
        if defects.active(Defect.SLOW_CLAIM):
            access = "NOT INDEXED"
            # As a scan of a table a thousand times as large.
            time.sleep(int(self.rows("SELECT count(*) FROM tasks")[0][0] or 0) * _SLOW_PER_ROW_S)
        found = self.rows(
            f"SELECT id, attempt FROM tasks {access} WHERE state = 'PENDING' AND retry_not_before <= ? ORDER BY id LIMIT ?",
            (now, limit),
        )
        return [_Candidate(*row) for row in found]  # type: ignore[arg-type]

    def _record_contention(self, now: float, claimer: str, seen: Sequence[_Candidate]) -> None:
        for task_id, attempt in seen:
            task = self.task(task_id)
            if task and task.attempt > attempt:
                self.record(now, EventType.CONTENDED, task, attempt=attempt + 1, worker=claimer)

    def _take(self, now: float, candidate: _Candidate, worker: str) -> Assignment:
        waits = "" if defects.active(Defect.CLAIM_NOT_ATOMIC) else " AND state = 'PENDING'"
        self.rows(
            "UPDATE tasks SET state = 'IN_PROGRESS', owner = ?, attempt = attempt + 1, lease_until = ?, updated_at = ?"
            f" WHERE id = ?{waits}",
            (worker, self._lease_end(now), now, candidate.task_id),
        )
        self.rows(
            "UPDATE workers SET state = 'busy', task_id = ?, seen_at = ? WHERE name = ?",
            (candidate.task_id, now, worker),
        )
        task = self.tasks_where("id = ?", (candidate.task_id,))[0]
        self.record(now, EventType.DISPATCHED, task, worker=worker, due=task.retry_not_before)
        return Assignment(worker, task.id, task.attempt)

    def _lease_end(self, now: float) -> float | None:
        if self.settings.ack_early:
            return None
        return now + (_TEN_YEARS_S if defects.active(Defect.LEASE_NEVER_EXPIRES) else self.settings.lease_s)
