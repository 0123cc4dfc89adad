"""Control of the processes of a system: kill, stop, continue, restart."""

import os
import signal
from contextlib import suppress
from typing import Protocol

from soak.runner.targets.queue.system_adapter.caller import SystemCaller
from soak.schemas.errors import SoakError, reason


class ProcessControl(Protocol):
    """Processes by the worker names passed to task bodies."""

    def kill(self, name: str) -> None:
        """SIGKILL, as a crash."""

    def pause(self, name: str) -> None:
        """SIGSTOP."""

    def wake(self, name: str) -> None:
        """SIGCONT, where there is still such a process."""

    def wake_all(self) -> None:
        """SIGCONT to every process that was stopped."""

    def restart(self, name: str) -> None:
        """Restart a killed process."""


class ProcessIds:
    """Process control by the process ids that a system reports. Every method may raise BusyError."""

    def __init__(self, system: SystemCaller) -> None:
        self._system = system
        self._paused: dict[str, int] = {}

    def kill(self, name: str) -> None:
        """SIGKILL. Raises SoakError for a name that the system does not report."""
        self._send(name, self._pid(name), signal.SIGKILL)

    def pause(self, name: str) -> None:
        """SIGSTOP. Raises SoakError for a name that the system does not report."""
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
        """Continue all stopped processes."""
        for name in list(self._paused):
            self.wake(name)

    def _pid(self, name: str) -> int:
        pids = self._system.processes()
        if name not in pids:
            there = ", ".join(sorted(pids)) or "none"
            raise SoakError(f"{self._system.name}.processes() has no process for worker {name!r} (it has {there})")
        return pids[name]

    def _send(self, name: str, pid: int, number: signal.Signals) -> None:
        try:
            os.kill(pid, number)
        except OSError as error:
            what = f"returned process {pid} for worker {name!r}, which cannot be signalled: {reason(error)}"
            raise SoakError(f"{self._system.name}.processes() {what}") from None
