"""Rows that requests leave behind, worked off one after the other: a queue whose length is computed, not stepped."""

import math

_ROUNDING = 1e-9
"""Of a number of rows: what is left of a whole one when a time is multiplied by a rate."""


class Outbox:
    """A single server with a constant service time: row n is done 1 / rate after row n - 1, or after it came (Lindley 1952)."""

    def __init__(self, rate_per_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._every_s = 1 / rate_per_s if rate_per_s else math.inf
        self._done_s = 0.0
        self._stalled_s = 0.0
        self._stuck = 0

    def put(self, now: float) -> None:
        """A row is left behind."""
        if self._rate_per_s:
            self._done_s = max(self._done_s, now, self._stalled_s) + self._every_s
        else:
            self._stuck += 1

    def stall(self, now: float, until_s: float) -> None:
        """Nothing is worked off until then."""
        until_s, begins_s = max(until_s, self._stalled_s), max(now, self._stalled_s)
        if self._done_s > now:
            self._done_s += until_s - begins_s
        self._stalled_s = until_s

    def level(self, now: float) -> int:
        """Rows that wait or are being worked on."""
        if not self._rate_per_s:
            return self._stuck
        left_s = self._done_s - max(now, self._stalled_s)
        return max(0, math.ceil(left_s * self._rate_per_s - _ROUNDING))
