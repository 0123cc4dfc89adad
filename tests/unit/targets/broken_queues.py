"""The queue of the example with one thing wrong at a time, and a few that are merely different."""

import sys
import threading
import time
from pathlib import Path

from runner.targets.contract import Accepted, BusyError, Claim, Expired, Failed, Refused, Retry, Snapshot

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
if str(EXAMPLES) not in sys.path:
    sys.path.insert(0, str(EXAMPLES))

from memory_queue import MemoryQueue  # noqa: E402


class IdempotencyOff(MemoryQueue):
    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        self.active.pop(key, None)
        return super().enqueue(key, payload)

    def close_task(self, task, state):
        self.active.setdefault(task.key, task)
        super().close_task(task, state)


class OwnerNotChecked(MemoryQueue):
    def holds(self, claim: Claim):
        return self.tasks[int(claim.task_id)]

    def close_task(self, task, state):
        self.active.setdefault(task.key, task)
        super().close_task(task, state)


class BackoffIgnored(MemoryQueue):
    def again(self, task, wait):
        answer = super().again(task, wait)
        task.due = 0.0
        return answer


class RetriesWithoutEnd(MemoryQueue):
    def again(self, task, wait):
        if wait is None:
            return super().again(task, wait)
        task.state, task.due, task.claim = "pending", time.monotonic() + wait, None
        return Retry(wait)


class PermanentTriedAgain(MemoryQueue):
    def fail(self, claim: Claim, error: str, *, transient: bool) -> Retry | Failed | Refused:
        return super().fail(claim, error, transient=True)


class LeaseNeverExpires(MemoryQueue):
    def recover(self) -> list[Expired]:
        return []


class ExpiryToldTwice(MemoryQueue):
    told: Expired | None = None

    def recover(self) -> list[Expired]:
        found = super().recover()
        self.told, again = found[0] if found else None, self.told
        return found or ([again] if again else [])


class HeartbeatIgnored(MemoryQueue):
    def heartbeat(self, claim: Claim) -> bool:
        return self.holds(claim) is not None


class NewestFirst(MemoryQueue):
    def claim(self, worker: str) -> Claim | None:
        self.tasks.reverse()
        try:
            return super().claim(worker)
        finally:
            self.tasks.reverse()


class ClaimLosesThePayload(MemoryQueue):
    def claim(self, worker: str) -> Claim | None:
        claim = super().claim(worker)
        return Claim(claim.task_id, claim.key, "", claim.attempt, worker) if claim else None


class SnapshotForgetsBlocked(MemoryQueue):
    def snapshot(self) -> Snapshot:
        states = [task.state for task in self.tasks if task.state != "blocked"]
        return Snapshot(**{state: states.count(state) for state in set(states)})


class Raises(MemoryQueue):
    def claim(self, worker: str) -> Claim | None:
        if len(self.tasks) > 1:
            raise KeyError("no such row")
        return super().claim(worker)


class Garbage(MemoryQueue):
    def complete(self, claim: Claim) -> bool:
        super().complete(claim)
        return None  # type: ignore[return-value]


class WrongField(MemoryQueue):
    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        super().enqueue(key, payload)
        return Accepted(None)  # type: ignore[arg-type]


class Hangs(MemoryQueue):
    def claim(self, worker: str) -> Claim | None:
        if self.tasks:
            threading.Event().wait(60)
        return super().claim(worker)


class CannotBeMade(MemoryQueue):
    def __init__(self, url: str, password: str) -> None: ...


class MadeWithoutServer(MemoryQueue):
    def __init__(self, settings: object) -> None:
        raise ConnectionError("no server at 127.0.0.1")


class CannotBeClosed(MemoryQueue):
    def close(self) -> None:
        raise OSError("gone")


class IdGivenTwice(MemoryQueue):
    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        answer = super().enqueue(key, payload)
        return Accepted(0) if isinstance(answer, Accepted) else answer


class NotEmpty(MemoryQueue):
    def __init__(self, settings: object) -> None:
        super().__init__(settings)
        self.enqueue("0", "from yesterday")


class Incomplete:
    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        return Refused()


class OftenBusy(MemoryQueue):
    """Every call is refused half of the time, as by a database that others write to."""

    calls = 0

    def __getattribute__(self, name: str):
        if name in {"enqueue", "claim", "heartbeat", "complete", "fail", "block", "recover", "snapshot"}:
            self.calls += 1
            if self.calls % 2:
                return _busy
        return super().__getattribute__(name)


def _busy(*_: object, **__: object) -> None:
    raise BusyError


class Locked(MemoryQueue):
    """One that several threads may call at once."""

    thread_safe = True

    def __init__(self, settings: object) -> None:
        super().__init__(settings)
        self.lock = threading.Lock()

    def claim(self, worker: str) -> Claim | None:
        with self.lock:
            return super().claim(worker)


class NotLocked(MemoryQueue):
    """It says that several threads may call it at once, and is wrong."""

    thread_safe = True

    def claim(self, worker: str) -> Claim | None:
        now = time.monotonic()
        task = next((task for task in self.tasks if task.state == "pending" and task.due <= now), None)
        if task is None:
            return None
        time.sleep(0)
        task.state, task.attempt = "in_progress", task.attempt + 1
        task.claim = Claim(task.id, task.key, task.payload, task.attempt, worker)
        return task.claim
