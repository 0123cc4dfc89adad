"""A server of the protocol in a thread of its own, with everything that it reports."""

import json
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from servers import until

from soak.runner.targets.queue.foreign.server import Attempt, Server

ENDS = (("ok", ""), ("transient", "network"), ("permanent", "bad_input"))
"""How attempts are told to end: task 0 as the first, 1 as the second, 2 as the third, and so on."""

Planned = Callable[[Server, Attempt], None]


def at_once(server: Server, attempt: Attempt) -> None:
    """Tell a body to end at once."""
    end, error = ENDS[attempt.number % 3]
    server.work(attempt, 0.25, 0)
    server.finish(attempt, end=end, error=error, tokens=attempt.number)


def nothing(server: Server, attempt: Attempt) -> None:
    """Leave a body waiting."""


class Seen:
    """What the server has reported so far, in order: `started 7`, `ended 7 ok`, `lost 7`; and mistakes in words."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.events: list[str] = []
        self.attempts: list[Attempt] = []
        self.times: list[float] = []
        self.mistakes: list[str] = []

    def wait_for(self, *events: str) -> None:
        """Wait until these are all that has happened, in this order."""
        with suppress(pytest.fail.Exception):
            until(lambda: len(self.events) >= len(events), 10)
        assert self.events == list(events)


@contextmanager
def serving(directory: Path, *, tcp: bool = False, plan: Planned = at_once) -> Iterator[Seen]:
    """A server on a socket in `directory`, whose token is `open sesame`."""
    selector = selectors.DefaultSelector()
    server = Server(selector, unix=directory / "s", tcp=("127.0.0.1", 0) if tcp else None, token="open sesame")
    seen = Seen(server)

    def started(attempt: Attempt) -> None:
        seen.attempts.append(attempt)
        seen.events.append(f"started {attempt.number}")
        if not attempt.own:
            plan(server, attempt)

    def ended(attempt: Attempt, at: float, end: str, error: str) -> None:
        seen.times.append(at)
        seen.events.append(f"ended {attempt.number} {end} {error}".rstrip())

    server.answer(
        started=started,
        ended=ended,
        lost=lambda attempt, at: seen.events.append(f"lost {attempt.number}"),
        wrong=seen.mistakes.append,
    )
    over = threading.Event()
    failures: list[BaseException] = []

    def loop() -> None:
        try:
            while not over.is_set():
                for key, _ in selector.select(0.02):
                    key.data()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        server.close()
        selector.close()
    assert failures == []


class Client:
    """Speaks the protocol by hand."""

    def __init__(self, seen: Seen) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(seen.server.address.removeprefix("unix:"))
        self._reader = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._reader.close()
        self.socket.close()

    def say(self, **message: object) -> None:
        """Send a message."""
        self.raw(json.dumps(message).encode() + b"\n")

    def raw(self, text: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(text)

    def hello(self, **more: object) -> None:
        """Say hello and hear a welcome."""
        self.say(op="hello", version=1, role="body", token="open sesame", **more)
        assert self.hear() == {"op": "welcome", "version": 1}

    def start(self, number: int, **more: object) -> None:
        """Report a start."""
        self.say(op="started", payload=json.dumps({"number": number}), **more)

    def hear(self) -> dict[str, Any]:
        """The next message; empty when the line is closed."""
        line = self._reader.readline()
        heard: dict[str, Any] = json.loads(line) if line else {}
        return heard
