"""The server of the protocol: bodies of any system, in any language, report start and end to it, and are told how to end.

All of it happens in callbacks of a selector: nothing waits, and nothing that a client does raises. Times are those of receipt.
"""

import errno
import hmac
import selectors
import socket
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from soak.runner.targets.queue.foreign import messages
from soak.runner.targets.queue.foreign.messages import MOST_BYTES, VERSION, Ended, Hello, Started, WrongMessageError
from soak.schemas.errors import UsageError, reason

ADDRESS, TOKEN, TCP = "SOAK_ADDRESS", "SOAK_TOKEN", "SOAK_TCP"
"""Environment variables of clients. TCP: the address over TCP, where there is one, for clients elsewhere."""

_MOST_STRANGERS = 64
"""Connections without a valid hello; the oldest are closed."""

_MOST_WORDS = 100
"""Mistakes of clients that are told in words; further ones are counted."""

_MOST_OPEN = 10_000
"""Attempts in progress on one line."""


@dataclass(slots=True, eq=False)
class Attempt:
    """An attempt of task `number` whose body has started. attempt: set by the ledger; claimed: what the system says it is.

    started_at: seconds since the epoch, at receipt. cause: of its end, set by the ledger. over: it has ended, or its line closed.
    """

    number: int
    claimed: int | None = None
    worker: str = ""
    pid: int = 0
    host: str = ""
    own: bool = False
    started_at: float = 0.0
    attempt: int = 0
    cause: int = 0
    over: bool = False
    id: str = ""
    said_at: float | None = None
    """When its last message was sent, by the clock of the client."""

    planned: tuple[str, str] | None = None
    """The end and the error that its body was told."""
    told_s: float | None = None
    """When it was told, in scenario time, set by the ledger."""

    line: "_Line | None" = field(default=None, repr=False)


@dataclass(slots=True, eq=False)
class _Line:
    """A connection. pid: of a local peer. of_worker: that whose process it is from, once the ledger has found it."""

    socket: socket.socket
    pid: int = 0
    hello: Hello | None = None
    of_worker: str | None = None
    refused: bool = False
    heard: bytes = b""
    unsent: bytes = b""
    attempts: dict[str, Attempt] = field(default_factory=dict)

    @property
    def who(self) -> str:
        """The client, in words."""
        hello = self.hello
        pid = hello.pid if hello and hello.pid else self.pid
        process = f"process {pid}" if pid else "a client"
        return f"{hello.worker} ({process})" if hello and hello.worker else process


class Server:
    """Listens on the UNIX socket `unix` and, if given, on host and port `tcp` (port 0: a free one); `answer` registers callbacks.

    Raises UsageError for an address that cannot be used.
    """

    def __init__(
        self, selector: selectors.BaseSelector, *, unix: Path, tcp: tuple[str, int] | None = None, token: str
    ) -> None:
        self.address = f"unix:{unix}"
        self.tcp_address = ""
        self.mistakes = 0
        """Of clients, so far."""
        self._selector = selector
        self._token = token.encode()
        self._lines: dict[_Line, None] = {}
        self._strangers: dict[_Line, None] = {}
        self._listeners = [_listening(socket.AF_UNIX, str(unix))]
        self._started: Callable[[Attempt], None]
        self._ended: Callable[[Attempt, float, str, str], None]
        self._lost: Callable[[Attempt, float], None]
        self._wrong: Callable[[str], None]
        if tcp is not None:
            host, port = tcp
            self._listeners.append(_listening(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port)))
            port = self._listeners[1].getsockname()[1]
            self.tcp_address = f"tcp:[{host}]:{port}" if ":" in host else f"tcp:{host}:{port}"
        self._listen(on=True)

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables with which clients find the server."""
        tcp = {TCP: self.tcp_address} if self.tcp_address else {}
        return {ADDRESS: self.address, TOKEN: self._token.decode(), **tcp}

    def answer(
        self,
        *,
        started: Callable[[Attempt], None],
        ended: Callable[[Attempt, float, str, str], None],
        lost: Callable[[Attempt, float], None],
        wrong: Callable[[str], None],
    ) -> None:
        """Register callbacks: a body starts; it ends (at, end, error); its line is closed before (at); a mistake, in words.

        at: seconds since the epoch. end: ok, transient or permanent. An attempt that was set to be `over` is reported no more.
        """
        self._started, self._ended, self._lost, self._wrong = started, ended, lost, wrong

    def work(self, attempt: Attempt, seconds: float, memory_bytes: int = 0) -> None:
        """Tell a body what it has to do: for how long, and how much memory to use."""
        self._tell(attempt, op="work", id=attempt.id, seconds=seconds, memory_bytes=memory_bytes)

    def finish(self, attempt: Attempt, *, end: str, error: str = "", tokens: int = 0) -> None:
        """Tell a body to end: `end` is ok, transient or permanent. Ignored if its line is closed."""
        attempt.planned = (end, error)
        self._tell(attempt, op="finish", id=attempt.id, end=end, error=error, tokens=tokens)

    def close(self) -> None:
        """Disconnect every client and accept no more: the run is over. Nothing is reported of running attempts."""
        if not self._listeners:
            return
        self._listen(on=False)
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for line in list(self._lines):
            _over(line)
            self._hang_up(line)

    def _listen(self, *, on: bool) -> None:
        for listener in self._listeners:
            if on:
                self._selector.register(listener, selectors.EVENT_READ, lambda each=listener: self._accept(each))
            else:
                with suppress(KeyError):
                    self._selector.unregister(listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._mistake(f"too many connections: {reason(error)}")
                self._listen(on=False)  # until a line is closed
            return
        client.setblocking(False)
        line = _Line(client, _peer(client))
        self._lines[line] = self._strangers[line] = None
        self._selector.register(client, selectors.EVENT_READ, lambda: self._hear(line))
        if len(self._strangers) > _MOST_STRANGERS:
            oldest = next(iter(self._strangers))
            self._mistake(
                f"{oldest.who} was disconnected: {_MOST_STRANGERS} others connected after it, and it sent no hello"
            )
            self._hang_up(oldest)

    def _hear(self, line: _Line) -> None:
        if line not in self._lines:
            return  # disconnected since the selector told of it
        if line.unsent:
            self._send(line, b"")
        try:
            heard = line.socket.recv(MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        if not heard:
            self._hang_up(line)
        elif not line.refused:
            self._take_all(line, heard)

    def _take_all(self, line: _Line, heard: bytes) -> None:
        """Take each whole line of what was heard; what follows a refusal is not read."""
        *texts, line.heard = (line.heard + heard).split(b"\n")
        for text in texts:
            try:
                self._take(line, text)
            except WrongMessageError as error:
                self._refuse(line, str(error))
                return
        if len(line.heard) >= MOST_BYTES:
            self._refuse(line, f"a line is longer than {MOST_BYTES} bytes (send shorter ones)")

    def _take(self, line: _Line, text: bytes) -> None:
        message = messages.of_body(text)
        if isinstance(message, Hello):
            self._greet(line, message)
        elif line.hello is None:
            raise WrongMessageError(f"{message.__struct_config__.tag} came before hello (send hello first)")
        elif isinstance(message, Started):
            self._start(line, line.hello, message)
        else:
            self._end(line, message)

    def _greet(self, line: _Line, hello: Hello) -> None:
        if line.hello:
            raise WrongMessageError("it said hello again (say hello once on each connection)")
        if why := messages.refuses_version(hello.version):
            raise WrongMessageError(why)
        if not hmac.compare_digest(hello.token.encode(), self._token):
            raise WrongMessageError(f"its token is not that of this run (send that of {TOKEN})")
        if hello.role != "body":
            raise WrongMessageError(f"its role is not known here: {hello.role!r} (say body)")
        line.hello = hello
        del self._strangers[line]
        self._send(line, messages.encoded(op="welcome", version=VERSION))

    def _start(self, line: _Line, hello: Hello, message: Started) -> None:
        number = message.number
        if earlier := line.attempts.get(message.id):
            if earlier.number == number:
                self._mistake(f"{line.who} reported the start of task {number} twice (report each start once)")
                return
            self._mistake(f"{line.who} started task {number}, and never reported the end of task {earlier.number}")
            self._lose(line, earlier)
        if len(line.attempts) >= _MOST_OPEN:
            raise WrongMessageError(f"more than {_MOST_OPEN} attempts are in progress on one line (report their ends)")
        attempt = Attempt(
            number,
            message.attempt,
            message.worker or hello.worker,
            hello.pid or line.pid,
            hello.host or (_HOST if line.pid else ""),
            message.own,
            time.time(),
            id=message.id,
            said_at=message.at,
            line=line,
        )
        line.attempts[message.id] = attempt
        self._started(attempt)

    def _end(self, line: _Line, message: Ended) -> None:
        attempt = line.attempts.pop(message.id, None)
        if attempt is None:
            self._mistake(
                f"{line.who} reported an end without a start (report each end once, with the id of its start)"
            )
            return
        if attempt.over:
            return
        attempt.over, attempt.said_at = True, message.at
        end: str = message.end or "ok"
        error = message.error
        if not attempt.own:
            if attempt.planned is None:
                self._mistake(f"{line.who} ended task {attempt.number} before it was told to (wait for finish)")
            elif message.end not in (None, attempt.planned[0]):
                self._mistake(f"{line.who} ended task {attempt.number} as {end}, and was told {attempt.planned[0]}")
            else:
                end, error = attempt.planned
        self._ended(attempt, time.time(), end, error)

    def _lose(self, line: _Line, attempt: Attempt) -> None:
        del line.attempts[attempt.id]
        if not attempt.over:
            attempt.over = True
            self._lost(attempt, time.time())

    def _refuse(self, line: _Line, why: str) -> None:
        """Say why, and hear no more: the line is closed when the client closes it, or as one of too many."""
        self._mistake(f"{line.who} was refused: {why}")
        self._send(line, messages.encoded(op="refused", why=why))
        line.refused, line.heard = True, b""
        with suppress(OSError):
            line.socket.shutdown(socket.SHUT_WR)
        self._strangers[line] = None
        self._lose_all(line)

    def _mistake(self, words: str) -> None:
        self.mistakes += 1
        if self.mistakes <= _MOST_WORDS:
            self._wrong(words)
        elif self.mistakes == _MOST_WORDS + 1:
            self._wrong(f"clients of the protocol made more than {_MOST_WORDS} mistakes: further ones are only counted")

    def _tell(self, attempt: Attempt, **message: object) -> None:
        if attempt.line and not attempt.over:
            self._send(attempt.line, messages.encoded(**message))

    def _send(self, line: _Line, text: bytes) -> None:
        """Send as much as the client reads; one that does not read is disconnected."""
        before, line.unsent = line.unsent, line.unsent + text
        with suppress(BlockingIOError):
            try:
                line.unsent = line.unsent[line.socket.send(line.unsent) :]
            except BlockingIOError:
                raise
            except OSError:
                line.unsent = b""  # closed, as its next reading tells
        if len(line.unsent) > MOST_BYTES:
            self._mistake(f"{line.who} does not read what it is sent, and was disconnected")
            line.unsent = b""
            with suppress(OSError):
                line.socket.shutdown(socket.SHUT_RDWR)
        if bool(before) != bool(line.unsent):
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.unsent else 0)
            self._selector.modify(line.socket, wanted, lambda: self._hear(line))

    def _lose_all(self, line: _Line) -> None:
        for attempt in list(line.attempts.values()):
            self._lose(line, attempt)

    def _hang_up(self, line: _Line) -> None:
        self._lose_all(line)
        self._selector.unregister(line.socket)
        line.socket.close()
        self._lines.pop(line, None)
        self._strangers.pop(line, None)
        if self._listeners and self._listeners[0] not in self._selector.get_map():
            self._listen(on=True)


_HOST = socket.gethostname()


def _over(line: _Line) -> None:
    """Its attempts are left to the system."""
    for attempt in line.attempts.values():
        attempt.over = True
    line.attempts.clear()


def _listening(family: socket.AddressFamily, address: str | tuple[str, int]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family != socket.AF_UNIX:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        where = address if isinstance(address, str) else f"{address[0]}:{address[1]}"
        raise UsageError(f"{where}: cannot listen for bodies: {reason(error)} (use another address)") from None
    listener.setblocking(False)
    return listener


def _peer(client: socket.socket) -> int:
    """The id of the process at the other end of a UNIX socket; 0 of any other."""
    if client.family != socket.AF_UNIX:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return 0
    pid, _, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(pid)
