"""The processes of the system under test: each in its own process group, with a log; none outlives the runner."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from soak.runner.targets.queue.orchestrator.launch import command
from soak.schemas.errors import OutputError

_PATIENCE_S = 5.0


class Processes:
    """Starts, stops and kills processes by name. `directory` takes their logs and is where they run."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self._environment = environment
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, list[str]] = {}
        self.held: dict[str, socket.socket] = {}
        """Those that wait for `go`, each at the other end of a line."""

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start `python -m module arguments`. Raises OutputError when its log cannot be written."""
        self._commands[name] = command(module, *arguments)
        self.restart(name)

    def start_held(self, name: str, module: str, *arguments: str) -> None:
        """Start it as far as it can be without doing anything: it begins with `go`, and when started again at once."""
        self._commands[name] = command(module, *arguments, held=True)
        self.held[name], theirs = socket.socketpair()
        with theirs:
            self._start(name, theirs.fileno())

    def is_ready(self, name: str, patience_s: float) -> bool:
        """Wait for a held process to be loaded; False if it exited, or on timeout."""
        self.held[name].settimeout(max(0.0, patience_s))
        try:
            return bool(self.held[name].recv(1))
        except OSError:
            return False

    def go(self) -> None:
        """Let those begin that are held."""
        while self.held:
            self.held.popitem()[1].close()

    def restart(self, name: str) -> None:
        """Start a process again that is gone; one that is not is killed first."""
        if name in self._running:
            self.kill(name)
        self._start(name, subprocess.DEVNULL)

    def _start(self, name: str, stdin: int) -> None:
        path = self.directory / f"{name}.log"
        try:
            with path.open("ab") as log:
                self._running[name] = subprocess.Popen(
                    self._commands[name],
                    stdin=stdin,
                    stdout=log,
                    stderr=log,
                    cwd=self.directory,
                    env={**os.environ, **self._environment},
                    start_new_session=True,
                )
        except OSError as error:
            raise OutputError.of(path, error) from None

    def processes(self) -> dict[str, int]:
        """The process ids of those that are alive, by name."""
        return {name: process.pid for name, process in self._running.items() if process.poll() is None}

    def gone(self) -> list[str]:
        """The names of those that ended by themselves."""
        return [name for name, process in self._running.items() if process.poll() is not None]

    def lost(self, name: str) -> None:
        """Forget one that ended by itself, until `restart`."""
        self._running.pop(name).wait()

    def kill(self, name: str) -> None:
        """SIGKILL, as a crash; the process is forgotten until `restart`. No effect if it has exited."""
        if process := self._running.pop(name, None):
            self._signal(process, signal.SIGKILL)
            process.wait()

    def terminate(self, name: str) -> None:
        """SIGTERM, where there is such a process: it does what it has been given, and exits."""
        if name in self._running:
            self._signal(self._running[name], signal.SIGTERM)

    def has_ended(self, name: str) -> bool:
        """Whether a process has exited; then it is forgotten until `restart`."""
        if name in self._running and self._running[name].poll() is None:
            return False
        self._running.pop(name, None)
        return True

    def pause(self, name: str) -> None:
        """SIGSTOP, where there is such a process."""
        if name in self._running:
            self._signal(self._running[name], signal.SIGSTOP)

    def wake(self, name: str) -> None:
        """SIGCONT."""
        if name in self._running:
            self._signal(self._running[name], signal.SIGCONT)

    def wake_all(self) -> None:
        """SIGCONT to all of them."""
        for name in self._running:
            self.wake(name)

    def _signal(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def stop(self) -> None:
        """Terminate all of them, and kill those that do not exit."""
        self.go()
        for process in self._running.values():
            self._signal(process, signal.SIGCONT)
            self._signal(process, signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._signal(process, signal.SIGKILL)
                process.wait()
        self._running.clear()
