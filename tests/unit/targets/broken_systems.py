"""The system of the example with one thing wrong at a time."""

import sys
import time
from dataclasses import replace
from pathlib import Path

from soak.contract import Accepted, Change, ChangeType, Refused, Snapshot, SystemSettings

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
if str(EXAMPLES) not in sys.path:
    sys.path.insert(0, str(EXAMPLES))

from thread_system import Task, ThreadSystem  # noqa: E402


class IdempotencyOff(ThreadSystem):
    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        self.active.discard(key)
        return super().enqueue(key, payload)


class BackoffIgnored(ThreadSystem):
    def try_again(self, task: Task, worker: str, error: str) -> None:
        super().try_again(task, worker, error)
        task.due = 0.0


class RetriesWithoutEnd(ThreadSystem):
    def try_again(self, task: Task, worker: str, error: str) -> None:
        with self.lock:
            task.state, task.due = "pending", time.time() + self.settings.backoff_after(task.attempt)
            self.tell(ChangeType.RETRY, task, worker, task.due, error)


class GuardrailIgnored(ThreadSystem):
    def end(self, task: Task, worker: str, how: ChangeType, error: str = "") -> None:
        super().end(task, worker, ChangeType.DONE if how is ChangeType.BLOCKED else how, error)


class FailureIsDone(ThreadSystem):
    def end(self, task: Task, worker: str, how: ChangeType, error: str = "") -> None:
        super().end(task, worker, ChangeType.DONE, error)


class TellsTwice(ThreadSystem):
    def changes(self) -> list[Change]:
        return [each for each in super().changes() for _ in range(2)]


class TellsNothing(ThreadSystem):
    def changes(self) -> list[Change]:
        super().changes()
        return []


class OneWorker(ThreadSystem):
    def claim(self, worker: str) -> Task | None:
        return super().claim(worker) if worker == "w0" else None


class SnapshotForgetsBlocked(ThreadSystem):
    def snapshot(self) -> Snapshot:
        told = super().snapshot()
        return Snapshot(told.pending, told.in_progress, told.done, told.failed)


class NeverStops(ThreadSystem):
    def stop(self) -> None:
        pass


class Hangs(ThreadSystem):
    def changes(self) -> list[Change]:
        time.sleep(60)
        return []


class Garbage(ThreadSystem):
    def changes(self) -> list[Change]:
        return ["done"]


class WrongProcess(ThreadSystem):
    def processes(self) -> dict[str, int]:
        return {"w0": "1234"}


class Strangers(ThreadSystem):
    """Its bodies are told other names than its processes have; one worker, so that there is no doubt which it is."""

    def __init__(self, settings: SystemSettings) -> None:
        super().__init__(replace(settings, workers=1))

    def processes(self) -> dict[str, int]:
        return {"worker-process-1": 2**22 - 1}
