"""Snapshots in flight to a database: a thread for each database, so that a slow or lost one delays nothing else."""

import math
import threading
import time
from collections import deque
from dataclasses import dataclass

from soak.runner.console import remark
from soak.runner.export.database import Database, ExportError
from soak.runner.export.metrics import MetricSnapshot

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
MOST_AT_ONCE = 100
MOST_WAITING = 1_000
"""What waits for a database that is gone, some 25 kB each: four hours of snapshots, one every 15 s. The oldest go first."""


def pause_s(failures: int, first_s: float = FIRST_PAUSE_S) -> float:
    """How long to wait after so many failures in a row, in seconds: twice as long each time, up to LONGEST_PAUSE_S."""
    return min(first_s * 2.0 ** min(failures - 1, 60), LONGEST_PAUSE_S)


@dataclass(slots=True)
class ExportCounts:
    """Snapshots that a database took in, tries that failed, and snapshots that were given up."""

    exports: int = 0
    errors: int = 0
    lost: int = 0


class Feed:
    """Sends what it is given, in order; `name` says where to, without any secret."""

    def __init__(self, name: str, database: Database, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self.name = name
        self.count = ExportCounts()
        self._database = database
        self._first_pause_s = first_pause_s
        self._room = MOST_WAITING if database.keeps_history else 1
        self._waiting: deque[MetricSnapshot] = deque()
        self._most_at_once = MOST_AT_ONCE
        self._failures = 0
        self._why = ""
        self._beginning = False
        self._changed = threading.Condition()
        self._until = math.inf
        self._thread = threading.Thread(target=self._work, name=f"export {name}", daemon=True)

    def begin(self, snapshot: MetricSnapshot, patience_s: float) -> None:
        """Send a first one, and from now on what `put` brings. Raises ExportError when that one did not arrive in time."""
        self.put(snapshot)
        with self._changed:
            self._beginning = True
            self._thread.start()
            # A database that sends a byte now and then keeps every other time limit.
            self._changed.wait_for(lambda: self.count.exports or self.count.errors, patience_s)
            self._beginning = False
            if not self.count.exports:
                self._why = self._why or "it did not answer in time"
                raise ExportError(self._why)

    def put(self, snapshot: MetricSnapshot) -> None:
        """Queue a snapshot; never waits."""
        with self._changed:
            while len(self._waiting) >= self._room:
                self._waiting.popleft()
                self.count.lost += self._database.keeps_history
            self._waiting.append(snapshot)
            self._changed.notify()

    def stop(self, until: float) -> None:
        """Have it send what still waits, up to a time of the monotonic clock."""
        with self._changed:
            self._until = min(self._until, until)
            self._changed.notify()

    def join(self, *, quietly: bool = False) -> None:
        """Wait until it has stopped; reports what was lost, unless `quietly`."""
        if not self._thread.ident:
            return
        self._thread.join(max(0.0, self._until - time.monotonic()))
        with self._changed:
            # A try that is still on its way did not come to anything.
            self.count.errors += self._thread.is_alive()
            self.count.lost += len(self._waiting)
            self._waiting.clear()
        if self.count.lost and not quietly:
            remark(f"export {self.name}: {self.count.lost} exports were lost")
            self.count.lost = 0

    def _work(self) -> None:
        while batch := self._next_batch():
            before = self._why
            told_apart = self._try(batch)
            if self._why and not before and not self._beginning:
                remark(f"export {self.name}: {self._why} (the run continues; the export is retried)")
            elif before and not self._why:
                remark(f"export {self.name}: available again")
            if self._why and not told_apart:
                self._wait()

    def _next_batch(self) -> list[MetricSnapshot]:
        """The next batch, as soon as there is one; empty when all is sent or time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._until < math.inf)
            return list(self._waiting)[: self._most_at_once] if time.monotonic() < self._until else []

    def _try(self, batch: list[MetricSnapshot]) -> bool:
        """Send a batch; returns whether it was refused for what it holds, so that the next try is of less of it."""
        refused = False
        try:
            self._database.send(batch)
            why = ""
        except ExportError as error:
            why, refused = str(error), error.refused
        except Exception as error:
            # The client library's own failure must not end the thread; what it says may hold a secret.
            why = f"internal error of the client: {type(error).__name__}"
        with self._changed:
            self._why = why
            if why:
                self.count.errors += 1
                self._failures += 1
                if refused and len(batch) == 1:
                    self.count.lost += self._take_off(batch)
                self._most_at_once = max(1, len(batch) // 2) if refused else self._most_at_once
            else:
                self._take_off(batch)
                self.count.exports += len(batch)
                self._failures, self._most_at_once = 0, MOST_AT_ONCE
            self._changed.notify_all()
        return refused

    def _take_off(self, batch: list[MetricSnapshot]) -> int:
        """Take a batch off what waits; its oldest may have given way to newer ones meanwhile."""
        before = len(self._waiting)
        for snapshot in batch:
            if self._waiting and self._waiting[0] is snapshot:
                self._waiting.popleft()
        return before - len(self._waiting)

    def _wait(self) -> None:
        with self._changed:
            in_haste = self._until < math.inf
            wait_s = self._first_pause_s if in_haste else pause_s(self._failures, self._first_pause_s)
            self._changed.wait_for(lambda: self._until < math.inf and not in_haste, wait_s)
