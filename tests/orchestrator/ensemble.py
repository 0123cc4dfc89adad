"""Helpers of the orchestrator's tests: a clock to set, shorthands, and real processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.model import Enqueued, EventType, Task, TaskState
from soak.systems.orchestrator.settings import Settings

PATIENCE_S = 60.0
OPEN = (TaskState.PENDING, TaskState.IN_PROGRESS)


@dataclass
class FakeTime:
    """Stands in for the module `time`: sleeping moves it on, and may do something else meanwhile."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)
    meanwhile: Callable[[], object] | None = None

    def time(self) -> float:
        return self.now

    def sleep(self, duration_s: float) -> None:
        self.slept.append(duration_s)
        self.now += duration_s
        if (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            meanwhile()


def added(store: Store, key: str = "a", payload: str = "") -> int:
    answer = store.enqueue(key, payload)
    assert isinstance(answer, Enqueued)
    return answer.task_id


def got(store: Store, task_id: int) -> Task:
    task = store.task(task_id)
    assert task is not None
    return task


def claimed(store: Store, worker: str = "w0") -> Task:
    task = store.claim(worker)
    assert task is not None
    return task


def types(store: Store) -> list[EventType]:
    return [event.type for event in store.events_after(0)]


def put_into(store: Store, state: TaskState, key: str = "a") -> int:
    """A task in this state, by legal steps; the queue must be empty before."""
    task_id = added(store, key)
    if state is TaskState.CANCELLED:
        store.cancel(task_id)
    elif state is not TaskState.PENDING:
        task = claimed(store)
        if state is TaskState.DONE:
            store.complete(task_id, "w0", task.attempt)
        elif state is TaskState.FAILED:
            store.fail(task_id, "w0", task.attempt, "broken", transient=False)
        elif state is TaskState.BLOCKED:
            store.block(task_id, "w0", task.attempt, "guardrail_exceed")
    return task_id


def can_be_asked(pid: int) -> bool:
    """Whether a process has got so far that SIGTERM no longer just ends it."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


class Ensemble:
    """Dispatchers, workers and a watchdog as processes, with times in milliseconds; all end with the `with` statement."""

    def __init__(self, root: Path) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="orch"))
        self.ledger = self.dir / "ledger"
        self.root = root
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.settings = Settings(
            db=str(self.dir / "queue.db"),
            run_dir=str(self.dir),
            poll_interval_s=0.002,
            watchdog_interval_s=0.02,
            lease_s=1.0,
            heartbeat_s=0.05,
            backoff_s=(0.01, 0.02),
            max_attempts=3,
            busy_timeout_s=0.25,
            soft_tokens=80,
            hard_tokens=100,
        )

    def __enter__(self) -> Self:
        self.store = Store(self.settings.db, self.settings)
        (self.dir / "config.json").write_text(json.dumps(asdict(self.settings)))
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.store.close()
        shutil.rmtree(self.dir)

    def start(self, kind: str, name: str, *, body: str = "bodies:recorded") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"soak.systems.orchestrator.{kind}", "--config", str(self.dir / "config.json")]
        with (self.dir / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*command, "--name", name, *(["--body", body] if kind == "worker" else [])],
                cwd=self.root,
                stderr=log,
                env={**os.environ, "LEDGER": str(self.ledger), "PYTHONPATH": str(Path(__file__).parent)},
            )
        return self.processes[name]

    def start_all(self, *, dispatchers: int = 1, workers: int = 2) -> None:
        for number in range(dispatchers):
            self.start("dispatcher", f"d{number}")
        self.start("watchdog", "watchdog")
        for number in range(workers):
            self.start("worker", f"w{number}")
        self.until(lambda: self.store.snapshot().workers == workers)
        self.until(lambda: all(can_be_asked(process.pid) for process in self.processes.values()))

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def enqueue(self, key: str, **payload: object) -> int:
        return added(self.store, key, json.dumps(payload))

    def until(self, condition: Callable[[], object]) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end_s, self.logs()
            time.sleep(0.005)

    def until_state(self, task_id: int, state: TaskState) -> None:
        self.until(lambda: got(self.store, task_id).state is state)

    def until_quiet(self) -> None:
        self.until(lambda: not self.store.tasks(*OPEN))

    def logs(self) -> str:
        texts = {path.name: path.read_text() for path in sorted(self.dir.glob("*.log"))}
        return "\n".join([*(f"{name}:\n{text}" for name, text in texts.items()), str(self.store.snapshot())])

    def executions(self) -> list[list[str]]:
        """The ledger that the bodies write: `started` or `ended`, task, attempt, worker."""
        return [line.split() for line in self.ledger.read_text().splitlines()] if self.ledger.exists() else []

    def overlapping(self) -> list[str]:
        """The tasks that were started while an execution of them was running, or after it had ended well."""
        running: Counter[str] = Counter()
        done, found = set(), []
        for what, task, *_rest in self.executions():
            if what == "started":
                found += [task] if running[task] or task in done else []
                running[task] += 1
            else:
                running[task] -= 1
                done |= {task} if what == "ended" else set()
        return found
