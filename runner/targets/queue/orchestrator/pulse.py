"""A heartbeat file, so that after a kill it is known how long the runner lived."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

FILE = "alive"
EVERY_REAL_S = 0.05


class Pulse:
    """Writes the scenario's time to a file every EVERY_REAL_S, from a separate thread, whatever the runner does."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._now = now
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Beat from now on."""
        self._thread.start()

    def _run(self) -> None:
        while not self._closed.wait(EVERY_REAL_S):
            self._beat()

    def _beat(self) -> None:
        # A failed write is a missed heartbeat: the run does not depend on it.
        with suppress(OSError):
            os.pwrite(self._file, b"%020.6f\n" % self._now(), 0)

    def close(self) -> None:
        """The last beat, if there was a first."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()
            self._beat()
        os.close(self._file)


def last_beat_s(path: Path) -> float | None:
    """The scenario's time at the last beat; None where there is none."""
    try:
        return float(path.read_bytes())
    except (OSError, ValueError):
        return None
