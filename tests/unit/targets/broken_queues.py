"""The queue of the example with one thing wrong at a time, and a few that are merely different."""

import sys
import threading
import time
from collections import Counter
from pathlib import Path

from soak.contract import Accepted, BusyError, Claim, Expired, Failed, Refused, Retry, Snapshot

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
if str(EXAMPLES) not in sys.path:
    sys.path.insert(0, str(EXAMPLES))

from memory_queue import MemoryQueue  # noqa: E402

CALLS = {"enqueue", "claim", "heartbeat", "complete", "fail", "block", "recover", "snapshot"}


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


class OftenBusy(MemoryQueue):
    """Every call is refused half of the time, as by a database that others write to."""

    calls = 0

    def __getattribute__(self, name: str):
        if name in CALLS:
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
        self.lock = threading.RLock()
        super().__init__(settings)

    def __getattribute__(self, name: str):
        found = super().__getattribute__(name)
        return self.locked(found) if name in CALLS else found

    def locked(self, call):
        def alone(*words: object, **named: object) -> object:
            with self.lock:
                return call(*words, **named)

        return alone


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


class SelectThenUpdate(MemoryQueue):
    """Its claim finds a task, and takes it a while later: others find the same one meanwhile."""

    thread_safe = True
    between_s = 0.003

    def claim(self, worker: str) -> Claim | None:
        now = time.monotonic()
        task = next((task for task in list(self.tasks) if task.state == "pending" and task.due <= now), None)
        if task is None:
            return None
        attempt = task.attempt + 1
        time.sleep(self.between_s)
        task.state, task.attempt, task.lease_until = "in_progress", attempt, now + self.settings.lease_s
        task.claim = Claim(task.id, task.key, task.payload, attempt, worker)
        return self.told(task, task.claim)

    def told(self, task, claim: Claim) -> Claim:
        return claim


class SelectThenUpdateOneByOne(SelectThenUpdate):
    """The same, for those who do not look: it may be called by one thread only."""

    thread_safe = False


class SelectThenUpdateAndRead(SelectThenUpdate):
    """It answers with what is there in the end: all who claimed get the claim of the last of them."""

    def told(self, task, claim: Claim) -> Claim:
        time.sleep(self.between_s)
        return task.claim


class SelectThenUpdateForAll(SelectThenUpdate):
    """Whoever has a claim may end its task, also a second time."""

    def holds(self, claim: Claim):
        return self.tasks[int(claim.task_id)]

    def close_task(self, task, state):
        self.active.setdefault(task.key, task)
        super().close_task(task, state)


class KeyTakenTwice(MemoryQueue):
    """Its enqueue looks whether a key is taken, and takes it a while later."""

    thread_safe = True
    numbering = threading.Lock()

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        taken = key in self.active
        time.sleep(0.003)
        if taken:
            return Refused()
        with self.numbering:
            self.active.pop(key, None)
            return super().enqueue(key, payload)

    def close_task(self, task, state):
        self.active.setdefault(task.key, task)
        super().close_task(task, state)


class Overlapping(Locked):
    """It notes which calls come from which thread, and which overlap; each takes a moment."""

    def __init__(self, settings: object) -> None:
        self.under_way: list[str] = []
        self.together: Counter[frozenset[str]] = Counter()
        self.most = 0
        self.threads: dict[str, set[int]] = {}
        super().__init__(settings)

    def __getattribute__(self, name: str):
        found = super().__getattribute__(name)
        if name not in CALLS:
            return found

        def noted(*words: object, **named: object) -> object:
            self.threads.setdefault(name, set()).add(threading.get_ident())
            self.together.update(frozenset((name, other)) for other in list(self.under_way))
            self.under_way.append(name)
            self.most = max(self.most, len(self.under_way))
            time.sleep(0.0005)
            try:
                return found(*words, **named)
            finally:
                self.under_way.remove(name)

        return noted


class OverlappingNot(Overlapping):
    """It may be called by one thread only."""

    thread_safe = False


class RaisesForOne(Locked):
    """It raises for one worker once another got work, and waits a while for that."""

    def locked(self, call):
        return call if call.__name__ == "claim" else super().locked(call)

    def claim(self, worker: str) -> Claim | None:
        if worker != "w0":
            with self.lock:
                return super().claim(worker)
        until = time.monotonic() + 0.2
        while self.tasks and time.monotonic() < until:
            if any(task.state == "in_progress" for task in self.tasks):
                return self.for_one(worker)
            time.sleep(0.001)
        return None

    def for_one(self, worker: str) -> Claim | None:
        raise KeyError(worker)


class HangsForOne(RaisesForOne):
    def for_one(self, worker: str) -> Claim | None:
        threading.Event().wait(60)


class GarbageForOne(RaisesForOne):
    def for_one(self, worker: str) -> Claim | None:
        return worker  # type: ignore[return-value]
