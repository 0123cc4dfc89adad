"""The source: sends records over WebSocket as they are due, and keeps what a reader may ask for again.

`ws://127.0.0.1:PORT/?after=SEQ` begins after that sequence number. A reader acknowledges what it has stored
(`{"ack": SEQ}`), which is then forgotten.
Control, over HTTP: `POST /go {"epoch": unix}`, `POST /disconnect {"for": s}`, `POST /hold` (nothing new is sent any more; answers
with the last sequence number), `POST /stop`, `GET /health`, `GET /metrics`.
"""

import asyncio
import bisect
import json
import time
from contextlib import suppress
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from soak.systems.pipeline.market import Feed
from soak.systems.pipeline.records import Message, encode
from soak.systems.pipeline.spool import Journal
from soak.systems.pipeline.stage import PortTakenError, Stage, log
from soak.systems.pipeline.web import Answer, answer_json, query

_AT_ONCE = 500
_KEPT = 1_000_000
"""Messages that are kept for readers that have not acknowledged them."""


class Source:
    """Serves one feed."""

    def __init__(self, stage: Stage, feed: Feed, epoch: float | None = None) -> None:
        self._stage, self._feed = stage, feed
        self._market = stage.settings.market
        self._journal = Journal(stage.directory / "source.jsonl")
        self._epoch = epoch
        self._gone = asyncio.Event()
        self._refused_until_s = 0.0
        self._held = False
        self._lasts: list[int] = []
        self._messages: list[bytes] = []
        self._readers: dict[ServerConnection, asyncio.Event] = {}
        stage.counters |= {"connections_total": 0, "resent_total": 0, "last_seq": -1}

    async def run(self, port: int) -> None:
        """Serve until asked to stop. Raises StageError."""
        if self._epoch is not None:
            self._gone.set()
        server = await self._listen(port)
        await self._stage.open(go=self._go, disconnect=self._disconnect, hold=self._hold, stop=self._stop)
        publishing = asyncio.create_task(self._publish())
        stopping = asyncio.create_task(self._stage.stopping.wait())
        await asyncio.wait({publishing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if publishing.done():
            publishing.result()  # an error ends the process
        await stopping
        publishing.cancel()
        server.close()

    async def _listen(self, port: int) -> Server:
        try:
            return await serve(
                self._feed_reader,
                "127.0.0.1",
                port,
                process_request=self._refuse,
                compression=None,
                ping_interval=None,
                close_timeout=0.5,
            )
        except OSError as error:
            raise PortTakenError(f"port {port}: {error.strerror}") from None

    # Records.

    async def _publish(self) -> None:
        await self._gone.wait()
        while not self._held:
            assert self._epoch is not None
            ticks = self._feed.due(time.time() - self._epoch, _AT_ONCE)
            if ticks:
                sent = round(time.time(), 6)
                self._messages.append(encode(Message(sent, tuple(ticks))))
                self._lasts.append(ticks[-1].seq)
                self._journal.note(at=sent, first=ticks[0].seq, last=ticks[-1].seq)
                self._stage.progressed(len(ticks))
                self._stage.counters["last_seq"] = ticks[-1].seq
                for news in self._readers.values():
                    news.set()
                if not (self._market.resume or self._readers):
                    self._forget(ticks[-1].seq)
                elif len(self._lasts) > _KEPT:
                    self._forget(self._lasts[0])
            self._stage.counters["ended"] = float(self._feed.ended)
            await asyncio.sleep(0 if len(ticks) == _AT_ONCE else self._market.tick)

    def _forget(self, seq: int) -> None:
        """What is up to a sequence number is not needed any more."""
        number = bisect.bisect_right(self._lasts, seq)
        del self._lasts[:number], self._messages[:number]

    # Readers.

    def _refuse(self, connection: ServerConnection, _request: Request) -> Response | None:
        if time.monotonic() < self._refused_until_s:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "refused\n")
        return None

    async def _feed_reader(self, connection: ServerConnection) -> None:
        self._stage.count("connections_total")
        asked = query(connection.request.path if connection.request else "", "after")
        newest = int(self._stage.counters["last_seq"])
        last = int(asked) if asked.lstrip("-").isdigit() and self._market.resume else newest
        news = self._readers[connection] = asyncio.Event()
        hearing = asyncio.create_task(self._hear(connection))
        try:
            await self._gone.wait()
            hello = Message(epoch=self._epoch, symbols=tuple(self._market.symbols), region=self._market.region)
            await connection.send(encode(hello))
            while True:
                place = bisect.bisect_right(self._lasts, last)
                if place == len(self._lasts):
                    news.clear()
                    await news.wait()
                    continue
                if self._lasts[place] <= newest:
                    self._stage.count("resent_total")
                last, message = self._lasts[place], self._messages[place]
                await connection.send(message)
        except ConnectionClosed:
            pass
        finally:
            del self._readers[connection]
            hearing.cancel()

    async def _hear(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in connection:
                self._forget(int(json.loads(message)["ack"]))

    # Control.

    async def _go(self, body: bytes) -> Answer:
        if self._epoch is None:
            self._epoch = float(json.loads(body or b"{}").get("epoch", time.time()))
            self._gone.set()
            log(f"source: goes at {self._epoch}")
        return answer_json({"epoch": self._epoch})

    async def _disconnect(self, body: bytes) -> Answer:
        refused_s = float(json.loads(body or b"{}").get("for", 0))
        self._refused_until_s = time.monotonic() + refused_s
        closed = list(self._readers)
        for connection in closed:
            connection.transport.abort()
        log(f"source: disconnected {len(closed)}, refuses for {refused_s} s")
        return answer_json({"disconnected": len(closed)})

    async def _hold(self, _body: bytes) -> Answer:
        self._held = True
        return answer_json({"last": int(self._stage.counters["last_seq"])})

    async def _stop(self, _body: bytes) -> Answer:
        self._stage.stopping.set()
        return answer_json({})
