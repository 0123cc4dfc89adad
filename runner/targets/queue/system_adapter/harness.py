"""The harness of a system's contract checks: a new system, a body server, and assertions."""

import os
import selectors
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from soak.contract import (
    Accepted,
    BusyError,
    Change,
    ChangeType,
    Refused,
    Snapshot,
    System,
    SystemSettings,
    TaskId,
)
from soak.runner.targets.keys import key_of, payload_of
from soak.runner.targets.queue.checks import (
    SHORT_S,
    SkippedError,
    UnmetError,
    expect,
    expect_counts,
    settings_for_checks,
)
from soak.runner.targets.queue.system_adapter.body_server import BodyServer, Execution
from soak.runner.targets.queue.system_adapter.caller import SystemCaller
from soak.runner.targets.sockets import socket_directory

WORKERS = 3
_LOOK_EVERY_S = 0.02
_SETTLED_S = 0.25


class ContractHarness:
    """One new system. Tasks are numbers, as in a plan: the key of task `n` is that of its first submission."""

    def __init__(self, kind: type[System], directories: Callable[[], Path], lease_s: float, patience_s: float) -> None:
        self.patience_s = patience_s
        self.changes: list[Change] = []
        """All reported changes."""
        self.running: list[Execution] = []
        """Bodies that have started and were not told to end, in the order in which they started."""
        self.started: list[tuple[int, int]] = []
        """The number and attempt of every body that started."""
        self._paused: set[int] = set()
        self._stack = ExitStack()
        try:
            sockets = Path(self._stack.enter_context(socket_directory()))
            self._selector = self._stack.enter_context(selectors.DefaultSelector())
            self._body_server = self._stack.enter_context(closing(BodyServer(sockets / "desk", self._selector)))
            self._body_server.answer(started=self._started, ended=lambda *_: None, lost=self._lost)
            settings = SystemSettings(
                **settings_for_checks(directories(), lease_s, WORKERS),
                desk=self._body_server.path.absolute(),
                dispatchers=1,
                poll_interval_s=SHORT_S / 10,
                watchdog_interval_s=SHORT_S / 10,
                busy_timeout_s=patience_s,
                claim_s=0.0,
                blocks=True,
            )
            self.system = SystemCaller(kind, settings, patience_s)
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """Close the system, and continue stopped processes."""
        self.wake()
        self._body_server.close()
        try:
            self.asked(self.system.close)
        finally:
            self._stack.close()

    def offer(self, number: int) -> Accepted | Refused:
        """Enqueue a task."""
        answer: Accepted | Refused = self.asked(lambda: self.system.enqueue(key_of(number), payload_of(number)))
        return answer

    def add(self, number: int) -> TaskId:
        """Enqueue a new task."""
        answer = self.offer(number)
        if not isinstance(answer, Accepted):
            raise UnmetError(f"key {key_of(number)} to be accepted", answer)
        return answer.task_id

    def body(self, number: int, attempt: int = 1) -> Execution:
        """The body of an attempt, once it runs."""
        self.until(
            f"the body of task {key_of(number)} to run attempt {attempt}",
            lambda: (number, attempt) in self.started,
            lambda: f"bodies of (task number, attempt) {self.started}",
        )
        found = [each for each in self.running if (each.number, each.attempt) == (number, attempt)]
        expect("that body to run until it is told to end", "a body whose worker is gone", met=bool(found))
        return found[-1]

    def bodies(self, count: int) -> list[Execution]:
        """Wait for a number of running bodies."""
        what = f"{count} bodies to run at a time"
        self.until(what, lambda: len(self.running) >= count, lambda: f"{len(self.running)} that run")
        return list(self.running)

    def finish(self, execution: Execution, end: str = "ok", tokens: int = 0) -> None:
        """Let a body end."""
        if execution in self.running:
            self.running.remove(execution)
        self._body_server.finish(execution, end=end, error="network", tokens=tokens)

    def reported(self, kind: ChangeType, attempt: int = 1) -> Change:
        """Wait for a change of a kind."""

        def found() -> list[Change]:
            return [each for each in self.changes if each.type is kind and each.attempt == attempt]

        self.until(
            f"{kind.name} of attempt {attempt} from changes", lambda: bool(found()), lambda: self.kinds() or "nothing"
        )
        return found()[0]

    def kinds(self) -> str:
        """The kinds of reported changes."""
        return ", ".join(each.type.name for each in self.changes)

    def settle(self) -> None:
        """Wait long enough for a forbidden event to happen."""
        self._listen(time.monotonic() + _SETTLED_S)

    def counts(self, meant: Snapshot) -> None:
        """Assert its snapshot."""
        expect_counts(meant, self.asked(self.system.snapshot))

    def pid(self, execution: Execution) -> int:
        """The process that runs a body."""
        pids = self.processes()
        expect(
            f"processes to list the worker {execution.worker!r} under the name passed to its body",
            ", ".join(sorted(pids)) or "none",
            met=execution.worker in pids,
        )
        return pids[execution.worker]

    def processes(self) -> dict[str, int]:
        """Its processes. Raises SkippedError if it reports none."""
        pids: dict[str, int] = self.asked(self.system.processes)
        if not pids:
            raise SkippedError("the class has no processes()")
        return pids

    def kill(self, execution: Execution) -> None:
        """Kill the worker that runs a body."""
        os.kill(self.pid(execution), signal.SIGKILL)
        self.until("the killed worker's connection to close", lambda: execution.over, lambda: "a body that still runs")
        self.asked(lambda: self.system.restart(execution.worker))

    def pause(self, execution: Execution) -> None:
        """Stop the worker that runs a body."""
        pid = self.pid(execution)
        self._paused.add(pid)
        os.kill(pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Let stopped workers go on."""
        while self._paused:
            with suppress(ProcessLookupError):
                os.kill(self._paused.pop(), signal.SIGCONT)

    def until(self, expected: str, met: Callable[[], bool], came: Callable[[], object]) -> None:
        """Wait until something holds, up to the timeout. Raises UnmetError."""
        until = time.monotonic() + self.patience_s
        while not met():
            if time.monotonic() > until:
                raise UnmetError(f"{expected} within {self.patience_s:g} s", came())
            self._listen(time.monotonic() + _LOOK_EVERY_S)

    def _listen(self, until: float) -> None:
        while (wait_s := until - time.monotonic()) > 0:
            for key, _ in self._selector.select(wait_s):
                key.data()
        self.changes += self.asked(self.system.changes)

    def asked(self, call: Callable[[], Any]) -> Any:
        """The result of a call, retried while the system is busy."""
        until = time.monotonic() + self.patience_s
        while True:
            try:
                return call()
            except BusyError:
                if time.monotonic() > until:
                    raise UnmetError("an answer", f"BusyError for {self.patience_s:g} s") from None
                time.sleep(_LOOK_EVERY_S)

    def _started(self, execution: Execution) -> None:
        self.started.append((execution.number, execution.attempt))
        self.running.append(execution)

    def _lost(self, execution: Execution) -> None:
        if execution in self.running:
            self.running.remove(execution)
