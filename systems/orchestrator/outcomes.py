"""How an attempt ends: only its owner may say so, and only while it holds the lease."""

from collections.abc import Callable

from soak.systems.orchestrator import defects
from soak.systems.orchestrator.defects import Defect
from soak.systems.orchestrator.kinds import KindStore
from soak.systems.orchestrator.model import EventType, Task, TaskState
from soak.systems.orchestrator.waits import wait_s

LEASE_ERROR = "lease_expired"
BUSY_ERROR = "db_busy"


class Outcomes(KindStore):
    """Complete, fail and block. Each is False, with an event `refused`, when the lease is lost."""

    def complete(
        self, task_id: int, owner: str, attempt: int, tokens: int = 0, *, notes: str = "", warning: str = ""
    ) -> bool:
        """The attempt succeeded. `warning`: a budget that was exceeded nevertheless, logged as an event `guardrail`."""

        def change(now: float, task: Task) -> None:
            if warning:
                self.record(now, EventType.GUARDRAIL, task, attempt=attempt, worker=owner, error=warning)
            self.move(now, task, TaskState.DONE, notes=notes, tokens=tokens)
            self.record(now, EventType.DONE, task, attempt=attempt, worker=owner)

        return self._settle(task_id, owner, attempt, change)

    def fail(self, task_id: int, owner: str, attempt: int, error: str, *, transient: bool, notes: str = "") -> bool:
        """The attempt failed. A transient failure comes again after its backoff, until the attempts are used up."""
        if defects.active(Defect.FAILURE_RECORDED_AS_DONE):
            return self.complete(task_id, owner, attempt)

        def change(now: float, task: Task) -> None:
            if transient and self.may_retry(attempt, task):
                due = now + wait_s(self.settings_for(task.id), task.key, attempt)
                self.put_back(now, task, EventType.RETRY, error=error, due=due, worker=owner, notes=notes)
            else:
                if transient:
                    self.dead_letter(now, task, error=error, attempt=attempt, worker=owner)
                self.give_up(now, task, error=error, attempt=attempt, worker=owner, notes=notes)

        return self._settle(task_id, owner, attempt, change)

    def block(self, task_id: int, owner: str, attempt: int, error: str, tokens: int = 0) -> bool:
        """The attempt broke a limit: only an operator takes the task on from here."""

        def change(now: float, task: Task) -> None:
            notes = f"blocked: look at the error, then `ops replan --id {task.id}` or `ops cancel --id {task.id}`"
            self.move(now, task, TaskState.BLOCKED, error=error, notes=notes, tokens=tokens)
            self.record(now, EventType.BLOCKED, task, attempt=attempt, worker=owner, error=error)

        return self._settle(task_id, owner, attempt, change)

    def may_retry(self, attempt: int, task: Task) -> bool:
        """Whether another attempt at a task may follow this one."""
        most = self.settings_for(task.id).max_attempts
        last = min(most, self.settings.max_deliveries or most)
        return attempt < last or defects.active(Defect.RETRIES_WITHOUT_END)

    def dead_letter(self, now: float, task: Task, *, error: str, attempt: int, worker: str) -> None:
        """Record that a task which would be tried again has had its last delivery, if it has; it is to be given up."""
        if self.settings.max_deliveries is not None and attempt >= self.settings.max_deliveries:
            self.record(now, EventType.DEAD_LETTERED, task, attempt=attempt, worker=worker, error=error)

    def put_back(
        self, now: float, task: Task, event: EventType, *, error: str, due: float, worker: str = "", notes: str = ""
    ) -> None:
        """The task waits again, not before `due`; owner and lease are cleared."""
        self.move(now, task, TaskState.PENDING, error=error, due=due, notes=notes)
        self.record(now, event, task, worker=worker, error=error, due=due)

    def give_up(
        self, now: float, task: Task, *, error: str, attempt: int | None = None, worker: str = "", notes: str = ""
    ) -> None:
        """The task has FAILED; its notes suggest what to do next."""
        number = task.attempt if attempt is None else attempt
        why = "attempts used up" if not self.may_retry(number, task) else "permanent error"
        step = f"{why}: look at the error, then `ops retry --id {task.id}` or `ops cancel --id {task.id}`"
        self.move(now, task, TaskState.FAILED, error=error, notes=f"{notes}\n{step}".lstrip("\n"))
        self.record(now, EventType.FAILED, task, attempt=number, worker=worker, error=error)

    def move(
        self,
        now: float,
        task: Task,
        state: TaskState,
        *,
        error: str = "",
        notes: str = "",
        due: float | None = None,
        tokens: int = 0,
    ) -> None:
        """Take a task into another state, with nobody's lease on it. Notes are added to what is there."""
        trail = "\n".join(filter(None, (task.notes, notes)))
        self.rows(
            "UPDATE tasks SET state = ?, owner = NULL, lease_until = NULL, updated_at = ?, error = ?, notes = ?,"
            " tokens = tokens + ?, retry_not_before = coalesce(?, retry_not_before) WHERE id = ?",
            (state, now, error, trail, tokens, due, task.id),
        )

    def _settle(self, task_id: int, owner: str, attempt: int, change: Callable[[float, Task], None]) -> bool:
        with self.transaction() as now:
            self.rows(
                "UPDATE workers SET state = 'idle', task_id = NULL, seen_at = ? WHERE name = ? AND task_id = ?",
                (now, owner, task_id),
            )
            task = self.task(task_id)
            if task is None:
                return False
            if not _holds(task, owner, attempt):
                self.record(now, EventType.REFUSED, task, attempt=attempt, worker=owner)
                return False
            change(now, task)
        return True


def _holds(task: Task, owner: str, attempt: int) -> bool:
    if defects.active(Defect.OWNER_NOT_CHECKED):
        return True
    return task.state is TaskState.IN_PROGRESS and task.owner == owner and task.attempt == attempt
