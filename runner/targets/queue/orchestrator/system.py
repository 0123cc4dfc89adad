"""The orchestrator as a system of the contract: its processes and its database."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from soak.contract import (
    Accepted,
    BusyError,
    Change,
    ChangeType,
    Refused,
    Snapshot,
    SystemSettings,
)
from soak.runner.targets.keys import kind_of
from soak.runner.targets.queue.names import worker_name
from soak.runner.targets.queue.orchestrator.processes import Processes
from soak.runner.targets.queue.orchestrator.rival import Rival
from soak.runner.targets.queue.orchestrator.settings import settings_of, write_settings
from soak.runner.targets.queue.orchestrator.target import DATABASE
from soak.runner.targets.sockets import socket_directory
from soak.schemas.errors import SoakError
from soak.systems.orchestrator import db_store
from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.model import Enqueued, Event, TaskState

AT_ONCE = 5_000
_READY_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.01
_BODY = "soak.runner.targets.queue.orchestrator.body:run"
_TOLD = {str(each) for each in ChangeType}


class OrchestratorSystem(Processes):
    """Workers, dispatchers and a watchdog; logs go to `settings.directory`, and the database too unless `database` is given.

    `after`: changes begin behind this record of its log. `held`: everything is ready, and nothing moves before `go`.
    `finishes`: a worker that is asked to stop finishes first what it was given.
    """

    def __init__(
        self,
        settings: SystemSettings,
        database: Path | None = None,
        after: int = 0,
        *,
        held: bool = False,
        finishes: bool = False,
    ) -> None:
        super().__init__(settings.directory, settings.environment)
        self._database = (database or settings.directory / DATABASE).resolve()
        self._last = after
        self._stack = ExitStack()
        try:
            self._open(settings, finishes=finishes)
            if not held:
                self.go()
        except BaseException:
            self.close()
            raise

    def _open(self, settings: SystemSettings, *, finishes: bool) -> None:
        enter = self._stack.enter_context
        self._sockets = Path(enter(socket_directory()))
        system = replace(settings_of(settings, self._database, self._sockets), finishes=finishes)
        write_settings(system, self._sockets / "settings.json")
        # The runner does not wait for a busy database, which would block everything else.
        impatient = replace(system, busy_timeout_s=0.0)
        self._store = enter(closing(Store(self._database, impatient)))
        self._rival = enter(closing(Rival(lambda: Store(self._database, impatient), _enqueue)))
        self._start_all(settings)

    def _start_all(self, settings: SystemSettings) -> None:
        config = self._config
        workers = [worker_name(index) for index in range(settings.workers)]
        for name in workers:
            self.start_worker(name)
        self._wait_until_ready(workers)
        for index in range(settings.dispatchers):
            self.start_held(f"dispatcher{index}", "soak.systems.orchestrator.dispatcher", *config, f"dispatcher{index}")
        self.start_held("watchdog", "soak.systems.orchestrator.watchdog", *config, "watchdog")
        self._wait_until_held()

    @property
    def _config(self) -> tuple[str, ...]:
        return "--config", str(self._sockets / "settings.json"), "--name"

    def start_worker(self, name: str) -> None:
        """Start a worker, of a name that may be new."""
        self.start(name, "soak.systems.orchestrator.worker", *self._config, name, "--body", _BODY)

    def _wait_until_held(self) -> None:
        """Wait for what is held to be ready. Raises SoakError that names the log of one that is not."""
        until = time.monotonic() + _READY_WITHIN_S
        for name in self.held:
            if not self.is_ready(name, until - time.monotonic()):
                raise self._not_started(name)

    def _wait_until_ready(self, missing: list[str]) -> None:
        """Wait for every worker to listen. Raises SoakError that names the log of one that does not."""
        until = time.monotonic() + _READY_WITHIN_S
        while missing := [name for name in missing if not (self._sockets / f"{name}.sock").exists()]:
            gone = self.gone()
            if gone or time.monotonic() > until:
                raise self._not_started((gone or missing)[0])
            time.sleep(_LOOK_EVERY_S)

    def _not_started(self, name: str) -> SoakError:
        log = self.directory / f"{name}.log"
        return SoakError(f"{name} of the orchestrator did not start: {_last_line(log)} (see {log})")

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """See `System`."""
        return _enqueue(self._store, key, payload)

    def enqueue_twice(self, key: str, payload: str) -> tuple[Accepted | Refused | None, Accepted | Refused | None]:
        """Offer a key on two connections at the same instant; None stands for BusyError."""
        return self._rival.race(key, payload, lambda: self.enqueue(key, payload))

    def changes(self) -> list[Change]:
        """See `System`."""
        found = []
        while True:
            with _busy():
                events = self._store.events_after(self._last, AT_ONCE)
            found += [_change(event) for event in events if event.type in _TOLD]
            if events:
                self._last = events[-1].id
            if len(events) < AT_ONCE:
                return found

    def snapshot(self) -> Snapshot:
        """See `System`."""
        with _busy():
            stored = self._store.snapshot()
        counts = {state.name.lower(): stored.counts[state] for state in TaskState}
        return Snapshot(**counts, oldest_s=stored.oldest_due_s, busy_workers=stored.busy_workers)

    def files(self) -> list[Path]:
        """See `System`."""
        return [self._database, self._database.with_name(f"{self._database.name}-wal")]

    def is_writable(self) -> bool:
        """Whether the database accepts a write now, by trying one."""
        database = sqlite3.connect(self._database, timeout=0.0, isolation_level=None)
        try:
            # A write of what is there already: it takes the lock, and room in the log.
            [(version,)] = database.execute("PRAGMA user_version")
            database.execute("BEGIN IMMEDIATE")
            database.execute(f"PRAGMA user_version = {int(version)}")
            database.execute("COMMIT")
        except sqlite3.OperationalError:
            return False
        finally:
            database.close()
        return True

    def close(self) -> None:
        """See `System`."""
        self.stop()
        self._stack.close()


@contextmanager
def _busy() -> Iterator[None]:
    """Translates its error for a busy database to the contract's."""
    try:
        yield
    except db_store.BusyError as error:
        raise BusyError(*error.args) from error


def _enqueue(store: Store, key: str, payload: str) -> Accepted | Refused:
    with _busy():
        answer = store.enqueue(key, payload, kind=kind_of(payload) if store.settings.kinds else "")
    return Accepted(answer.task_id) if isinstance(answer, Enqueued) else Refused()


def _change(event: Event) -> Change:
    return Change(
        ChangeType(event.type),
        event.task_id,
        event.key,
        event.at,
        event.attempt,
        event.worker,
        event.due or 0.0,
        event.error,
    )


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1] if lines else "no output"
