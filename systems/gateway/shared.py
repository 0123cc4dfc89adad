"""What all processes share without asking each other: a mapped file with the clock, the limits and each process's counters."""

import fcntl
import mmap
import os
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_BUCKET = struct.Struct("=dddd")  # rate (below 0: no limit), burst, tokens, at
_DOUBLE = struct.Struct("=d")
_HEAD = 64


class Bucket:
    """A token bucket that all processes draw from: `rate` a second, at most `burst` at once."""

    def __init__(self, shared: "Shared", offset: int) -> None:
        self._shared, self._offset = shared, offset

    def set(self, rate: float | None, burst: float | None) -> None:
        """Set the limit, with a full bucket; a rate of None takes it away, 0 lets nothing through."""
        full = burst if burst is not None else max(1.0, rate or 0.0)
        full = 0.0 if rate == 0 else full
        with self._shared.locked(self._offset, _BUCKET.size):
            self._write(-1.0 if rate is None else rate, full, full, time.monotonic())

    def limit(self) -> tuple[float | None, float]:
        """Rate and burst."""
        rate, burst, _, _ = self._read()
        return (None if rate < 0 else rate), burst

    def take(self) -> float:
        """Take a token: 0 if there was one, otherwise in how many seconds there is one (60 at most)."""
        if self._read()[0] < 0:
            return 0.0
        with self._shared.locked(self._offset, _BUCKET.size):
            rate, burst, tokens, at = self._read()
            now = time.monotonic()
            tokens = min(burst, tokens + max(0.0, now - at) * rate)
            taken = tokens >= 1
            self._write(rate, burst, tokens - taken, now)
        if taken:
            return 0.0
        return min(60.0, (1 - tokens) / rate) if rate > 0 else 60.0

    def _read(self) -> tuple[float, float, float, float]:
        rate, burst, tokens, at = _BUCKET.unpack_from(self._shared.memory, self._offset)
        return rate, burst, tokens, at

    def _write(self, *values: float) -> None:
        _BUCKET.pack_into(self._shared.memory, self._offset, *values)


class Shared:
    """The mapped file. A process writes the counters of its own row only; a row outlives its process."""

    def __init__(self, path: Path, tenants: Sequence[str], rows: int, names: Sequence[str]) -> None:
        self._size = _HEAD + (len(tenants) + 1) * _BUCKET.size + rows * len(names) * _DOUBLE.size
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, self._size)
        self.memory = mmap.mmap(self._file, self._size)
        self.rows, self.names = rows, tuple(names)
        self._columns = {name: number for number, name in enumerate(names)}
        self._counters = _HEAD + (len(tenants) + 1) * _BUCKET.size
        self.buckets = {
            tenant: Bucket(self, _HEAD + number * _BUCKET.size) for number, tenant in enumerate((*tenants, ""))
        }
        """Of each tenant; the one of '' is for all together."""

    @contextmanager
    def locked(self, start: int, length: int) -> Iterator[None]:
        """Keep other processes from a part of the file."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, length, start)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, length, start)

    @property
    def offset_s(self) -> float:
        """How far the gateway's clock is ahead of the computer's."""
        return float(_DOUBLE.unpack_from(self.memory, 0)[0])

    @offset_s.setter
    def offset_s(self, seconds: float) -> None:
        _DOUBLE.pack_into(self.memory, 0, seconds)

    def now(self) -> float:
        """The gateway's clock, in Unix seconds."""
        return time.time() + self.offset_s

    def add(self, row: int, name: str, by: float = 1.0) -> None:
        """Raise a counter."""
        at = self._at(row, name)
        _DOUBLE.pack_into(self.memory, at, _DOUBLE.unpack_from(self.memory, at)[0] + by)

    def put(self, row: int, name: str, value: float) -> None:
        """Set a gauge."""
        _DOUBLE.pack_into(self.memory, self._at(row, name), value)

    def value(self, row: int, name: str) -> float:
        """Of a counter or gauge, in one row."""
        return float(_DOUBLE.unpack_from(self.memory, self._at(row, name))[0])

    def total(self, name: str) -> float:
        """Of a counter, over all rows."""
        return sum(self.value(row, name) for row in range(self.rows))

    def _at(self, row: int, name: str) -> int:
        return self._counters + (row * len(self.names) + self._columns[name]) * _DOUBLE.size
