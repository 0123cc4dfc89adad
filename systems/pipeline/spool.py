"""Files of lines that one process appends to and others follow: written so that what was acknowledged survives SIGKILL.

A write is in the page cache when it returns, so that only the machine can lose it. A kill in the middle of a write leaves half a
line; the writer cuts it off when it starts again, and no reader has used it.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_BLOCK = 65536
_READ = 1 << 18
_COUNTED = 1 << 22


def cut_half_line(file: int) -> int:
    """Cut what follows the last newline of an open file; the size that is left, in bytes."""
    size = end = os.fstat(file).st_size
    while end > 0:
        begin = max(0, end - _BLOCK)
        newline = os.pread(file, end - begin, begin).rfind(b"\n")
        if newline >= 0:
            end = begin + newline + 1
            break
        end = begin
    if end < size:
        os.ftruncate(file, end)
    return end


def last_line(path: Path) -> bytes:
    """The last whole line of a file, without its newline; empty if there is none."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        end = os.fstat(file).st_size
        tail = b""
        while end > 0 and tail.count(b"\n") < 2:
            begin = max(0, end - _BLOCK)
            tail = os.pread(file, end - begin, begin) + tail
            end = begin
        return tail[: tail.rfind(b"\n") + 1].rstrip(b"\n").rpartition(b"\n")[2]
    finally:
        os.close(file)


class Appender:
    """Appends whole lines to a file."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        cut_half_line(self._file)
        self._rest = b""
        self.error = ""
        """Why the last write did not succeed; empty if it did."""

    def append(self, lines: Sequence[bytes]) -> int:
        """Write lines, each with its newline; how many of them need not be given again, all if there is no error.

        If there is no room, what is left of a line that was begun is kept, and written first next time.
        """
        self.error = ""
        self._rest = self._rest[self._write(self._rest) :]
        if self._rest or not lines:
            return 0
        data = b"".join(lines)
        done = self._write(data)
        if done == len(data):
            return len(lines)
        whole = data.count(b"\n", 0, done)
        if done == 0 or data[done - 1] == 10:
            return whole
        self._rest = data[done : data.index(b"\n", done) + 1]
        return whole + 1

    @property
    def complete(self) -> bool:
        """Whether the file ends with a whole line."""
        return not self._rest

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, data: bytes) -> int:
        done = 0
        try:
            while done < len(data):
                done += os.write(self._file, data[done:] if done else data)
        except OSError as error:
            self.error = error.strerror or str(error)
        return done


class LineReader:
    """Follows a file from an offset, by whole lines. The file may not be there yet."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self._file = -1
        self.offset = offset

    def read(self, limit: int = _READ) -> list[bytes]:
        """The next whole lines without their newlines, about `limit` bytes of them; none if there is nothing new."""
        if not self._open():
            return []
        chunk = os.pread(self._file, limit, self.offset)
        end = chunk.rfind(b"\n") + 1
        if end == 0:
            return self.read(limit * 4) if len(chunk) == limit else []
        self.offset += end
        return chunk[: end - 1].split(b"\n")

    @property
    def size(self) -> int:
        """Bytes in the file."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def waiting(self) -> int:
        """Lines that were not read yet; beyond 4 MB by their mean length."""
        if (left := self.size - self.offset) <= 0 or not self._open():
            return 0
        chunk = os.pread(self._file, _COUNTED, self.offset)
        lines = chunk.count(b"\n")
        return lines if len(chunk) >= left else round(lines * left / len(chunk))

    def _open(self) -> bool:
        if self._file < 0:
            try:
                self._file = os.open(self._path, os.O_RDONLY)
            except FileNotFoundError:
                return False
        return True

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def all_lines(path: Path) -> Iterator[list[bytes]]:
    """The whole lines that a file holds now, some at a time; nothing stays open afterwards."""
    with contextlib.closing(LineReader(path)) as reader:
        while lines := reader.read():
            yield lines


def back(path: Path, offset: int, by: int) -> int:
    """The beginning of the first line that begins `by` bytes before an offset, or later."""
    begin = max(0, offset - by)
    if begin == 0:
        return 0
    with path.open("rb") as file:
        file.seek(begin - 1)
        file.readline()
        return min(file.tell(), offset)


class Journal:
    """A JSON line for each thing that happened, with its time `at`. What a full disk has no room for is written later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._appender: Appender | None = None
        self._unwritten: list[bytes] = []

    def note(self, **what: object) -> None:
        """Write a line."""
        self._unwritten.append(json.dumps({"at": round(time.time(), 6), **what}).encode() + b"\n")
        with contextlib.suppress(OSError):
            self._appender = self._appender or Appender(self._path)
            del self._unwritten[: self._appender.append(self._unwritten)]


def read_json(path: Path) -> object:
    """What a JSON file has; None if it is not there, or not whole yet."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_bytes())
    return None


def write_json(path: Path, what: object) -> None:
    """Write a JSON file whole: a reader sees the old one or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(what, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(path)
