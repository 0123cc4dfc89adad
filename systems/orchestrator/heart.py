"""Heartbeats of a worker, from a thread of their own, so that a body may take as long as it likes."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from soak.systems.orchestrator.db_store import BusyError, Store
from soak.systems.orchestrator.model import Task
from soak.systems.orchestrator.process import Lifetime, log, open_store
from soak.systems.orchestrator.settings import Settings


class Heart:
    """Renews the lease of the task in hand every `heartbeat_s`. Close it, or use it in a `with` statement."""

    def __init__(self, settings: Settings, worker: str, lifetime: Lifetime) -> None:
        self._settings, self._worker, self._lifetime = settings, worker, lifetime
        self._changed = threading.Condition()
        self._task: Task | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)
        self._thread.start()

    @contextmanager
    def beating(self, task: Task) -> Iterator[None]:
        """Heartbeats for a task, the first one `heartbeat_s` from now."""
        self._hold(task)
        try:
            yield
        finally:
            self._hold(None)

    def __enter__(self) -> "Heart":
        return self

    def __exit__(self, *_error: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=self._settings.busy_timeout_s + 1)

    def _hold(self, task: Task | None) -> None:
        with self._changed:
            self._task = task
            self._changed.notify()

    def _run(self) -> None:
        if (store := open_store(self._settings, self._lifetime, self._worker)) is None:
            return
        with store:
            while (task := self._next_task()) is not None:
                self._beat_while_held(store, task)

    def _next_task(self) -> Task | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._task is not None)
            return None if self._closed else self._task

    def _beat_while_held(self, store: Store, task: Task) -> None:
        lost = False
        while not self._let_go(task):
            if self._lifetime.orphaned:
                os.kill(os.getpid(), signal.SIGTERM)
            lost = lost or not self._beat(store, task)

    def _let_go(self, task: Task) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or self._task is not task, self._settings.heartbeat_s)

    def _beat(self, store: Store, task: Task) -> bool:
        try:
            renewed = store.heartbeat(task.id, self._worker, task.attempt)
        except BusyError as error:
            log(self._worker, f"no heartbeat: {error}")
            return True
        if not renewed:
            log(self._worker, f"task {task.id}: the lease is lost")
        return renewed
