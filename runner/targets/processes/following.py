"""Lines that others append to a text file: each once, when it is whole."""

import re
import time
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

_MOST_BYTES = 4_000_000


class Match(Struct, frozen=True):
    """What was wanted of a line, and when it was read, in seconds since 1970."""

    at: float
    text: str


class LineFollower:
    """Follows a text file from its beginning, through rotation, for lines that match a pattern with one group.

    Call `poll` often: it never waits, and a match is as late as it is called. At the end of a run, once more.
    """

    def __init__(self, path: Path, pattern: str) -> None:
        self._path = path
        self._pattern = re.compile(pattern)
        self._offset = 0
        self._inode = -1

    def poll(self) -> list[Match]:
        """The matches of the lines that are new since the last call; none while there is no such file."""
        try:
            with self._path.open("rb") as file:
                return self._matches(file)
        except OSError:
            return []

    def _matches(self, file: BinaryIO) -> list[Match]:
        state = self._path.stat()
        if state.st_ino != self._inode or state.st_size < self._offset:
            # Another file, or one that was cut.
            self._inode, self._offset = state.st_ino, 0
        file.seek(self._offset)
        text = file.read(_MOST_BYTES)
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        lines = whole.decode(errors="replace").split("\n")
        return [Match(time.time(), found[1]) for line in lines for found in self._pattern.finditer(line)]
