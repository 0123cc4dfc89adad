"""Gives due tasks to idle workers: `python -m soak.systems.orchestrator.dispatcher --config FILE --name d0`."""

import argparse
import socket
from pathlib import Path
from typing import Self

from soak.systems.orchestrator import defects
from soak.systems.orchestrator.db_store import BusyError, Store
from soak.systems.orchestrator.defects import Defect
from soak.systems.orchestrator.process import Lifetime, log, main, open_store
from soak.systems.orchestrator.settings import Settings

_LEAK_BYTES = 4096


class Dispatcher:
    """Polls the store, and wakes the workers that were given a task."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._leak: list[bytes] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def poll(self) -> int:
        """Assign what can be assigned; how many tasks that were. Raises BusyError."""
        if defects.active(Defect.MEMORY_LEAK):
            self._leak.append(b"x" * _LEAK_BYTES)
        assigned = self._store.assign(self._name)
        for assignment in assigned:
            self._wake(assignment.worker)
        return len(assigned)

    def _wake(self, worker: str) -> None:
        try:
            self._socket.sendto(b"task", str(socket_path(self._store.settings, worker)))
        except OSError as error:
            # It may be about to start, or be gone: it looks for itself, or its lease expires.
            log(self._name, f"{worker} was not woken: {error}")


def socket_path(settings: Settings, worker: str) -> Path:
    """Where a worker listens."""
    return Path(settings.run_dir) / f"{worker}.sock"


def work(settings: Settings, asked: argparse.Namespace, lifetime: Lifetime) -> None:
    """Poll until the end of the process."""
    if (store := open_store(settings, lifetime, asked.name)) is None:
        return
    with store, Dispatcher(store, asked.name) as dispatcher:
        for _ in lifetime.ticks(settings.poll_interval_s):
            try:
                dispatcher.poll()
            except BusyError as error:
                log(asked.name, error)


if __name__ == "__main__":
    raise SystemExit(main(work))
