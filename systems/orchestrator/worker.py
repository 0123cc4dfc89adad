"""Runs tasks: `python -m soak.systems.orchestrator.worker --config FILE --name w0 [--body package.module:function]`."""

import argparse
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from soak.systems.orchestrator.body import Body, PermanentError, Result, TransientError, load_body
from soak.systems.orchestrator.db_store import BusyError, Store
from soak.systems.orchestrator.dispatcher import socket_path
from soak.systems.orchestrator.enforce_guardrails import finish
from soak.systems.orchestrator.heart import Heart
from soak.systems.orchestrator.model import Task
from soak.systems.orchestrator.outcomes import BUSY_ERROR
from soak.systems.orchestrator.process import Lifetime, StoppedError, log, main, open_store
from soak.systems.orchestrator.settings import Settings

_DEFAULT_BODY = "soak.systems.orchestrator.body:sleep"
_AGAIN_S = 0.05

Write = Callable[[], bool]
"""Records how an attempt ended. False when the lease is lost; raises BusyError."""


class Mailbox:
    """The socket a worker is woken by."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(str(path))

    def empty(self) -> None:
        """Forget the calls so far: one look into the store answers them all."""
        try:
            while self.socket.recv(64):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Listen no more."""
        self.socket.close()
        self._path.unlink(missing_ok=True)


class Worker:
    """Does one task after the other."""

    def __init__(self, store: Store, name: str, body: Body, lifetime: Lifetime, heart: Heart) -> None:
        self._store, self._name, self._body, self._lifetime, self._heart = store, name, body, lifetime, heart

    def step(self) -> bool:
        """Do the task that was assigned, if there is one. Raises BusyError if the store cannot even be read."""
        task = self._store.assignment(self._name)
        if task is not None:
            with self._heart.beating(task):
                self._report(task, self._run(task))
        elif self._store.is_busy(self._name):
            # Its lease expired before it was begun, or after its result was refused.
            self._store.worker_idle(self._name)
        return task is not None

    def _run(self, task: Task) -> Write:
        store, name = self._store, self._name
        try:
            with self._lifetime.bounded():
                result = self._body(task, name)
            if not isinstance(result, Result):
                raise TypeError(f"the body gave {type(result).__name__}, not a Result")
            return lambda: finish(store, task, name, result)
        except PermanentError as error:
            return self._failure(task, str(error), transient=False)
        except TransientError as error:
            return self._failure(task, str(error), transient=True)
        except Exception as error:  # a body may raise anything; the worker must go on
            log(name, f"task {task.id}: {type(error).__name__}: {error}")
            return self._failure(task, type(error).__name__, transient=True)

    def _failure(self, task: Task, error: str, *, transient: bool) -> Write:
        return lambda: self._store.fail(task.id, self._name, task.attempt, error, transient=transient)

    def _report(self, task: Task, write: Write) -> None:
        accepted = self._try(write)
        if accepted is None:
            # Busy past its timeout: a transient failure of this attempt, as any other.
            accepted = self._try(self._failure(task, BUSY_ERROR, transient=True))
        while accepted is None and not self._lifetime.over:
            # The database is away for longer. The result is kept until it is back.
            self._lifetime.wait(_AGAIN_S)
            accepted = self._try(write)
        if accepted is False:
            log(self._name, f"task {task.id}: the result of attempt {task.attempt} is refused, the lease is lost")

    def _try(self, write: Write) -> bool | None:
        try:
            return write()
        except BusyError as error:
            log(self._name, error)
            return None


def work(settings: Settings, asked: argparse.Namespace, lifetime: Lifetime) -> None:
    """Do tasks until the end of the process."""
    body = load_body(asked.body or _DEFAULT_BODY)
    if (store := open_store(settings, lifetime, asked.name)) is None:
        return
    if settings.finishes:
        lifetime.be_patient()
    mailbox = Mailbox(socket_path(settings, asked.name))
    try:
        with store, Heart(settings, asked.name, lifetime) as heart:
            _until_written(lambda: store.register_worker(asked.name, os.getpid()), asked.name, lifetime)
            worker = Worker(store, asked.name, body, lifetime, heart)
            _loop(worker, mailbox, asked.name, lifetime, settings.look_s)
            if settings.finishes:
                _finish(worker, store, asked.name, lifetime)
            else:
                _leave(store, asked.name)
    finally:
        mailbox.close()


def _loop(worker: Worker, mailbox: Mailbox, name: str, lifetime: Lifetime, look_s: float) -> None:
    while not lifetime.over:
        mailbox.empty()
        try:
            worked = worker.step()
        except BusyError as error:
            log(name, error)
            worked = False
        except StoppedError:
            log(name, "stopped in the middle of a task, which stays leased")
            return
        if not worked:
            lifetime.wait(look_s, mailbox.socket)


def _until_written(write: Callable[[], None], name: str, lifetime: Lifetime) -> None:
    written = False
    while not (written or lifetime.over):
        try:
            write()
            written = True
        except BusyError as error:
            log(name, error)
            lifetime.wait(_AGAIN_S)


def _finish(worker: Worker, store: Store, name: str, lifetime: Lifetime) -> None:
    """Leave as soon as there is nothing more to do: a dispatcher may have given it a task while it was being stopped."""
    gone = False
    while not (gone or lifetime.orphaned):
        try:
            gone = store.retire(name) or not (worker.step() or store.is_busy(name))
        except BusyError as error:
            log(name, error)
            time.sleep(_AGAIN_S)


def _leave(store: Store, name: str) -> None:
    try:
        store.unregister(name)
    except BusyError as error:
        log(name, error)


if __name__ == "__main__":
    raise SystemExit(main(work, "body"))
