"""A small database of time series that a system can export to: it accepts everything, or does not answer for a time."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ports import LOOPBACK

PORT = "timeseries"
"""The port of a target file at which it is offered."""

_ACCEPTED = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_MOST_BYTES = 1 << 20
_LONGEST_S = 60.0
_OPENS_WITHIN_S = 10.0


class TimeSeries:
    """Listens at a port until `close`. written: how often something was accepted; refused: how often nothing was answered."""

    def __init__(self, background: Background, port: int) -> None:
        self._background = background
        self.answers = True
        self.written = self.refused = 0
        self._arrived: deque[tuple[float, bool]] = deque()
        self._server: asyncio.Server = background.run(self._open(port), _OPENS_WITHIN_S)

    async def _open(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._take, LOOPBACK, port)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_LONGEST_S):
                    await self._answer(reader, writer)
        finally:
            writer.transport.abort() if not self.answers else writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next((line.partition(":")[2] for line in head.split("\r\n") if line.startswith("content-length")), "0")
        await reader.readexactly(min(int(length), _MOST_BYTES))
        if not self.answers:
            # Silent: the writer has to give up by itself.
            self.refused += 1
            self._arrived.append((time.time(), False))
            await reader.read()
            return
        if head.startswith("post"):
            self.written += 1
            self._arrived.append((time.time(), True))
        writer.write(_ACCEPTED)
        await writer.drain()

    def arrivals(self) -> Iterator[tuple[float, bool]]:
        """What arrived since the last call: when, in seconds since 1970, and whether it was accepted."""
        while self._arrived:
            yield self._arrived.popleft()

    def close(self) -> None:
        """Listen no more."""
        self._background.run(self._close(), _OPENS_WITHIN_S)

    async def _close(self) -> None:
        self._server.close()
