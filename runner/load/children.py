"""The processes of this machine that make load: started, listened to, ended."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from soak.runner.load.frames import Message, Pipe
from soak.schemas.errors import SoakError, UsageError

_ENDS_WITHIN_S = 1.0


class Children:
    """All of them; the first speaks for all, the others are only held by their pipes, which end them."""

    def __init__(self, log: Path | None) -> None:
        self.log = log or Path(os.devnull)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._pipes: dict[str, Pipe] = {}
        self._number: dict[str, int] = {}
        self._speaker: Pipe | None = None

    def start(self, name: str, arguments: Iterable[str]) -> None:
        """Start a process. Its pipe is its life: it ends when the runner does."""
        pipe = Pipe()
        command = [sys.executable, "-m", "soak.runner.load", str(pipe.fd), str(os.getpid()), *arguments]
        with self.log.open("ab") as log:
            # Not in the terminal's group: Ctrl-C is for the runner, which ends them in order.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[pipe.fd],
                start_new_session=True,
            )
        pipe.started()
        self._processes[name], self._pipes[name] = process, pipe
        self._speaker = self._speaker or pipe

    def number(self, name: str, worker: int) -> None:
        """A process sends requests as this worker."""
        self._number[name] = worker

    @property
    def pids(self) -> dict[str, int]:
        """Those that run, by name."""
        return {name: each.pid for name, each in self._processes.items() if each.poll() is None}

    def say(self, message: Message) -> None:
        """Tell the first process something."""
        assert self._speaker
        self._speaker.say(message)

    def read(self, patience_s: float) -> list[Message]:
        """What has been told, waiting for `patience_s` at most. Raises UsageError and SoakError as processes report them."""
        assert self._speaker
        found = self._speaker.read(patience_s)
        for pipe in self._pipes.values():
            if pipe is not self._speaker:
                found += [each for each in pipe.read() if each["is"] == "failed"]
        for message in found:
            if message["is"] == "failed":
                raise (UsageError if message["usage"] else SoakError)(message["words"])
        return found

    def refuse_end(self, *, of_any: bool = False) -> None:
        """Raise SoakError if the first process, or any of them, has ended by itself."""
        ended = [name for name, process in self._processes.items() if process.poll() is not None]
        if (self._processes and self._speaker and self._speaker.closed) or (of_any and ended):
            # The pipe of a process may be closed a moment before the process has ended.
            names = " ".join(ended) or next(iter(self._processes))
            raise SoakError(f"the load generator {names} ended by itself (see {self.log})")

    def kill(self, worker: int) -> None:
        """Kill a worker of this machine, as one that cannot be trusted to stop."""
        for name, number in self._number.items():
            if number == worker and name in self._processes:
                self._processes[name].kill()

    def ended(self) -> list[int]:
        """The numbers of workers on this machine whose process has ended."""
        return [
            self._number[name]
            for name, process in self._processes.items()
            if name in self._number and process.poll() is not None
        ]

    def code(self, name: str) -> int | None:
        """The exit code of a process; None while it runs."""
        return self._processes[name].poll()

    def forget(self) -> None:
        """From here on they may end."""
        self._processes, gone = {}, self._processes
        self._end(gone)

    def close(self) -> None:
        """End all: by the end of their pipes, and by force what does not end."""
        self.forget()

    def _end(self, processes: dict[str, subprocess.Popen[bytes]]) -> None:
        for pipe in self._pipes.values():
            pipe.close()
        until_s = time.monotonic() + _ENDS_WITHIN_S
        for process in processes.values():
            try:
                process.wait(max(0.0, until_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
