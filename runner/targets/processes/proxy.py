"""A TCP proxy in front of an address, so that the network to it can be cut or slowed down, or its connections closed.

New connections of a network that is cut are accepted and reset at once: a port at which nobody listens meanwhile could be taken
by others.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar, cast

from soak.runner.targets.processes.background import Background

_HOST = "127.0.0.1"
_WITHIN_S = 10.0
_BACKLOG = 1024
_MOST_BYTES = 1 << 20
"""No more than this is read ahead of what one side sends and the other has not been sent yet."""

T = TypeVar("T")


class Proxy:
    """From a port of this machine to `to`, a port of this machine or `host:port`, in the loop of `background`.

    Its methods are for other threads. Those that change something return once that is so.
    """

    def __init__(self, background: Background, to: str) -> None:
        host, _, port = to.rpartition(":")
        self.to = host or _HOST, int(port)
        self._background = background
        self.links: set[_Side] = set()
        """The sides of clients."""
        self.delay_s = 0.0
        self.refuses = self.drops = False
        self.struck = 0
        """Connections that were closed, refused or held up so far, and times that bytes came late."""
        self._server: asyncio.Server | None = None

    def start(self) -> int:
        """Listen; returns the port. Raises OSError."""
        return self._background.run(self._listen(), _WITHIN_S)

    async def _listen(self) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Side(self), _HOST, 0, backlog=_BACKLOG)
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self, *, drops: bool) -> None:
        """Close all connections and refuse new ones; `drops`: keep them open, and let nothing through."""

        def act() -> None:
            self.refuses, self.drops = not drops, drops
            if drops:
                self.struck += len(self.links)
                self._look()
            else:
                self._close_all()

        self._do(act)

    def slow_down(self, delay_s: float) -> None:
        """Let bytes arrive so much later, each way."""
        self._do(lambda: setattr(self, "delay_s", delay_s))

    def heal(self) -> None:
        """It is cut no more; what is on its way arrives first."""

        def act() -> None:
            self.refuses = self.drops = False
            self._look()

        self._do(act)

    def close_connections(self) -> int:
        """Close all connections that there are; returns how many. New ones are accepted."""
        return self._do(self._close_all)

    def close(self) -> None:
        """Listen no more, and close all connections."""

        def act() -> None:
            if self._server:
                self._server.close()
            self._close_all()

        self._do(act)

    def _close_all(self) -> int:
        count = len(self.links)
        self.struck += count
        for each in [*self.links]:
            each.abort()
        return count

    def _look(self) -> None:
        for each in [*self.links]:
            each.look()
            each.connect()

    def _do(self, action: Callable[[], T]) -> T:
        async def act() -> T:
            return action()

        return self._background.run(act(), _WITHIN_S)


class _Side(asyncio.Protocol):
    """One side of a connection: of the client, which is accepted, or of what is behind the proxy (`client`)."""

    _transport: asyncio.Transport

    def __init__(self, proxy: Proxy, client: "_Side | None" = None) -> None:
        self._proxy = proxy
        self._other = client
        self._client = client is None
        self._connecting: asyncio.Task[None] | None = None
        self._late: deque[tuple[float, bytes]] = deque()
        """What this side has sent, and when it is to arrive at the other one; empty: the end."""
        self._late_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._full = False
        """Whether this side takes no more for now."""
        self._ended = self._gone = False

    # What happens to its connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._client:
            return
        if self._proxy.refuses:
            self._proxy.struck += 1
            self._transport.abort()
            return
        self._proxy.links.add(self)
        self._transport.pause_reading()
        if self._proxy.drops:
            self._proxy.struck += 1
        self.connect()

    def connect(self) -> None:
        """Reach what is behind the proxy, unless that was done, or nothing gets through."""
        if self._other is None and self._connecting is None and not self._proxy.drops:
            self._connecting = asyncio.get_running_loop().create_task(self._reach())

    async def _reach(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, other = await loop.create_connection(lambda: _Side(self._proxy, self), *self._proxy.to)
        except OSError:
            self._transport.abort()
            return
        self._other = other
        if self._gone:
            other.abort()
        self.look()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        assert self._other
        if self._proxy.delay_s or self._proxy.drops or self._late:
            self._put_off(data)
        else:
            self._other._transport.write(data)

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`: the other direction stays open."""
        self._put_off(b"")
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._gone = True
        self._proxy.links.discard(self)
        if self._other and not self._other._gone and (error or not self._late):
            self._other._transport.abort() if error else self._other._transport.close()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._full = True
        self.look()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._full = False
        self.look()

    def abort(self) -> None:
        """Reset both sides at once."""
        for each in (self, self._other):
            if each is not None and not each._gone:
                each._transport.abort()

    # What is sent later.

    def look(self) -> None:
        """Read from both sides what can be passed on now."""
        for each in (self, self._other):
            if each is not None and each._other is not None and not each._gone:
                each._read()
                each._pass_on()

    def _read(self) -> None:
        assert self._other
        if self._proxy.drops or self._other._full or self._late_bytes > _MOST_BYTES:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _put_off(self, data: bytes) -> None:
        self._proxy.struck += bool(data)
        self._late.append((asyncio.get_running_loop().time() + self._proxy.delay_s, data))
        self._late_bytes += len(data)
        self._pass_on()
        if self._late_bytes > _MOST_BYTES:
            self._transport.pause_reading()

    def _pass_on(self) -> None:
        """Send what is due; the rest later."""
        if self._other is None or self._proxy.drops:
            return
        loop, transport = asyncio.get_running_loop(), self._other._transport
        while self._late and self._late[0][0] <= loop.time() and not self._other._gone:
            data = self._late.popleft()[1]
            self._late_bytes -= len(data)
            if data:
                transport.write(data)
            else:
                self._end()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._late and not self._other._gone:
            self._timer = loop.call_at(self._late[0][0], self._go_on)

    def _end(self) -> None:
        """The end of what this side has sent has arrived; of both, it is that of the connection."""
        assert self._other
        self._ended = True
        if self._other._ended:
            self._transport.close()
            self._other._transport.close()
        else:
            self._other._transport.write_eof()

    def _go_on(self) -> None:
        self._timer = None
        self._pass_on()
        if self._gone and not self._late and self._other and not self._other._gone:
            self._other._transport.close()
        elif not self._gone and self._other:
            self._read()
