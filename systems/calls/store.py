"""Records that calls read, change and write back, with a race between the two that is real."""

import asyncio
import threading
import time


class ConflictError(Exception):
    """The record was written since it was read."""


class Store:
    """`isolation`: what happens when two calls change a record at the same time; see `write`."""

    def __init__(self, records: int, isolation: str) -> None:
        self._values = [0] * records
        self._isolation = isolation
        self._guard = threading.Lock()
        locked = records if isolation == "lock" else 0
        self._locks = [asyncio.Lock() for _ in range(locked)]
        self._thread_locks = [threading.Lock() for _ in range(locked)]

    def read(self, record: int) -> int:
        """The value of a record: how often it was written."""
        return self._values[record]

    def write(self, record: int, read: int) -> bool:
        """Write one more than was read; returns whether a concurrent write was lost.

        Raises ConflictError where isolation is optimistic.
        """
        with self._guard:
            lost = self._values[record] != read
            if lost and self._isolation == "optimistic":
                raise ConflictError
            self._values[record] = read + 1
        return lost

    async def change(self, record: int, work_s: float) -> bool:
        """Read, work and write in a coroutine; it can be cancelled."""
        if self._locks:
            async with self._locks[record]:
                return await self._change(record, work_s)
        return await self._change(record, work_s)

    async def _change(self, record: int, work_s: float) -> bool:
        read = self.read(record)
        await asyncio.sleep(work_s)
        return self.write(record, read)

    def change_in_thread(self, record: int, work_s: float, abandoned: threading.Event) -> bool:
        """Read, work and write in a worker's thread. What nobody waits for any more is worked on, and not written."""
        if self._thread_locks:
            with self._thread_locks[record]:
                return self._change_in_thread(record, work_s, abandoned)
        return self._change_in_thread(record, work_s, abandoned)

    def _change_in_thread(self, record: int, work_s: float, abandoned: threading.Event) -> bool:
        if abandoned.is_set():
            return False
        read = self.read(record)
        time.sleep(work_s)
        return False if abandoned.is_set() else self.write(record, read)
