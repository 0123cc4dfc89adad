"""A second connection to the system's database, in a thread of its own: it offers a key while the runner offers the same."""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from soak.contract import Accepted, BusyError, Refused
from soak.systems.orchestrator.db_store import Store


class Rival:
    """`connect` makes the store of the thread, and `offer` enqueues with it."""

    def __init__(self, connect: Callable[[], Store], offer: Callable[[Store, str, str], Accepted | Refused]) -> None:
        self._asked: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
        self._answers: SimpleQueue[Accepted | Refused | Exception] = SimpleQueue()
        self._at_it = threading.Barrier(2)
        self._connect = connect
        self._offer = offer
        self._thread = threading.Thread(target=self._serve, name="rival", daemon=True)
        self._thread.start()

    def race(
        self, key: str, payload: str, own: Callable[[], Accepted | Refused]
    ) -> tuple[Accepted | Refused | None, Accepted | Refused | None]:
        """Call `own` and offer the key at the same instant; the answers of both, None for BusyError."""
        self._asked.put((key, payload))
        with suppress(threading.BrokenBarrierError):
            self._at_it.wait()
        try:
            mine = own()
        except BusyError:
            mine = None
        theirs = self._answers.get()
        if isinstance(theirs, BusyError):
            return mine, None
        if isinstance(theirs, Exception):
            raise theirs
        return mine, theirs

    def close(self) -> None:
        """End the thread."""
        self._asked.put(None)
        self._thread.join()

    def _serve(self) -> None:
        try:
            store = self._connect()
        except Exception as error:  # raised in the caller
            self._answers.put(error)
            self._at_it.abort()
            return
        try:
            while asked := self._asked.get():
                self._at_it.wait()
                try:
                    self._answers.put(self._offer(store, *asked))
                except Exception as error:  # raised in the caller
                    self._answers.put(error)
        finally:
            store.close()
