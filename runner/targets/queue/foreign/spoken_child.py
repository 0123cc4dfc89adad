"""One life of a process that speaks lines on standard input and output; nothing here waits."""

import fcntl
import os
import selectors
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeAlias

from msgspec import Struct

from soak.runner.targets.processes.ending import kill_session, kill_tree
from soak.runner.targets.processes.identity import ProcessId, stat
from soak.runner.targets.processes.launch import StartError
from soak.runner.targets.queue.foreign.messages import MOST_BYTES
from soak.schemas.errors import OutputError, quoted, reason

_LAST_BYTES = 4096
_PIPE_BYTES = 65_536
_ENDS_WITHIN_S = 1.0

Later: TypeAlias = Callable[[float, Callable[[], None]], object]
"""Calls a function in a number of real seconds, from the loop of the selector."""


class Start(Struct, frozen=True):
    """How a process is started; its standard error is appended to `log`."""

    words: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    log: Path


class SpokenChild:
    """A process that was started. heard: called with each line of its output; over: with what has become of it, once.

    later: for timers. Raises StartError and OutputError.
    """

    def __init__(
        self,
        start: Start,
        selector: selectors.BaseSelector,
        heard: Callable[[bytes], None],
        over: Callable[[str], None],
        later: Later,
    ) -> None:
        self._later = later
        self._start, self._selector, self._heard, self._over = start, selector, heard, over
        self._unsent: deque[tuple[object, bytes]] = deque()
        self._begun = b""
        """What is left of a line of which a part was written."""
        self._rest = b""
        self._skips = False
        """Whether a line is being read that is too long."""
        self._writes = self._closed = False
        self._popen, self._log_from = _popen(start)
        found = stat(self._popen.pid)
        assert found, "a child that was not waited for is there"
        self.id: ProcessId = found.id
        assert self._popen.stdin and self._popen.stdout
        self._in, self._out = self._popen.stdin.fileno(), self._popen.stdout.fileno()
        for pipe in (self._in, self._out):
            os.set_blocking(pipe, False)
        with suppress(OSError):
            # What is in the pipe of a process that dies is unknown: the less, the better.
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, os.sysconf("SC_PAGE_SIZE"))
        self._handle = os.pidfd_open(self._popen.pid)
        selector.register(self._out, selectors.EVENT_READ, self._hear)
        selector.register(self._handle, selectors.EVENT_READ, self._ended)

    def send(self, key: object, line: bytes) -> None:
        """Send a line, once the process reads; none to one that has ended. key: by which it can be withdrawn."""
        if not self._closed:
            self._unsent.append((key, line))
            self._write()

    def withdraw(self, key: object) -> bool:
        """Do not send a line after all; False if it was sent, or a part of it."""
        found = next((each for each in self._unsent if each[0] == key), None)
        if found is None or (self._begun and found is self._unsent[0]):
            return False
        self._unsent.remove(found)
        return True

    def last_line(self) -> str:
        """The last line of its standard error; empty without any."""
        try:
            with self._start.log.open("rb") as file:
                file.seek(max(self._log_from, file.seek(0, os.SEEK_END) - _LAST_BYTES))
                lines = file.read().decode(errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def close(self) -> None:
        """End it, and all that it has started; nothing is called any more."""
        if self._closed:
            return
        self._closed = True
        for each in (self._out, self._handle, *((self._in,) if self._writes else ())):
            with suppress(KeyError):
                self._selector.unregister(each)
        kill_tree(self.id)
        kill_session(self.id.pid)
        self._popen.wait()
        os.close(self._handle)
        assert self._popen.stdin and self._popen.stdout
        self._popen.stdout.close()
        with suppress(OSError):
            self._popen.stdin.close()

    def kill(self, why: str) -> None:
        """End it, and say what has become of it."""
        if not self._closed:
            last = self.last_line()
            self.close()
            self._over(f"{why}{f': {last}' if last else ''}")

    def _write(self) -> None:
        while self._unsent:
            rest = self._begun or self._unsent[0][1]
            try:
                written = os.write(self._in, rest)
            except OSError:
                break  # the pipe is full; or it reads no more, and is ended for that
            self._begun = rest[written:]
            if not self._begun:
                self._unsent.popleft()
        wanted = bool(self._unsent)
        if wanted and not self._writes:
            self._selector.register(self._in, selectors.EVENT_WRITE, self._write)
        elif self._writes and not wanted:
            self._selector.unregister(self._in)
        self._writes = wanted

    def _hear(self) -> None:
        try:
            heard = os.read(self._out, _PIPE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        if not heard:
            self._selector.unregister(self._out)
            # Usually it is about to end, and how is more telling.
            self._later(_ENDS_WITHIN_S, lambda: self.kill("closed its standard output and was ended"))
            return
        *lines, self._rest = (self._rest + heard).split(b"\n")
        if lines and self._skips:
            del lines[0]
            self._skips = False
        if len(self._rest) > MOST_BYTES:
            lines.append(self._rest)
            self._rest, self._skips = b"", True
        elif self._skips:
            self._rest = b""
        for line in lines:
            if not self._closed:
                self._heard(line)

    def _ended(self) -> None:
        code = self._popen.wait()
        while not self._closed and self._out in self._selector.get_map():
            # What it said last; something that it has started may keep the pipe open.
            try:
                if not selectors_ready(self._out):
                    break
            except OSError:
                break
            self._hear()
        self.kill(f"was ended by signal {-code}" if code < 0 else f"exited with {code}")


def selectors_ready(handle: int) -> bool:
    """Whether something can be read now, without waiting."""
    with selectors.PollSelector() as poll:
        poll.register(handle, selectors.EVENT_READ)
        return bool(poll.select(0))


def _popen(start: Start) -> "tuple[subprocess.Popen[bytes], int]":
    try:
        log: IO[bytes] = start.log.open("ab")
    except OSError as error:
        raise OutputError.of(start.log, error) from None
    with log:
        log_from = log.seek(0, os.SEEK_END)
        try:
            popen = subprocess.Popen(
                start.words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=start.directory,
                env=dict(start.environment),
                start_new_session=True,
            )
        except OSError as error:
            what = f"{quoted(start.words[0])} cannot be started: {reason(error)}"
            raise StartError(f"{what} (correct its command or directory)") from None
    return popen, log_from
