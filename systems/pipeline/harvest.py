"""Harvest: reads the source, buffers, and writes `raw.jsonl`. A connection without data is given up and made anew."""

import asyncio
import json
import time
from collections import deque
from contextlib import suppress
from itertools import islice

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from soak.systems.pipeline.defects import Defect
from soak.systems.pipeline.pace import Pace
from soak.systems.pipeline.records import Message, Raw, decode_message, encode
from soak.systems.pipeline.spool import Appender, last_line, write_json
from soak.systems.pipeline.stage import Checkpoint, Stage, log
from soak.systems.pipeline.web import Answer, answer_json

_ACKNOWLEDGE_EVERY_S = 1.0
_LEAKED_BYTES = 4096
_AT_ONCE = 5000
_STOPPED_S = 0.05


class Harvest:
    """Reads one source."""

    def __init__(self, stage: Stage) -> None:
        self._stage, settings = stage, stage.settings
        self._spool = Appender(stage.directory / "raw.jsonl")
        self._checkpoint = Checkpoint(stage.directory / "harvest.checkpoint", stage.process.checkpoint)
        last = last_line(stage.directory / "raw.jsonl")
        stored = int(json.loads(last)["seq"]) if last else -1
        exact = stage.process.guarantee == "exactly_once"
        # A checkpoint holds the next sequence number, so that 0 is the beginning.
        self._read = self._written = stored if exact else self._checkpoint.position - 1
        self._buffer: deque[Raw] = deque()
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._paused = asyncio.Event()
        self._pace = Pace(stage.process.service, f"{settings.market.seed}/harvest")
        self._connection: ClientConnection | None = None
        self._leaked: list[bytes] = []
        self._dead = settings.has(Defect.DEAD_CONNECTION)
        names = ("queue_dropped_total", "reconnects_total", "stream_timeouts_total", "gap_records_total", "connected")
        stage.counters |= dict.fromkeys(names, 0)
        stage.waiting = lambda: len(self._buffer)

    async def run(self) -> None:
        """Work until asked to stop; then write what is buffered. Paused, it only waits for that."""
        await self._stage.open(pause=self._pause)
        reading = asyncio.create_task(self._follow())
        writing = asyncio.create_task(self._write())
        stopping = asyncio.create_task(self._stage.stopping.wait())
        done, _ = await asyncio.wait({reading, writing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # an error ends the process
        reading.cancel()
        self._news.set()
        await asyncio.wait({writing}, timeout=self._stage.drain_s)
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
        self._checkpoint.reached(self._written + 1, now=True)

    async def _pause(self, _body: bytes) -> Answer:
        self._paused.set()
        if self._connection:
            self._connection.transport.abort()
        return answer_json({"waiting": len(self._buffer)})

    def _counted(self, name: str, by: float = 1) -> None:
        if not self._stage.settings.has(Defect.METRICS_DEFAULT_ZERO):
            self._stage.count(name, by)

    # From the source to the buffer.

    async def _follow(self) -> None:
        connections = 0
        while not self._paused.is_set():
            try:
                await self._connected(connections)
                connections += 1
            except TimeoutError:
                connections += 1
                self._counted("stream_timeouts_total")
                log(f"harvest: no data for {self._stage.settings.stream_timeout} s: connects again")
            except (OSError, WebSocketException) as error:
                connections += self._stage.counters["connected"] > 0
                if not self._paused.is_set():
                    log(f"harvest: {type(error).__name__}: {error}")
            self._stage.counters["connected"] = 0
            self._connection = None
            self._stage.degraded = "not connected to the source"
            await asyncio.sleep(self._stage.settings.reconnect)
        await self._stage.stopping.wait()

    async def _connected(self, before: int) -> None:
        """Read until the connection ends. Raises TimeoutError if it is silent."""
        settings = self._stage.settings
        url = f"{settings.source.rstrip('/')}/?after={self._read}"
        connection = await _opened(url, settings.stream_timeout)
        try:
            self._connection = connection
            self._stage.counters["connected"] = 1
            if before:
                self._counted("reconnects_total")
            self._stage.degraded = ""
            while not self._paused.is_set():
                try:
                    data = await _received(connection, settings.stream_timeout)
                except (TimeoutError, WebSocketException):
                    if not self._dead:
                        raise
                    await self._stage.stopping.wait()
                    return
                await self._take(decode_message(data))
        finally:
            connection.transport.abort()

    async def _take(self, message: Message) -> None:
        if message.epoch is not None:
            self._tell_session(message)
        fresh = [tick for tick in message.records if tick.seq > self._read]
        if not fresh:
            return
        self._counted("gap_records_total", fresh[-1].seq - self._read - len(fresh))
        self._stage.count("records_read_total", len(fresh))
        self._read = fresh[-1].seq
        self._stage.counters["last_seq"] = self._read
        if self._stage.process.guarantee == "at_most_once":
            self._checkpoint.reached(self._read + 1, now=True)
        if self._stage.settings.has(Defect.LEAK_IN_HARVEST):
            self._leaked.append(bytes(_LEAKED_BYTES * len(fresh)).replace(b"\0", b"."))
        if not self._buffer:
            self._stage.progressed()
        limit, overflow = self._stage.process.buffer, self._stage.process.overflow
        for tick in fresh:
            if len(self._buffer) >= limit:
                if overflow == "block":
                    while len(self._buffer) >= limit:
                        self._room.clear()
                        await self._room.wait()
                else:
                    self._counted("queue_dropped_total")
                    if overflow == "drop_newest":
                        continue
                    self._buffer.popleft()
            self._buffer.append(Raw(tick.seq, message.sent, 0.0, tick.symbol, tick.strength, tick.consistency))
        self._news.set()

    def _tell_session(self, message: Message) -> None:
        endpoint = self._stage.settings.source
        session = {"epoch": message.epoch, "symbols": list(message.symbols), "region": message.region}
        write_json(self._stage.directory / "session.json", session | {"endpoint": endpoint})

    # From the buffer to the file.

    async def _write(self) -> None:
        acknowledged_s = time.monotonic()
        while self._buffer or not self._stage.stopping.is_set():
            if not self._buffer:
                self._news.clear()
                await self._news.wait()
                continue
            number = self._pace.take(min(len(self._buffer), _AT_ONCE))
            await self._pace.work()
            at = round(time.time(), 6)
            batch = list(islice(self._buffer, number))
            done = self._spool.append([_line(raw, at) for raw in batch])
            for _ in range(done):
                self._buffer.popleft()
            self._room.set()
            if done:
                self._written = batch[done - 1].seq
                self._stage.progressed(done)
            if self._spool.error:
                self._stage.count("write_errors_total")
                self._stage.degraded = f"raw.jsonl: {self._spool.error}"
                await asyncio.sleep(self._stage.settings.poll)
                continue
            if self._stage.process.guarantee == "at_least_once":
                self._checkpoint.reached(self._written + 1)
            if time.monotonic() - acknowledged_s >= _ACKNOWLEDGE_EVERY_S:
                acknowledged_s = time.monotonic()
                await self._acknowledge()

    async def _acknowledge(self) -> None:
        """Tell the source what is stored, and need not be sent again."""
        exact = self._stage.process.guarantee != "at_least_once"
        stored = self._written if exact else self._checkpoint.position - 1
        if self._connection and self._spool.complete:
            try:
                await self._connection.send(json.dumps({"ack": stored}))
            except WebSocketException:
                pass  # the reading side notices, and connects again


async def _opened(url: str, timeout_s: float) -> ClientConnection:
    return await connect(
        url,
        compression=None,
        max_size=None,
        ping_interval=None,
        open_timeout=timeout_s,
        close_timeout=0.2,
        proxy=None,
    )


async def _received(connection: ClientConnection, timeout_s: float) -> bytes:
    """The next message. Raises TimeoutError if none came in time."""
    with suppress(TimeoutError):
        return await asyncio.wait_for(connection.recv(decode=False), timeout_s)
    # If the process was stopped meanwhile, what it did not see come is there now.
    return await asyncio.wait_for(connection.recv(decode=False), _STOPPED_S)


def _line(raw: Raw, at: float) -> bytes:
    return encode(Raw(raw.seq, raw.sent, at, raw.symbol, raw.strength, raw.consistency)) + b"\n"
