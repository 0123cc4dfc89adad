"""The logs of processes, followed as others write them: is what was in them still there?"""

import os
from pathlib import Path

from soak.runner.targets.context import RunContext
from soak.schemas.stream.events import Kind

_HEAD_BYTES = 4096


class Log:
    """A file that is appended to. One that was renamed is kept; one that was deleted or written anew is lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._head = b""
        self.size = 0

    @property
    def is_there(self) -> bool:
        """Whether there was such a file."""
        return self._file >= 0

    def lost(self) -> int:
        """How many bytes are gone that were there at the last call."""
        gone = 0
        if self._file >= 0:
            gone = self._gone()
            if self._replaced():
                self.close()
        if self._file < 0 and not self._open():
            return gone
        self.size = os.fstat(self._file).st_size
        if len(self._head) < _HEAD_BYTES:
            self._head = os.pread(self._file, _HEAD_BYTES, 0)
        return gone

    def _gone(self) -> int:
        """What is gone of the file that was opened."""
        now, before = os.fstat(self._file), self.size
        if now.st_nlink == 0:
            return before
        if os.pread(self._file, len(self._head), 0) != self._head:
            # Its beginning is another: nothing of it can be relied on.
            self._head = b""
            return before
        return max(0, before - now.st_size)

    def _replaced(self) -> bool:
        """Whether the path leads to another file now, or to none."""
        try:
            found = self._path.stat()
        except OSError:
            return True
        own = os.fstat(self._file)
        return (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino)

    def _open(self) -> bool:
        try:
            self._file = os.open(self._path, os.O_RDONLY)
        except OSError:
            return False
        self._head, self.size = b"", 0
        return True

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Logs:
    """The logs of the processes that have one. files: by the number of the process."""

    def __init__(self, context: RunContext, files: dict[int, Path]) -> None:
        self._context = context
        self._logs = {number: Log(path) for number, path in files.items()}

    def look(self) -> None:
        """Note what is gone since the last call."""
        for number, log in self._logs.items():
            if gone := log.lost():
                self._context.note(self._context.now(), Kind.LOG_LOST, worker=number, value=gone)

    def tell_sizes(self, t_s: float) -> None:
        """At the end: how large each is."""
        for number, log in self._logs.items():
            if log.is_there:
                self._context.note(t_s, Kind.SAMPLE_LOG_SIZE, worker=number, value=log.size)

    def close(self) -> None:
        """Close all files."""
        for log in self._logs.values():
            log.close()
