"""What an operator may do with a task, and from which states."""

from soak.systems.orchestrator.model import EventType, Task, TaskState
from soak.systems.orchestrator.outcomes import Outcomes
from soak.systems.orchestrator.schema import ACTIVE

_OPEN = (TaskState.PENDING, TaskState.IN_PROGRESS, TaskState.BLOCKED, TaskState.FAILED)


class OperationError(Exception):
    """The task is not there, or not in a state that allows this; the message says which."""


class Operations(Outcomes):
    """Cancel, replan and retry. Each raises OperationError and changes nothing where it is not allowed."""

    def cancel(self, task_id: int, notes: str = "") -> None:
        """Nobody is to work on the task. The result of a worker that is at it will be refused."""
        with self.transaction() as now:
            task = self._in_state(task_id, "cancelled", *_OPEN)
            self.move(now, task, TaskState.CANCELLED, error=task.error, notes=notes)
            self.record(now, EventType.CANCELLED, task)

    def replan(self, task_id: int, notes: str) -> None:
        """A BLOCKED or FAILED task starts anew, with all its attempts; the notes say what is different now."""
        with self.transaction() as now:
            task = self._in_state(task_id, "replanned", TaskState.BLOCKED, TaskState.FAILED)
            self._check_key(task)
            self.put_back(now, task, EventType.REPLANNED, error="", due=now, notes=notes)
            self.rows("UPDATE tasks SET attempt = 0 WHERE id = ?", (task_id,))

    def retry(self, task_id: int, notes: str = "") -> None:
        """A FAILED task gets one more attempt."""
        with self.transaction() as now:
            task = self._in_state(task_id, "retried", TaskState.FAILED)
            self._check_key(task)
            self.put_back(now, task, EventType.RETRIED, error="", due=now, notes=notes)

    def _in_state(self, task_id: int, done: str, *states: TaskState) -> Task:
        task = self.task(task_id)
        if task is None:
            raise OperationError(f"there is no task {task_id}")
        if task.state not in states:
            raise OperationError(f"task {task_id} is {task.state}; only {' or '.join(states)} can be {done}")
        return task

    def _check_key(self, task: Task) -> None:
        if newer := self.tasks_where(f"key = ? AND {ACTIVE}", (task.key,)):
            raise OperationError(f"task {task.id} has the key {task.key!r}, which task {newer[0].id} has taken over")
