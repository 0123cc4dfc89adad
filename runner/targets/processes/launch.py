"""Programs started from command lines: each in a session of its own, its output appended to a log.

Whatever they start ends with the run where this is done inside `offspring_ended`.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from msgspec import Struct

from soak.runner.targets.processes.ending import kill_session, kill_tree
from soak.runner.targets.processes.identity import ProcessId, stat
from soak.schemas.errors import OutputError, SoakError, quoted, reason
from soak.schemas.target.model import Program

_LAST_BYTES = 4096
_GONE_WITHIN_S = 5.0


class Missing(Struct, frozen=True):
    """What a program needs and is not there: the key that names it, what is wrong and what to do."""

    key: str
    what: str
    remedy: str


class StartError(SoakError):
    """A program could not be started, or ended before it was ready."""


@dataclass(slots=True)
class Child:
    """A program that soak started. log_from: where in the log its own output begins."""

    name: str
    id: ProcessId
    log: Path
    log_from: int
    _popen: "subprocess.Popen[bytes]" = field(repr=False)

    def exit(self) -> int | None:
        """What it exited with (below 0: the signal that ended it); None while it runs."""
        return self._popen.poll()

    def last_line(self) -> str:
        """The last line of its output; empty without any."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self.log_from, size - _LAST_BYTES))
                lines = file.read().decode(errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def wait(self, timeout_s: float) -> int | None:
        """What it exited with, waiting for at most `timeout_s`; None if it still runs."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None


class Launcher:
    """Starts programs, whose texts have no names in braces left. logs: the directory of `<name>.log`.

    environment: of all of them, beside soak's own. here: what relative working directories start from. `end_all` when it is over.
    """

    def __init__(self, logs: Path, here: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._here = here
        self._environment = environment
        self._started: list[Child] = []

    def missing(self, program: Program) -> Missing | None:
        """What of a program does not exist; None if all is there."""
        folder = self.folder_of(program)
        if not folder.is_dir():
            remedy = "correct it; it starts from the folder of the target file"
            return Missing("directory", f"there is no directory {quoted(program.directory)}", remedy)
        command = shlex.split(program.command)[0]
        if "/" in command:
            found = (folder / command).is_file() and os.access(folder / command, os.X_OK)
        else:
            found = shutil.which(command, path=self.environment_of(program).get("PATH")) is not None
        if found:
            return None
        remedy = "correct it, install it, or set PATH in its environment"
        return Missing("command", f"there is no command {quoted(command)}", remedy)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command that is of no program."""
        return {**os.environ, **self._environment}

    @property
    def here(self) -> Path:
        """What relative working directories start from."""
        return self._here

    def environment_of(self, program: Program) -> dict[str, str]:
        """The environment of a program."""
        return {**self.environment, **program.environment}

    def start(self, program: Program, more: Mapping[str, str] | None = None) -> Child:
        """Start a program; `more`: variables for this start alone. Raises StartError and OutputError."""
        path = self._logs / f"{program.name}.log"
        try:
            with path.open("ab") as log:
                before = log.seek(0, os.SEEK_END)
                popen = self._popen(program, log.fileno(), more or {})
        except OSError as error:
            raise OutputError.of(path, error) from None
        found = stat(popen.pid)
        assert found is not None, "a child that was not waited for is there"
        child = Child(program.name, found.id, path, before, popen)
        self._started = [each for each in self._started if each.exit() is None]
        self._started.append(child)
        return child

    def end_all(self) -> None:
        """Kill what still runs of all that was started, with its session, and wait for it."""
        for each in self._started:
            if each.exit() is None:
                kill_tree(each.id)
                kill_session(each.id.pid)
                each.wait(_GONE_WITHIN_S)
        self._started.clear()

    def _popen(self, program: Program, log: int, more: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        words = shlex.split(program.command)
        try:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder_of(program),
                env={**self.environment_of(program), **more},
                start_new_session=True,
            )
        except OSError as error:
            what = f"{program.name}: {quoted(words[0])} cannot be started: {reason(error)}"
            raise StartError(f"{what} (correct its command or directory)") from None

    def __enter__(self) -> "Launcher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_all()

    def folder_of(self, program: Program) -> Path:
        """The working directory of a program."""
        return self._here / program.directory
