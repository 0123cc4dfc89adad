"""Limits of a dependency: a token bucket, workers with a bounded queue, and memory."""

import ctypes
import resource
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")
_PAGE = resource.getpagesize()
MEMORY_SLACK_BYTES = 4 << 20
"""Allowance for the interpreter itself, beyond its memory when it was ready."""


class FullError(Exception):
    """Every worker is busy, and the queue is full."""


class Bucket:
    """A token bucket in real time: `rate_per_s` tokens are added per second, up to `burst`."""

    def __init__(self, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s, self._burst, self._clock = rate_per_s, burst, clock
        self._tokens, self._since_s = float(burst), clock()

    def wait_s(self) -> float:
        """Take a token and return 0; or how long it takes until there is one."""
        now_s = self._clock()
        self._tokens = min(self._burst, self._tokens + (now_s - self._since_s) * self._rate_per_s)
        self._since_s = now_s
        if self._tokens >= 1 - 1e-9:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate_per_s if self._rate_per_s else 3600.0


class Workers:
    """Worker threads, and a bounded queue."""

    def __init__(self, workers: int, waiting: int) -> None:
        self._places = threading.BoundedSemaphore(workers + waiting)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker")

    def submit(self, work: Callable[[], _T]) -> "Future[_T]":
        """Run `work` in a thread. Raises FullError if no thread is free and the queue is full."""
        if not self._places.acquire(blocking=False):
            raise FullError
        future = self._threads.submit(work)
        future.add_done_callback(lambda _: self._places.release())
        return future


class Memory:
    """Memory that the kernel limits: RLIMIT_DATA of this process, `limit_bytes` above what it has at the start."""

    def __init__(self, limit_bytes: int) -> None:
        self.used_bytes = self.held_bytes = 0
        self._held: list[bytearray] = []
        # One arena, and every large block a mapping of its own that goes back to the kernel when it is freed.
        libc = ctypes.CDLL(None)
        libc.mallopt(-8, 1)
        libc.mallopt(-3, 128 << 10)
        limit = data_bytes() + limit_bytes + MEMORY_SLACK_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    def take(self, size: int) -> bytearray:
        """Memory of that size, every page of it touched. Raises MemoryError."""
        block = bytearray(size)
        for place in range(0, size, _PAGE):
            block[place] = 1
        self.used_bytes += size
        return block

    def give_back(self, block: bytearray) -> None:
        """Free the memory."""
        self.used_bytes -= len(block)
        block.clear()

    def hold(self, block: bytearray) -> None:
        """Keep the memory allocated."""
        self._held.append(block)
        self.held_bytes += len(block)


def data_bytes() -> int:
    """What counts towards RLIMIT_DATA now."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData:"))
