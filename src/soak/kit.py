"""What programs of a task system use to talk to the runner: bodies of tasks, submitters, and a command for scripts.

Standard library only, Python 3.9 or newer, and nothing else of soak: any environment can import it. The protocol is in
docs/protocol.md. `python -m soak.kit body PAYLOAD` does one attempt, as `soak body` does.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterator, Sequence

VERSION = 1
ADDRESS, TOKEN, CONFIG, WORKER = "SOAK_ADDRESS", "SOAK_TOKEN", "SOAK_CONFIG", "SOAK_WORKER"
"""Environment variables of what the runner starts. WORKER: the name of a worker."""

PAYLOAD = "SOAK_PAYLOAD"
OK, TRANSIENT, PERMANENT, NO_RUNNER = 0, 75, 65, 70
"""Exit codes of `soak body`: those of sysexits.h."""

_CONNECT_S = 5.0 * float(os.environ.get("SOAK_CLOCK_FACTOR", "1"))
"""By the clock of this process, which the target file may let run faster."""
_MOST_BYTES = 65_536


class TransientError(Exception):
    """The attempt failed with a transient error; the message is the name of the error."""


class PermanentError(Exception):
    """The attempt failed with a permanent error; the message is the name of the error."""


class RunnerGoneError(Exception):
    """The runner is gone, or refuses this program: a worker that gets this should exit."""


class Busy(Exception):  # noqa: N818 an answer, not an error
    """The system cannot accept a submission now, and nothing has changed: it is offered again a little later."""


class Result(NamedTuple):
    """Result of a successful attempt. `tokens`: tokens used, for the guardrail of a system that has one."""

    tokens: int


class Settings(dict):  # type: ignore[type-arg]  # Python 3.9
    """Settings of the scenario by key or by attribute; durations in real seconds."""

    def __getattr__(self, name: str) -> Any:
        """The setting of a name. Raises AttributeError."""
        if name not in self:
            raise AttributeError(f"the scenario has no setting {name!r} (it has: {', '.join(self)})")
        return self[name]


def settings() -> Settings:
    """Settings of the scenario: max_attempts, backoff_s, lease_s, heartbeat_s, workers, concurrency, speed and others.

    Raises RunnerGoneError in a program that soak has not started.
    """
    if CONFIG not in os.environ:
        raise RunnerGoneError(f"{CONFIG} is not set: soak has not started this program")
    try:
        with open(os.environ[CONFIG], encoding="utf-8") as file:  # noqa: PTH123 every body would pay for pathlib
            return Settings(json.load(file))
    except (OSError, ValueError) as error:
        raise RunnerGoneError(f"the settings in {os.environ[CONFIG]} cannot be read: {error}") from error


def attempt(payload: str, *, attempt: int | None = None, worker: str | None = None) -> Result:
    """Do one attempt of a task as planned: report its start, wait as long as it takes, report its end.

    payload: as submitted. attempt: its number from 1, if the system counts. worker: the name of the worker, by default that
    in SOAK_WORKER. To be called by any number of threads and processes. Raises TransientError, PermanentError or
    RunnerGoneError.
    """
    with _attempting(payload, attempt, worker, own=False) as line:
        held = b""
        while (message := line.hear())["op"] != "finish":
            held = b"\1" * message.get("memory_bytes", 0)
        del held
        line.end()
    return _result(message)


@contextmanager
def own_attempt(payload: str, *, attempt: int | None = None, worker: str | None = None) -> Iterator[None]:
    """Around work of one's own: soak plans nothing, it sees the start and the end.

    An exception is a transient error, named by its class; PermanentError is a permanent one. Both are raised again. What is not
    derived from Exception (KeyboardInterrupt, timeouts of some systems) is an attempt that broke down.
    """
    with _attempting(payload, attempt, worker, own=True) as line:
        try:
            yield
        except Exception as error:
            named = str(error) if isinstance(error, (PermanentError, TransientError)) else type(error).__name__
            line.end(end="permanent" if isinstance(error, PermanentError) else "transient", error=named)
            raise
        line.end(end="ok")


async def attempt_async(payload: str, *, attempt: int | None = None, worker: str | None = None) -> Result:
    """`attempt` for coroutines, any number of them at a time. One that is cancelled is an attempt that broke down."""
    reader, writer = await _opened()
    try:
        writer.write(_hello(worker) + _start(payload, attempt, worker, own=False))
        held = b""
        while (message := _understood(await reader.readline()))["op"] != "finish":
            held = b"\1" * message.get("memory_bytes", 0)
        del held
        writer.write(_line_of(op="ended", at=time.time()))
        await writer.drain()
    except OSError as error:
        raise RunnerGoneError(f"the runner is gone: {error}") from error
    finally:
        writer.close()
    return _result(message)


def serve(
    *,
    submit: Callable[[str, str], bool | int | str | None],
    census: Callable[[], dict[str, int]] | None = None,
    changes: Callable[[], list[dict[str, Any]]] | None = None,
    processes: Callable[[], dict[str, int]] | None = None,
    stop: Callable[[], None] | None = None,
    threads: int = 1,
) -> None:
    """Submit what the runner says on standard input, until that ends. What is printed meanwhile goes to standard error.

    submit(key, payload) returns None or True: accepted; False: refused, the key is taken. It raises Busy if nothing has changed;
    any other exception: nobody knows. census(): tasks by state (pending, in_progress, done, failed, blocked, cancelled), of those
    states that the system knows. threads: how many calls at a time.

    With changes() it is a whole system, which gives an account: changes since the last call, as `soak.contract.Change` has
    them, by name, with `task` for the id of the task; `submit` may return that id, by default it is the key. processes(): ids
    of its processes by the names of workers. stop(): no body starts any more.
    """
    from soak.serving import Functions, serve

    serve(Functions(submit, census, changes, processes, stop), threads)


async def serve_async(
    *,
    submit: Callable[[str, str], Awaitable[bool | int | str | None]],
    census: Callable[[], Awaitable[dict[str, int]]] | None = None,
    changes: Callable[[], Awaitable[list[dict[str, Any]]]] | None = None,
    processes: Callable[[], Awaitable[dict[str, int]]] | None = None,
    stop: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """`serve` with coroutines, any number of them at a time."""
    from soak.serving import Functions, serve_async

    await serve_async(Functions(submit, census, changes, processes, stop))


def main(words: Sequence[str]) -> int:
    """`body [PAYLOAD]`: one attempt of the payload given, in SOAK_PAYLOAD, or on standard input. Returns the exit code."""
    if not words or words[0] != "body" or len(words) > 2:
        sys.stderr.write(
            "usage: python -m soak.kit body [PAYLOAD]   (or the payload in SOAK_PAYLOAD, or on standard input)\n"
        )
        return 2
    return body(words[1] if len(words) > 1 else None)


def body(payload: str | None) -> int:
    """One attempt of a payload, by default of SOAK_PAYLOAD or standard input. Returns OK, TRANSIENT, PERMANENT or NO_RUNNER."""
    payload = payload or os.environ.get(PAYLOAD) or sys.stdin.read().strip()
    try:
        attempt(payload)
    except TransientError as error:
        sys.stderr.write(f"transient error: {error}\n")
        return TRANSIENT
    except PermanentError as error:
        sys.stderr.write(f"permanent error: {error}\n")
        return PERMANENT
    except RunnerGoneError as error:
        sys.stderr.write(f"{error}\n")
        return NO_RUNNER
    return OK


class _Line:
    """A connection to the runner: one attempt at a time. A thread keeps its own."""

    def __init__(self, worker: str | None) -> None:
        self._socket = _connected()
        self.busy = False
        self._heard = b""
        _lines.add(self)
        self.send(_hello(worker))
        self.hear()

    def __del__(self) -> None:
        with suppress(AttributeError):  # it was never connected
            self._socket.close()

    def free(self) -> bool:
        """Whether it can be used for another attempt: not in one, and the runner has not closed it."""
        if self.busy:
            return False
        try:
            self._socket.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def send(self, line: bytes) -> None:
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise RunnerGoneError(f"the runner is gone: {error}") from error

    def hear(self) -> dict[str, Any]:
        while b"\n" not in self._heard:
            try:
                more = self._socket.recv(_MOST_BYTES)
            except OSError as error:
                raise RunnerGoneError(f"the runner is gone: {error}") from error
            if not more:
                break
            self._heard += more
        line, _, self._heard = self._heard.partition(b"\n")
        return _understood(line)

    def end(self, **how: str) -> None:
        self.send(_line_of(op="ended", at=time.time(), **how))
        self.busy = False

    def close(self) -> None:
        self.busy = True
        self._socket.close()


_lines: weakref.WeakSet[_Line] = weakref.WeakSet()
_thread = threading.local()


def _forget_lines() -> None:
    """In a child after a fork: the lines are its parent's, and close when that ends."""
    for line in list(_lines):
        line.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lines)


@contextmanager
def _attempting(payload: str, attempt: int | None, worker: str | None, *, own: bool) -> Iterator[_Line]:
    """A line on which the start of an attempt has been reported; closed if its end is not."""
    line: _Line | None = getattr(_thread, "line", None)
    if line is None or not line.free():
        line = _thread.line = _Line(worker)
    line.busy = True
    try:
        line.send(_start(payload, attempt, worker, own=own))
        yield line
    finally:
        if line.busy:
            line.close()


def _result(finish: dict[str, Any]) -> Result:
    if finish["end"] == "transient":
        raise TransientError(finish["error"])
    if finish["end"] == "permanent":
        raise PermanentError(finish["error"])
    return Result(finish["tokens"])


def _hello(worker: str | None) -> bytes:
    return _line_of(
        op="hello",
        version=VERSION,
        role="body",
        token=os.environ.get(TOKEN, ""),
        pid=os.getpid(),
        host=socket.gethostname(),
        worker=worker or os.environ.get(WORKER, ""),
    )


def _start(payload: str, attempt: int | None, worker: str | None, *, own: bool) -> bytes:
    started: dict[str, object] = {"op": "started", "payload": payload, "at": time.time()}
    if attempt is not None:
        started["attempt"] = attempt
    if worker:
        started["worker"] = worker
    if own:
        started["own"] = True
    return _line_of(**started)


def _line_of(**message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _understood(line: bytes) -> dict[str, Any]:
    """A message of the runner. Raises RunnerGoneError for a refusal, or where the line was closed."""
    if not line:
        raise RunnerGoneError("the runner has closed the connection")
    message: dict[str, Any] = json.loads(line)
    if message["op"] == "refused":
        raise RunnerGoneError(f"the runner refuses this program: {message['why']}")
    return message


def _address() -> str | tuple[str, int]:
    """The path of a socket, or host and port."""
    given = os.environ.get(ADDRESS, "")
    kind, _, place = given.partition(":")
    if kind == "unix" and place:
        return place
    host, _, port = place.rpartition(":")
    if kind == "tcp" and host and port.isdigit():
        return (host.strip("[]"), int(port))
    raise RunnerGoneError(f"{ADDRESS} is {given!r}, not unix:PATH or tcp:HOST:PORT (soak sets it for what it starts)")


def _connected() -> socket.socket:
    place = _address()
    try:
        if isinstance(place, tuple):
            line = socket.create_connection(place, _CONNECT_S)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            line = _connected_unix(place)
    except OSError as error:
        raise RunnerGoneError(f"no runner at {os.environ[ADDRESS]}: {error}") from error
    line.settimeout(None)
    return line


def _connected_unix(path: str) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(_CONNECT_S)
    try:
        line.connect(path)
    except OSError:
        line.close()
        raise
    return line


async def _opened() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    import asyncio

    place = _address()
    try:
        if isinstance(place, tuple):
            return await asyncio.open_connection(*place)
        return await asyncio.open_unix_connection(place)
    except OSError as error:
        raise RunnerGoneError(f"no runner at {os.environ[ADDRESS]}: {error}") from error


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
