"""Delivery to a receiver: a thread for each, so that a slow or unreachable one does not block others."""

import math
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from soak.runner.console import helper, remark
from soak.runner.export.database import ExportError, Receiver

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
MOST_WAITING = 1_000
"""Maximum backlog for an unreachable database, some 25 kB each: four hours at one per 15 s. The oldest are dropped."""


def pause_s(failures: int, first_s: float = FIRST_PAUSE_S) -> float:
    """Exponential backoff after consecutive failures, in seconds, up to LONGEST_PAUSE_S."""
    return min(first_s * 2.0 ** min(failures - 1, 60), LONGEST_PAUSE_S)


T = TypeVar("T")


@dataclass(slots=True)
class ExportCounts:
    """Items accepted by a receiver, failed attempts, and dropped items."""

    exports: int = 0
    errors: int = 0
    lost: int = 0


class Feed(Generic[T]):
    """Sends items (snapshots, or what happened) in order; `name`: the destination, without secrets."""

    def __init__(self, name: str, database: Receiver[T], first_pause_s: float = FIRST_PAUSE_S) -> None:
        self.name = name
        self.count = ExportCounts()
        self._database = database
        self._first_pause_s = first_pause_s
        self._room = MOST_WAITING if database.keeps_history else 1
        self._waiting: deque[T] = deque()
        self._most_at_once = database.most_at_once
        self._failures = 0
        self._why = ""
        self._beginning = False
        self._changed = threading.Condition()
        self._until = math.inf
        self._thread = helper(self._work, f"export {name}")

    def begin(self, item: T, patience_s: float) -> None:
        """Send a first item, then those of `put`. Raises ExportError if the first did not arrive in time."""
        self.put(item)
        with self._changed:
            self._beginning = True
            self._thread.start()
            # A database that sends a byte now and then evades every other timeout.
            self._changed.wait_for(lambda: self.count.exports or self.count.errors, patience_s)
            self._beginning = False
            if not self.count.exports:
                self._why = self._why or "it did not answer in time"
                raise ExportError(self._why)

    def put(self, item: T) -> None:
        """Queue an item; never blocks."""
        with self._changed:
            while len(self._waiting) >= self._room:
                self._waiting.popleft()
                self.count.lost += self._database.keeps_history
            self._waiting.append(item)
            self._changed.notify()

    def stop(self, until: float) -> None:
        """Let it send the backlog, up to a time of the monotonic clock."""
        with self._changed:
            self._until = min(self._until, until)
            self._changed.notify()

    def join(self, *, quietly: bool = False) -> None:
        """Wait until it has stopped; reports what did not arrive, unless `quietly`."""
        if not self._thread.ident:
            return
        self._thread.join(max(0.0, self._until - time.monotonic()))
        with self._changed:
            # An attempt still in flight counts as failed.
            self.count.errors += self._thread.is_alive()
            self.count.lost += len(self._waiting)
            self._waiting.clear()
        if self.count.lost and not quietly:
            remark(f"export {self.name}: {self.count.lost} exports were lost")
            self.count.lost = 0

    def _work(self) -> None:
        while batch := self._next_batch():
            before = self._why
            refused = self._try(batch)
            if self._why and not before and not self._beginning:
                remark(f"export {self.name}: {self._why} (the run continues, and the export is retried)")
            elif before and not self._why:
                remark(f"export {self.name}: it works again")
            if self._why and not refused:
                self._wait()

    def _next_batch(self) -> list[T]:
        """The next batch, as soon as there is one; empty when done, or on timeout."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._until < math.inf)
            return list(self._waiting)[: self._most_at_once] if time.monotonic() < self._until else []

    def _try(self, batch: list[T]) -> bool:
        """Send a batch; returns whether it was refused because of its content, so that the next one is smaller."""
        refused = final = False
        try:
            self._database.send(batch)
            why = ""
        except ExportError as error:
            why, refused, final = str(error), error.refused or error.final, error.final
        except Exception as error:
            # An error inside the client library must not end the thread; its message may contain a secret.
            why = f"internal error of the client: {type(error).__name__}"
        with self._changed:
            self._why = why
            if why:
                self.count.errors += 1
                self._failures += 1
                if final or (refused and len(batch) == 1):
                    self.count.lost += self._take_off(batch)
                self._most_at_once = max(1, len(batch) // 2) if refused and not final else self._most_at_once
            else:
                self._take_off(batch)
                self.count.exports += len(batch)
                self._failures, self._most_at_once = 0, self._database.most_at_once
            self._changed.notify_all()
        return refused

    def _take_off(self, batch: list[T]) -> int:
        """Remove a batch from the backlog; its oldest may have been dropped meanwhile."""
        before = len(self._waiting)
        for item in batch:
            if self._waiting and self._waiting[0] is item:
                self._waiting.popleft()
        return before - len(self._waiting)

    def _wait(self) -> None:
        with self._changed:
            in_haste = self._until < math.inf
            wait_s = self._first_pause_s if in_haste else pause_s(self._failures, self._first_pause_s)
            self._changed.wait_for(lambda: self._until < math.inf and not in_haste, wait_s)
