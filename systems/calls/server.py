"""The HTTP server: each call is read, carried out or failed as requested, and answered. One connection per call."""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soak.systems.calls.account import Account
from soak.systems.calls.fate import HEADER, Fate, read_fate
from soak.systems.calls.faults import Backend, Closed, Disk
from soak.systems.calls.limits import Bucket, FullError, Memory, Workers
from soak.systems.calls.settings import Settings
from soak.systems.calls.store import ConflictError, Store

_REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    409: "Conflict",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}
_ERRORS = frozenset({"server_error", "bad_release"})
_FOREVER_S = 1e6


@dataclass(frozen=True)
class Answer:
    """A status, the error class for the caller (empty: all is well), and more headers."""

    status: int = 200
    error: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """As it goes over the wire."""
        body = json.dumps({"error": self.error} if self.error else {}).encode()
        head = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
        lines = [f"HTTP/1.1 {self.status} {_REASONS[self.status]}"]
        lines += [f"{name}: {value}" for name, value in {**head, **self.headers}.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


class BrokenOffError(Exception):
    """The connection must be reset midway."""


class Server:
    """Serves one dependency. Everything is logged before it is answered."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._account = Account(settings.account)
        directory = Path(settings.directory)
        self._disk = Disk(directory, settings.name) if settings.disk else None
        self._closed = Closed(directory, settings.name)
        self._backend = Backend()
        self._bucket = Bucket(settings.rate_per_s, settings.burst) if settings.rate_per_s >= 0 else None
        self._workers = Workers(settings.workers, settings.waiting) if settings.workers else None
        self._store = Store(settings.records, settings.isolation) if settings.records else None
        self._memory: Memory | None = None

    async def start(self) -> asyncio.Server:
        """Listen, and report that."""
        listener = socket.socket()
        # The parent reserves the port without listening, so that it stays free while this process is down.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", self._settings.port))
        server = await asyncio.start_server(self._serve, sock=listener, backlog=4096)
        if self._settings.memory_bytes:
            self._memory = Memory(self._settings.memory_bytes)
        self._account.tell("ready")
        return server

    # One connection.

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            answer = await self._unless_gone(self._answer(head), reader)
            if answer is not None:
                writer.write(answer.encode())
                await writer.drain()
        except BrokenOffError:
            # Closing with a linger time of 0 sends RST.
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _unless_gone(self, work: Coroutine[Any, Any, Answer], reader: asyncio.StreamReader) -> Answer | None:
        """The answer; None if the caller disconnected before, which ends the work."""
        working = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            gone.result()
            return None
        finally:
            for each in (working, gone):
                each.cancel()
            await asyncio.gather(working, gone, return_exceptions=True)

    async def _answer(self, head: str) -> Answer:
        request, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if request.startswith("GET /health "):
            return Answer()
        try:
            fate = read_fate(headers[HEADER])
        except (KeyError, TypeError, ValueError):
            return Answer(400, "bad_request")
        try:
            return await self._call(fate)
        except MemoryError:
            return Answer(503, "out_of_memory")

    # One call.

    async def _call(self, fate: Fate) -> Answer:
        struck = fate.fault and fate.fault != "delay" and (fate.fault != "bad_release" or self._settings.bad)
        if struck:
            return await self._strike(fate)
        if self._bucket and (wait_s := self._bucket.wait_s()):
            return Answer(429, "rate_limited", {"Retry-After": f"{wait_s:.6g}"})
        late_s = fate.delay_s if fate.fault == "delay" else 0.0
        try:
            lost = await self._work(fate, fate.latency_s + late_s)
        except FullError:
            return Answer(503, "queue_full")
        except ConflictError:
            return Answer(409, "conflict")
        if late_s:
            self._tell("fault", fate)
        if lost:
            self._tell("lost", fate)
        self._tell("answered", fate)
        return Answer()

    def _tell(self, what: str, fate: Fate) -> None:
        self._account.tell(what, task=fate.task, attempt=fate.attempt, cause=fate.cause)

    async def _strike(self, fate: Fate) -> Answer:
        """The outcome of a faulty call. The fault is logged when it is injected: not at all, if the caller has gone by then."""
        match fate.fault:
            case "timeout":
                self._tell("fault", fate)
                await asyncio.sleep(_FOREVER_S)
            case "connection_reset":
                await asyncio.sleep(fate.latency_s * fate.within)
                self._tell("fault", fate)
                raise BrokenOffError
            case "rate_limited":
                self._tell("fault", fate)
                return Answer(429, "rate_limited", {"Retry-After": f"{fate.retry_after_s:.6g}"})
            case "queue_full" | "worker_down" | "pool_exhausted":
                return self._refused(fate, 503, getattr(self._backend, fate.fault)())
        await asyncio.sleep(fate.latency_s)
        if fate.fault == "disk_full":
            return self._refused(fate, 507, self._disk is not None and self._disk.write())
        if fate.fault == "permission_denied":
            return self._refused(fate, 403, self._closed.read())
        if fate.fault not in _ERRORS:
            return self._refused(fate, 500, False)
        self._tell("fault", fate)
        return Answer(500, "server_error")

    def _refused(self, fate: Fate, status: int, took_place: bool) -> Answer:
        """The answer to a fault that the operating system makes; one that does not occur is not logged."""
        if not took_place:
            return Answer(500, "no_fault")
        self._tell("fault", fate)
        return Answer(status, fate.fault)

    # The work of a call without a fault.

    async def _work(self, fate: Fate, latency_s: float) -> bool:
        """Memory first, then a worker; returns whether a write was lost."""
        if self._memory is None or not fate.memory_bytes:
            return await self._change(fate, latency_s if fate.piece_s < 0 else fate.pieces * fate.piece_s)
        lost = False
        piece_s = latency_s / fate.pieces if fate.piece_s < 0 else fate.piece_s
        for _ in range(fate.pieces):
            block = self._memory.take(fate.memory_bytes)
            self._tell_memory()
            held = False
            try:
                lost |= await self._change(fate, piece_s)
                held = fate.hold
            finally:
                if held:
                    self._memory.hold(block)
                else:
                    self._memory.give_back(block)
                self._tell_memory()
        return lost

    def _tell_memory(self) -> None:
        if self._memory:
            self._account.tell("memory", used=self._memory.used_bytes, held=self._memory.held_bytes)

    async def _change(self, fate: Fate, work_s: float) -> bool:
        if self._workers is None:
            if self._store:
                return await self._store.change(fate.record, work_s)
            await asyncio.sleep(work_s)
            return False
        abandoned = threading.Event()
        future = self._workers.submit(lambda: self._in_thread(fate, work_s, abandoned))
        try:
            return await asyncio.wrap_future(future)
        finally:
            abandoned.set()

    def _in_thread(self, fate: Fate, work_s: float, abandoned: threading.Event) -> bool:
        if self._store:
            return self._store.change_in_thread(fate.record, work_s, abandoned)
        # Not a sleep: nobody wakes a worker whose caller has gone.
        threading.Event().wait(work_s)
        return False
