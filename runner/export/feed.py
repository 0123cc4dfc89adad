"""Snapshots on their way to a database: a thread for each, so that one that is slow or gone holds up nobody."""

import math
import threading
import time
from collections import deque
from dataclasses import dataclass

from runner.console import remark
from runner.export.database import Database, ExportError
from runner.export.metrics import Snapshot

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""After a failure the next try comes so much later, twice as long each time."""

MOST_AT_ONCE = 100
MOST_WAITING = 5_760
"""What waits for a database that is gone: a day of snapshots, one every 15 s. The oldest go first."""


@dataclass(slots=True)
class Count:
    """Snapshots that a database took in, and tries that failed."""

    exports: int = 0
    errors: int = 0


class Feed:
    """Sends what it is given, in order; `name` says where to, without any secret."""

    def __init__(self, name: str, database: Database, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self.name = name
        self.count = Count()
        self._database = database
        self._first_pause_s = self._pause_s = first_pause_s
        self._waiting: deque[Snapshot] = deque(maxlen=MOST_WAITING if database.keeps_history else 1)
        self._changed = threading.Condition()
        self._until = math.inf
        self._thread = threading.Thread(target=self._work, name=f"export {name}", daemon=True)

    def send_first(self, snapshot: Snapshot) -> None:
        """Send one at once, before the run starts. Raises ExportError."""
        try:
            self._database.send([snapshot])
        except ExportError:
            self.count.errors += 1
            raise
        self.count.exports += 1

    def start(self) -> None:
        """From now on send what `put` brings."""
        self._thread.start()

    def put(self, snapshot: Snapshot) -> None:
        """Put a snapshot on its way; never waits."""
        with self._changed:
            self._waiting.append(snapshot)
            self._changed.notify()

    def close(self, until: float) -> None:
        """Send what still waits, up to a time of the monotonic clock, and stop."""
        if self._closing or not self._thread.ident:
            return
        with self._changed:
            self._until = until
            self._changed.notify()
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._waiting:
            remark(f"export {self.name}: {len(self._waiting)} exports did not get there")

    @property
    def _closing(self) -> bool:
        return self._until < math.inf

    def _work(self) -> None:
        while batch := self._next_batch():
            try:
                self._database.send(batch)
            except ExportError as error:
                self._failed(str(error))
            except Exception as error:
                # The client library's own failure must not end the thread; what it says may hold a secret.
                self._failed(f"internal error of the client: {type(error).__name__}")
            else:
                self._sent(batch)

    def _next_batch(self) -> list[Snapshot]:
        """What is to be sent next, as soon as there is something; nothing once all is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return list(self._waiting)[:MOST_AT_ONCE] if time.monotonic() < self._until else []

    def _sent(self, batch: list[Snapshot]) -> None:
        with self._changed:
            self.count.exports += len(batch)
            for snapshot in batch:
                # The oldest may have been pushed out meanwhile.
                if self._waiting and self._waiting[0] is snapshot:
                    self._waiting.popleft()
        if self._pause_s != self._first_pause_s:
            remark(f"export {self.name}: it is back")
        self._pause_s = self._first_pause_s

    def _failed(self, why: str) -> None:
        with self._changed:
            self.count.errors += 1
            if self._pause_s == self._first_pause_s:
                remark(f"export {self.name}: {why} (the run goes on, it is tried again)")
            in_haste = self._closing
            self._changed.wait_for(
                lambda: self._closing and not in_haste, self._first_pause_s if in_haste else self._pause_s
            )
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
