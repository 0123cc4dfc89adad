"""A process that makes replications for its parent: what it is sent, does and sends back."""

import gc
import os
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from msgspec import Struct

from soak.runner.lifeline import die_with_parent
from soak.runner.replications.replication import Job, Replication, replicate
from soak.runner.replications.scenarios import Shelf, unpacked
from soak.schemas.errors import SoakError
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import use


class Order(Struct, frozen=True):
    """A job without its scenario, which is known by its number; `packed`: the scenario, where the worker does not have it yet."""

    number: int
    system: str
    scenario: int
    packed: bytes | None
    job: dict[str, Any]


class Reply(Struct, frozen=True):
    """What came of an order: a replication or an error."""

    number: int
    replication: Replication | None = None
    error: Exception | None = None


def serve(connection: Connection, parent: int, inherited: Sequence[Connection]) -> None:
    """The life of a worker: orders in, replies out, until the parent closes the connection or ends."""
    begin(parent)
    for each in inherited:
        each.close()
    desk = _Desk(connection)
    try:
        while True:
            desk.take_in()
            desk.do_next()
    except (EOFError, OSError):
        # The parent has gone, or does not want to know any more.
        os._exit(0)


def begin(parent: int) -> None:
    """Start of a worker: it leaves signals to its parent, does not outlive it, and does not collect its parent's garbage."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    if not die_with_parent(parent):
        os._exit(1)
    gc.freeze()


@contextmanager
def held(number: signal.Signals) -> Iterator[None]:
    """Hold a signal back: while a process forks, Python loses one that comes in the middle of its hooks."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(slots=True)
class _Held:
    """A scenario: packed until it is needed first."""

    content: bytes
    scenario: Scenario | None = None

    def of(self, system: str) -> Scenario:
        """The scenario, of that system."""
        if self.scenario is None:
            use(system)
            self.scenario = unpacked(self.content)
        return self.scenario


class _Desk:
    """The orders that wait, and the scenarios that they are about: the shelf is used as orders come in, as the parent's is."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._orders: deque[tuple[Order, _Held]] = deque()
        self._scenarios: Shelf[_Held] = Shelf()

    def take_in(self) -> None:
        """Read all that was sent, and wait for an order if there is none. Raises EOFError or OSError."""
        while not self._orders or self._connection.poll():
            order: Order = pickle.loads(self._connection.recv_bytes())
            if order.packed is not None:
                self._scenarios.put(order.scenario, _Held(order.packed))
            self._orders.append((order, self._scenarios.get(order.scenario)))

    def do_next(self) -> None:
        """Carry out the first order. Raises OSError."""
        order, held = self._orders.popleft()
        try:
            reply = Reply(order.number, replication=replicate(Job(scenario=held.of(order.system), **order.job)))
        except Exception as error:
            reply = Reply(order.number, error=_portable(error))
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        self._connection.send_bytes(pickle.dumps(reply, pickle.HIGHEST_PROTOCOL))


def _portable(error: Exception) -> Exception:
    """The error as it can be sent, with the lines that led to it, for --debug."""
    lines = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = SoakError(f"{type(error).__name__}: {error}")
    error.add_note(f"in a worker process:\n{lines}")
    return error
