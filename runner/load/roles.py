"""What a process that makes load is: alone, the master of workers, or a worker. Imported by such processes only."""

import os
import resource
import socket
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent.event import AsyncResult
from gevent.queue import Queue
from gevent.signal import signal as on_signal
from locust.env import Environment
from locust.event import EventHook

from soak.runner.load import client
from soak.runner.load.frames import Frames, Message, own_end, pack
from soak.runner.load.order import Order, Part
from soak.runner.load.sender import Sender
from soak.schemas.errors import SoakError, UsageError, failure_words

_AT_ONCE = 1 << 18


class Line:
    """The socket to the process that started this one. When that ends, this one does."""

    def __init__(self, fd: int, hear: Callable[[Message], None]) -> None:
        self._socket, self._hear = own_end(fd), hear
        self._waiting: Queue[bytes | None] = Queue()
        self.over: AsyncResult[int] = AsyncResult()
        """The exit code, once there is one."""

    def begin(self) -> None:
        """Listen, and send what is said."""
        gevent.spawn(self._listen)
        gevent.spawn(self._write)

    def say(self, message: Message) -> None:
        """Send a message, soon."""
        self._waiting.put(pack(message))

    def end(self, code: int = 0) -> None:
        """End the process, after everything was sent."""
        self._code = code
        self._waiting.put(None)

    def fail(self, error: BaseException) -> None:
        """Say why the process cannot go on, and end it."""
        traceback.print_exception(error)
        words = str(error) if isinstance(error, SoakError) else f"the load generator failed: {failure_words(error)}"
        self.say({"is": "failed", "words": words, "usage": isinstance(error, UsageError)})
        self.end(1)

    def _listen(self) -> None:
        frames = Frames()
        while data := self._received():
            for message in frames.feed(data):
                try:
                    self._hear(message)
                except Exception as error:
                    self.fail(error)
                    return
        self.over.set(0)

    def _received(self) -> bytes:
        try:
            return self._socket.recv(_AT_ONCE)
        except OSError:
            return b""

    def _write(self) -> None:
        try:
            while (frame := self._waiting.get()) is not None:
                self._socket.sendall(frame)
        except OSError:
            self.over.set(1)
        else:
            self.over.set(self._code)


class Role:
    """Hears the process that started this one, by its `line`."""

    def __init__(self, fd: int) -> None:
        self.line = Line(fd, self.hear)
        self.environment = Environment()

    def hear(self, message: Message) -> None:
        """A message came from the process that started this one."""

    def begin(self) -> None:
        """What is to be done at first."""

    def run(self) -> int:
        """Act until the end."""
        self.line.begin()
        on_signal(15, lambda: self.line.over.set(0))
        try:
            self.begin()
        except Exception as error:
            self.line.fail(error)
        code: int = self.line.over.get()
        return code


class Working:
    """Does what the runner says to a process that sends requests."""

    def __init__(self, environment: Environment, tell: Callable[[Message], None], line: Line) -> None:
        self._environment, self._tell, self._line = environment, tell, line
        self._sender: Sender | None = None
        client.prepare()
        _allow_connections()
        # In place of the listeners that feed Locust's own statistics, which nobody reads.
        environment.events.request = EventHook()  # type: ignore[no-untyped-call]
        environment.events.request.add_listener(client.on_request)  # type: ignore[no-untyped-call]

    def hear(self, message: Message) -> None:
        """Do it. Raises SoakError for work that cannot be done."""
        kind = message["is"]
        if kind == "prepare":
            order, part = msgspec.convert(message["order"], Order), msgspec.convert(message["part"], Part)
            self._sender = Sender(order, part, self._environment.events.request, self._tell, self._line.fail)
            self._tell({"is": "ready"})
        elif sender := self._sender:
            self._carry_out(kind, message, sender)

    @property
    def requests(self) -> int:
        """How many were sent."""
        return self._sender.rows.requests if self._sender else 0

    def set_epoch(self, epoch_s: float) -> None:
        """The clock from which the time is taken was read again."""
        if self._sender:
            self._sender.set_epoch(epoch_s)

    def _carry_out(self, kind: str, message: Message, sender: Sender) -> None:
        if kind == "start":
            sender.start(message["epoch"])
        elif kind == "end":
            sender.end_arrivals(message["at"])
        elif kind == "take_over":
            sender.take_over(message)
        elif kind == "stop":
            sender.flush()
            self._tell({"is": "stopped"})


class Alone(Role):
    """Sends all requests itself."""

    def begin(self) -> None:
        """Nothing: the work comes."""
        self.environment.create_local_runner()
        self._working = Working(self.environment, lambda message: self.line.say({**message, "worker": 0}), self.line)

    def hear(self, message: Message) -> None:
        """Work."""
        self._working.hear(message)
        if message["is"] == "stop":
            self.line.end()


def run(fd: int, role: str, arguments: Sequence[str]) -> int:
    """Act in a role; returns the exit code."""
    made: Role
    if role == "alone":
        made = Alone(fd)
    else:
        from soak.runner.load.distributed import Master, Worker

        made = Master(fd, *arguments) if role == "master" else Worker(fd, *arguments)
    return made.run()


def _allow_connections() -> None:
    """Each open request has a connection: as many as this process may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def here() -> dict[str, Any]:
    """What says of a process where it runs."""
    machine = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return {"pid": os.getpid(), "host": socket.gethostname(), "machine": machine}
