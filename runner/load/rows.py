"""What a process tells of its requests: rows of numbers, packed.

A row is (t_s, what, task number, a, b, c); what `a`, `b` and `c` are follows from `What`. Times are seconds of scenario time.
"""

from array import array
from collections.abc import Callable
from enum import IntEnum

import numpy as np

from soak.schemas.language.http import RequestError
from soak.schemas.stream.block import Floats

WIDTH = 6


class What(IntEnum):
    """BEGUN: a request is sent; a: when it was due. ENDED: it is over; a: status, b: size in bytes, c: number of its error.

    CPU: a: share of one core used since the last of these. LAG: a: how late the process was at most since then, in seconds.
    CANCELLED: it is not known how a request ended.
    """

    BEGUN = 0
    ENDED = 1
    CPU = 2
    LAG = 3
    CANCELLED = 4


ERRORS = ("", *RequestError)
"""Errors by their number; 0 is none."""
NUMBER_OF = {error: number for number, error in enumerate(ERRORS)}


class Rows:
    """Rows in the order of time, until they are taken. `now`: the time, which may be set back: no row is before another."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._rows: list[float] = []
        self._reached_s = 0.0
        self.requests = 0
        """How many were sent."""
        self._add = self._rows.extend

    def begun(self, number: int, due_s: float) -> float:
        """A request is sent now; returns the time."""
        now_s = self._reach(self._now())
        self.requests += 1
        self._add((now_s, What.BEGUN, number, due_s, 0, 0))
        return now_s

    def ended(self, number: int, t_s: float, status: int, size: int, error: str) -> float:
        """A request was over at `t_s`; returns the time that is told, which is never before what was told."""
        t_s = self._reach(t_s)
        self._add((t_s, What.ENDED, number, status, size, NUMBER_OF[error]))
        return t_s

    def sample(self, what: What, value: float) -> None:
        """A sample of the process, now."""
        self._add((self._reach(self._now()), what, -1, value, 0, 0))

    def take(self) -> tuple[float, bytes]:
        """All rows since the last time, and until when they are complete."""
        until_s = self._reach(self._now())
        packed = array("d", self._rows).tobytes()
        self._rows.clear()
        return until_s, packed

    def _reach(self, t_s: float) -> float:
        self._reached_s = max(self._reached_s, t_s)
        return self._reached_s


def unpack(packed: bytes) -> Floats:
    """Rows as an array of shape (rows, WIDTH)."""
    return np.frombuffer(packed).reshape(-1, WIDTH)
