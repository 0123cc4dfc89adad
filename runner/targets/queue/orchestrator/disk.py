"""A small separate file system for the database that can be filled without affecting anything else.

It is mounted in a private namespace of this process and its children, so that it always disappears with them.
"""

import ctypes
import os
import shutil
import sqlite3
import subprocess
from contextlib import suppress
from pathlib import Path

from soak.schemas.errors import SoakError, reason

_CLONE_NEWNS = 0x0002_0000
_PIECES = (1 << 20, 4096, 1)
_LEAST_BYTES = 32 << 20
_BYTES_PER_TASK = 8_192
_FILLER = "filler"


def can_mount() -> bool:
    """Whether this process may mount a file system; tried in a child process."""
    if not shutil.which("unshare") or not shutil.which("mount"):
        return False
    command = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs -o size=64k soak /mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Disk:
    """A file system at `place` with space for about that many tasks."""

    def __init__(self, place: Path, tasks: float) -> None:
        self.place = place
        place.mkdir()
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS):
            why = reason(OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno())))
            raise SoakError(f"{place}: cannot create a mount namespace: {why}")
        size = _LEAST_BYTES + int(tasks * _BYTES_PER_TASK)
        self._run("mount", "--make-rprivate", "/")
        self._run("mount", "-t", "tmpfs", "-o", f"size={size}", "soak", str(place))

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SoakError(f"{self.place}: {' '.join(command)}: {done.stderr.strip()}")

    def fill(self, database: Path) -> None:
        """Fill it. The write-ahead log is emptied first, since its free space could still be written."""
        connection = sqlite3.connect(database, timeout=1.0, isolation_level=None)
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        with (self.place / _FILLER).open("ab", buffering=0) as file:
            for size in _PIECES:
                with suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    def free(self) -> None:
        """Free the space."""
        (self.place / _FILLER).unlink(missing_ok=True)

    def close(self) -> None:
        """Save its files in the folder above, and unmount it."""
        self.free()
        for path in self.place.iterdir():
            shutil.copy(path, self.place.parent)
        self._run("umount", str(self.place))
        self.place.rmdir()
