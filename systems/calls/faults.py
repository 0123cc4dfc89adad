"""Faults produced by the operating system: a full file system, a file that may not be read, a port without listener."""

import ctypes
import errno
import os
import queue
import socket
import threading
from contextlib import suppress
from pathlib import Path

_CLONE_NEWNS = 0x0002_0000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_NOBODY = 65534
_DEVICE = "/dev/full"


class Disk:
    """A small file system of this process's own, with no byte free; without the right to mount one, a device that is full."""

    def __init__(self, directory: Path, name: str) -> None:
        place = directory / f"{name}-disk"
        place.mkdir(exist_ok=True)
        self.mounted = _mount(place)
        self._path = str(place / "data") if self.mounted else _DEVICE
        if self.mounted:
            with (place / "filler").open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(b"\0" * 4096)

    def write(self) -> bool:
        """Try to write; returns whether the kernel reported no space."""
        try:
            with open(self._path, "ab", buffering=0) as file:  # noqa: PTH123 - it may be a device
                file.write(b"\0" * 4096)
        except OSError as error:
            return error.errno == errno.ENOSPC
        return False


def _mount(place: Path) -> bool:
    """A file system of 64 KiB at `place`, seen by this process alone and gone with it; False where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) or libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None):
        return False
    return bool(libc.mount(b"soak", os.fsencode(place), b"tmpfs", 0, b"size=64k") == 0)


class Closed:
    """An unreadable file. Root may read everything, so another user identity is used."""

    def __init__(self, directory: Path, name: str) -> None:
        self._path = directory / f"{name}-closed"
        self._path.touch(exist_ok=True)
        self._path.chmod(0)

    def read(self) -> bool:
        """Try to read it; returns whether the kernel refused."""
        libc = ctypes.CDLL(None)
        # The identity of this thread towards file systems; with another user's, root's rights are gone.
        before = libc.setfsuid(_NOBODY)
        try:
            self._path.read_bytes()
        except PermissionError:
            return True
        finally:
            libc.setfsuid(before)
        return False


class Backend:
    """Resources behind the dependency: a worker whose port has no listener, and a permanently full queue and pool."""

    def __init__(self) -> None:
        self._worker = socket.socket()
        self._worker.bind(("127.0.0.1", 0))
        self._queue: queue.Queue[int] = queue.Queue(maxsize=1)
        self._queue.put_nowait(0)
        self._connections = threading.BoundedSemaphore(1)
        self._connections.acquire()

    def close(self) -> None:
        """Release the worker's port."""
        self._worker.close()

    def worker_down(self) -> bool:
        """Whether the worker refuses the connection."""
        with socket.socket() as to, suppress(ConnectionRefusedError):
            to.connect(self._worker.getsockname())
            return False
        return True

    def queue_full(self) -> bool:
        """Whether the queue is full."""
        try:
            self._queue.put_nowait(1)
        except queue.Full:
            return True
        return False

    def pool_exhausted(self) -> bool:
        """Whether the pool is exhausted."""
        return not self._connections.acquire(blocking=False)
