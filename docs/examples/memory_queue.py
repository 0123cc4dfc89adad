"""A complete queue in memory, to read and to soak: soak target check memory_queue:MemoryQueue."""

import time
from collections import Counter
from dataclasses import dataclass

from soak.contract import Accepted, Claim, Expired, Failed, QueueSettings, Refused, Retry, Snapshot


@dataclass
class Task:
    """A task and, while it is being worked on, the claim that holds it."""

    id: int
    key: str
    payload: str
    state: str = "pending"
    attempt: int = 0
    due: float = 0.0
    claim: Claim | None = None
    lease_until: float = 0.0


class MemoryQueue:
    """Tasks in a list, the oldest first."""

    def __init__(self, settings: QueueSettings) -> None:
        self.settings = settings
        self.tasks: list[Task] = []
        self.active: dict[str, Task] = {}  # by key: PENDING, IN_PROGRESS or DONE

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """A new task, unless the key is PENDING, IN_PROGRESS or DONE."""
        if key in self.active:
            return Refused()
        task = Task(len(self.tasks), key, payload, due=time.monotonic())
        self.tasks.append(task)
        self.active[key] = task
        return Accepted(task.id)

    def claim(self, worker: str) -> Claim | None:
        """The oldest task that is due, with a lease from now."""
        now = time.monotonic()
        for task in self.tasks:
            if task.state == "pending" and task.due <= now:
                task.state, task.attempt = "in_progress", task.attempt + 1
                task.lease_until = now + self.settings.lease_s
                task.claim = Claim(task.id, task.key, task.payload, task.attempt, worker)
                return task.claim
        return None

    def holds(self, claim: Claim) -> Task | None:
        """The task of a claim; None if the lease is lost."""
        task = self.tasks[int(claim.task_id)]
        return task if task.claim == claim else None

    def heartbeat(self, claim: Claim) -> bool:
        """Renew the lease."""
        if task := self.holds(claim):
            task.lease_until = time.monotonic() + self.settings.lease_s
        return task is not None

    def complete(self, claim: Claim) -> bool:
        """The task is DONE."""
        return self.end(claim, "done")

    def block(self, claim: Claim, error: str) -> bool:
        """The task is BLOCKED."""
        return self.end(claim, "blocked")

    def fail(self, claim: Claim, error: str, *, transient: bool) -> Retry | Failed | Refused:
        """Transient: again after its backoff. Permanent: FAILED."""
        task = self.holds(claim)
        if task is None:
            return Refused()
        wait = self.settings.backoff_after(task.attempt)
        return self.again(task, wait if transient else None)

    def recover(self) -> list[Expired]:
        """Expired leases: their tasks are due at once."""
        now = time.monotonic()
        late = [task for task in self.tasks if task.state == "in_progress" and task.lease_until < now]
        return [Expired(task.id, task.attempt, self.again(task, 0.0)) for task in late]

    def again(self, task: Task, wait: float | None) -> Retry | Failed:
        """Back to PENDING after a wait, or FAILED: without a wait, or after the last attempt."""
        if wait is None or task.attempt >= self.settings.max_attempts:
            self.close_task(task, "failed")
            return Failed()
        task.state, task.due, task.claim = "pending", time.monotonic() + wait, None
        return Retry(wait)

    def end(self, claim: Claim, state: str) -> bool:
        """Close a task, unless the lease is lost."""
        task = self.holds(claim)
        if task:
            self.close_task(task, state)
        return task is not None

    def close_task(self, task: Task, state: str) -> None:
        """Free its key, unless it is DONE."""
        task.state, task.claim = state, None
        if state != "done":
            del self.active[task.key]

    def snapshot(self) -> Snapshot:
        """How many tasks are in each state."""
        return Snapshot(**Counter(task.state for task in self.tasks))

    def close(self) -> None:
        """Nothing to release."""
