"""What the runner does to the processes of a system: kill, stop, let go on, start again."""

import os
import signal
from contextlib import suppress
from typing import Protocol

from soak.runner.targets.queue.system_adapter.caller import SystemCaller
from soak.schemas.errors import SoakError, reason


class ProcessControl(Protocol):
    """Processes by the names that the bodies of tasks are given."""

    def kill(self, name: str) -> None:
        """SIGKILL, as a crash."""

    def pause(self, name: str) -> None:
        """SIGSTOP."""

    def wake(self, name: str) -> None:
        """SIGCONT, where there is still such a process."""

    def wake_all(self) -> None:
        """SIGCONT to every process that was stopped."""

    def restart(self, name: str) -> None:
        """Start a process again that was killed."""


class ProcessIds:
    """Hands for a system that tells the ids of its processes. Any of them may raise BusyError."""

    def __init__(self, system: SystemCaller) -> None:
        self._system = system
        self._paused: dict[str, int] = {}

    def kill(self, name: str) -> None:
        """SIGKILL. Raises SoakError for a name that the system does not tell."""
        self._send(name, self._pid(name), signal.SIGKILL)

    def pause(self, name: str) -> None:
        """SIGSTOP. Raises SoakError for a name that the system does not tell."""
        self._paused[name] = pid = self._pid(name)
        self._send(name, pid, signal.SIGSTOP)

    def wake(self, name: str) -> None:
        """SIGCONT to the process that was stopped."""
        if (pid := self._paused.pop(name, None)) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def restart(self, name: str) -> None:
        """Ask the system to."""
        self._system.restart(name)

    def wake_all(self) -> None:
        """Leave nothing stopped."""
        for name in list(self._paused):
            self.wake(name)

    def _pid(self, name: str) -> int:
        pids = self._system.processes()
        if name not in pids:
            there = ", ".join(sorted(pids)) or "none"
            raise SoakError(f"{self._system.name}.processes() tells no process of the worker {name!r} ({there})")
        return pids[name]

    def _send(self, name: str, pid: int, number: signal.Signals) -> None:
        try:
            os.kill(pid, number)
        except OSError as error:
            what = f"tells of the worker {name!r} the process {pid}, which cannot be signalled: {reason(error)}"
            raise SoakError(f"{self._system.name}.processes() {what}") from None
