"""A queue of your own: replace what is marked (1) by calls to it. What each method promises: `soak.contract`."""

import time
from dataclasses import dataclass

from soak.contract import Accepted, Claim, Expired, Failed, QueueSettings, Refused, Retry, Snapshot

PENDING, IN_PROGRESS, DONE, FAILED, BLOCKED = "pending", "in_progress", "done", "failed", "blocked"


@dataclass
class Task:
    """A task in memory (1)."""

    id: int
    key: str
    payload: str
    due: float
    state: str = PENDING
    attempt: int = 0
    claim: Claim | None = None
    lease_until: float = 0.0


class MyQueue:
    """What workers pull from; `settings` are those of the scenario, in real seconds."""

    def __init__(self, settings: QueueSettings) -> None:
        self.settings = settings
        self.tasks: list[Task] = []  # (1) connect to your queue here, and empty it

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """A new task, unless the key is PENDING, IN_PROGRESS or DONE."""
        if any(task.key == key and task.state in {PENDING, IN_PROGRESS, DONE} for task in self.tasks):
            return Refused()
        self.tasks.append(Task(len(self.tasks), key, payload, due=time.monotonic()))
        return Accepted(self.tasks[-1].id)

    def claim(self, worker: str) -> Claim | None:
        """The oldest task that is due, with a lease from now."""
        now = time.monotonic()
        task = next((task for task in self.tasks if task.state == PENDING and task.due <= now), None)
        if task is None:
            return None
        task.state, task.attempt, task.lease_until = IN_PROGRESS, task.attempt + 1, now + self.settings.lease_s
        task.claim = Claim(task.id, task.key, task.payload, task.attempt, worker)
        return task.claim

    def heartbeat(self, claim: Claim) -> bool:
        """Renew the lease; False when it is lost."""
        if task := self._held(claim):
            task.lease_until = time.monotonic() + self.settings.lease_s
        return task is not None

    def complete(self, claim: Claim) -> bool:
        """DONE; False without any change when the lease is lost."""
        return self._end(claim, DONE)

    def block(self, claim: Claim, error: str) -> bool:
        """BLOCKED: over its budget."""
        return self._end(claim, BLOCKED)

    def fail(self, claim: Claim, error: str, *, transient: bool) -> Retry | Failed | Refused:
        """Transient: due again after its backoff. Permanent, or after the last attempt: FAILED."""
        task = self._held(claim)
        if task is None:
            return Refused()
        if not transient:
            task.state, task.claim = FAILED, None
            return Failed()
        return self._again(task, self.settings.backoff_after(task.attempt))

    def recover(self) -> list[Expired]:
        """Leases that expired since the last call: their tasks are due again."""
        now = time.monotonic()
        late = [task for task in self.tasks if task.state == IN_PROGRESS and task.lease_until < now]
        return [Expired(task.id, task.attempt, self._again(task, 0.0)) for task in late]

    def snapshot(self) -> Snapshot:
        """How many tasks are in each state."""
        states = [task.state for task in self.tasks]
        return Snapshot(**{state: states.count(state) for state in (PENDING, IN_PROGRESS, DONE, FAILED, BLOCKED)})

    def close(self) -> None:
        """Release what was opened (1)."""

    def _held(self, claim: Claim) -> Task | None:
        """The task of a claim; None if its lease is lost."""
        task = self.tasks[int(claim.task_id)]
        return task if task.claim == claim else None

    def _end(self, claim: Claim, state: str) -> bool:
        task = self._held(claim)
        if task:
            task.state, task.claim = state, None
        return task is not None

    def _again(self, task: Task, wait_s: float) -> Retry | Failed:
        """Back to PENDING after a wait, or FAILED after the last attempt."""
        task.claim = None
        if task.attempt >= self.settings.max_attempts:
            task.state = FAILED
            return Failed()
        task.state, task.due = PENDING, time.monotonic() + wait_s
        return Retry(wait_s)
