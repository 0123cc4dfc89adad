"""What the processes have in common: their command line, when they stop, and when they tick."""

import argparse
import math
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from soak.systems.orchestrator import defects
from soak.systems.orchestrator.body import BodyNameError
from soak.systems.orchestrator.db_store import BusyError, Store, StoreError
from soak.systems.orchestrator.settings import Settings, SettingsError, read_settings

_LOOK_S = 0.5
"""How often a process that waits looks whether its parent is still there."""

_GRACE_S = 5.0
_OPEN_AGAIN_S = 0.05


class StoppedError(BaseException):
    """A body that did not end in time after the process was asked to stop. Not an error a body may catch."""


class Lifetime:
    """From the start of a process to SIGTERM, SIGINT or the end of its parent. Make it in the main thread, once."""

    def __init__(self, grace_s: float = _GRACE_S) -> None:
        self._parent = os.getppid()
        self._grace_s = grace_s
        self._asked = False
        self._bounded = self._patient = False
        # A signal writes a byte here, so that a wait ends at once; locks are not safe in a handler.
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._reader.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGALRM, self._overdue)

    @property
    def over(self) -> bool:
        """Whether the process is to end."""
        return self._asked or self.orphaned

    @property
    def orphaned(self) -> bool:
        """Whether the process that started this one is gone."""
        return os.getppid() != self._parent

    def wait(self, timeout_s: float, *sockets: socket.socket) -> None:
        """Until a socket can be read, the time is over, or the process is to end."""
        end_s = time.monotonic() + timeout_s
        while not self.over and (left_s := end_s - time.monotonic()) > 0:
            ready, _, _ = select.select((self._reader, *sockets), (), (), min(left_s, _LOOK_S))
            if any(found is not self._reader for found in ready):
                return

    def ticks(self, interval_s: float) -> Iterator[None]:
        """Now and at every multiple of the interval from now; ticks that were missed are left out."""
        start_s, number = time.monotonic(), 0
        while not self.over:
            yield
            passed = math.ceil((time.monotonic() - start_s) / interval_s)
            number = max(number + 1, passed)
            self.wait(start_s + number * interval_s - time.monotonic())

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """What runs in here is given some time after the process is asked to stop; then StoppedError is raised in it."""
        self._bounded = True
        try:
            yield
        finally:
            self._bounded = False

    def be_patient(self) -> None:
        """Give what runs in `bounded` all the time that it needs."""
        self._patient = True

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if not (self._asked or self._patient):
            signal.setitimer(signal.ITIMER_REAL, self._grace_s)
        self._asked = True

    def _overdue(self, _signal: int, _frame: FrameType | None) -> None:
        if self._bounded:
            raise StoppedError


def log(name: str, message: object) -> None:
    """A line for people, on stderr."""
    sys.stderr.write(f"{name}: {message}\n")
    sys.stderr.flush()


def main(work: Callable[[Settings, argparse.Namespace, Lifetime], None], *options: str) -> int:
    """Read the command line and the settings, and work until the end; the exit code. `options` have texts as values."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="settings, JSON")
    parser.add_argument("--name", required=True, help="name in the log; of a worker, also in the store")
    for option in options:
        parser.add_argument(f"--{option}")
    asked = parser.parse_args()
    lifetime = Lifetime()
    try:
        defects.check()
        work(read_settings(asked.config), asked, lifetime)
    except (SettingsError, StoreError, defects.UnknownDefectError, BodyNameError) as error:
        log(asked.name, error)
        return 1
    return 0


def open_store(settings: Settings, lifetime: Lifetime, name: str) -> Store | None:
    """The store, as soon as it is not busy; None if the process is to end before."""
    while not lifetime.over:
        try:
            return Store(settings.db, settings)
        except BusyError as error:
            log(name, error)
            lifetime.wait(_OPEN_AGAIN_S)
    return None
