"""A complete system that owns its workers, in threads, to read and to soak: soak target check thread_system:ThreadSystem."""

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from soak.body import Body, PermanentError, RunnerGoneError, TransientError
from soak.contract import Accepted, Change, ChangeType, Refused, Snapshot, SystemSettings


@dataclass
class Task:
    """A task and its state."""

    id: int
    key: str
    payload: str
    state: str = "pending"
    attempt: int = 0
    due: float = 0.0


class ThreadSystem:
    """Each worker is a thread that takes the oldest due task and calls its body."""

    def __init__(self, settings: SystemSettings) -> None:
        self.settings = settings
        self.lock = threading.Lock()
        self.tasks: list[Task] = []
        self.active: set[str] = set()  # keys that are PENDING, IN_PROGRESS or DONE
        self.log: list[Change] = []
        self.stopped = threading.Event()
        self.workers = [
            threading.Thread(target=self.work, args=(f"w{n}",), daemon=True) for n in range(settings.workers)
        ]
        for worker in self.workers:
            worker.start()

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """A new task, unless the key is PENDING, IN_PROGRESS or DONE."""
        with self.lock:
            if key in self.active:
                self.log.append(Change(ChangeType.SKIPPED, None, key, time.time()))
                return Refused()
            task = Task(len(self.tasks), key, payload, due=time.time())
            self.tasks.append(task)
            self.active.add(key)
            self.tell(ChangeType.ENQUEUED, task)
            return Accepted(task.id)

    def changes(self) -> list[Change]:
        """What happened since the last call."""
        with self.lock:
            log, self.log = self.log, []
        return log

    def snapshot(self) -> Snapshot:
        """How many tasks are in each state."""
        with self.lock:
            return Snapshot(**Counter(task.state for task in self.tasks))

    def stop(self) -> None:
        """No body starts after this."""
        self.stopped.set()

    def close(self) -> None:
        """The threads end when the runner closes the connection."""
        self.stop()

    def tell(self, what: ChangeType, task: Task, worker: str = "", due: float = 0.0, error: str = "") -> None:
        """Append a change to the log."""
        self.log.append(Change(what, task.id, task.key, time.time(), task.attempt, worker, due, error))

    def work(self, worker: str) -> None:
        """The loop of a worker, until the runner is gone."""
        with suppress(RunnerGoneError), Body(self.settings.desk) as body:
            while not self.stopped.wait(self.settings.poll_interval_s):
                while task := self.claim(worker):
                    self.attempt(task, worker, body)

    def attempt(self, task: Task, worker: str, body: Body) -> None:
        """Execute a task, and record its outcome."""
        try:
            result = body.run(task.payload, attempt=task.attempt, worker=worker)
        except TransientError as error:
            self.try_again(task, worker, str(error))
        except PermanentError as error:
            self.end(task, worker, ChangeType.FAILED, str(error))
        else:
            over = result.tokens > self.settings.hard_tokens and self.settings.blocks
            self.end(task, worker, ChangeType.BLOCKED if over else ChangeType.DONE)

    def claim(self, worker: str) -> Task | None:
        """The oldest task that is due."""
        with self.lock:
            now = time.time()
            task = next((task for task in self.tasks if task.state == "pending" and task.due <= now), None)
            if task is None or self.stopped.is_set():
                return None
            task.state, task.attempt = "in_progress", task.attempt + 1
            self.tell(ChangeType.DISPATCHED, task, worker)
            return task

    def try_again(self, task: Task, worker: str, error: str) -> None:
        """PENDING until its backoff is over, or FAILED after the last attempt."""
        if task.attempt >= self.settings.max_attempts:
            self.end(task, worker, ChangeType.FAILED, error)
            return
        with self.lock:
            task.state, task.due = "pending", time.time() + self.settings.backoff_after(task.attempt)
            self.tell(ChangeType.RETRY, task, worker, task.due, error)

    def end(self, task: Task, worker: str, how: ChangeType, error: str = "") -> None:
        """DONE, FAILED or BLOCKED; the key is free again unless it is DONE."""
        with self.lock:
            task.state = how.value
            if how is not ChangeType.DONE:
                self.active.discard(task.key)
            self.tell(how, task, worker, error=error)
