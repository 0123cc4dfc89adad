"""HTTP/1.1 on the loopback interface, one request per connection: as much of it as health pages, orders and exports need."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

_REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}
_READ_WITHIN_S = 10.0
_BODY_BYTES = 1 << 24


@dataclass(frozen=True)
class Answer:
    """What a request is answered with."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"

    def encode(self) -> bytes:
        """As it goes over the wire."""
        head = f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Status')}\r\nContent-Type: {self.kind}\r\n"
        return f"{head}Content-Length: {len(self.body)}\r\nConnection: close\r\n\r\n".encode() + self.body


Route = Callable[[bytes], Awaitable[Answer]]
"""Takes the body of a request."""


def answer_json(what: object, status: int = 200) -> Answer:
    """An answer that is JSON."""
    return Answer(status, json.dumps(what).encode() + b"\n")


async def serve(port: int, routes: Mapping[str, Route]) -> asyncio.Server:
    """Serve routes, each `METHOD /path`. Raises OSError if the port is taken."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_WITHIN_S):
                method, target, _, body = await _read(reader)
            answer = await _answer(routes, method, urlsplit(target).path, body)
            writer.write(answer.encode())
            await writer.drain()
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            pass  # the caller has gone, or does not speak HTTP
        finally:
            await _closed(writer)

    return await asyncio.start_server(connected, "127.0.0.1", port)


async def _answer(routes: Mapping[str, Route], method: str, path: str, body: bytes) -> Answer:
    if route := routes.get(f"{method} {path}"):
        try:
            return await route(body)
        except (ValueError, KeyError, TypeError) as error:
            return answer_json({"error": f"{type(error).__name__}: {error}"}, 400)
    return answer_json({"error": "no such page"}, 405 if any(path == each.split()[1] for each in routes) else 404)


async def _read(reader: asyncio.StreamReader) -> tuple[str, str, int, bytes]:
    """Method and target of a request, or version and '' of an answer; the status if it is one; the body."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    one, two, *_ = first.split(" ")
    length = int(headers.get("content-length") or 0)
    if length > _BODY_BYTES:
        raise ValueError("too long")
    return one, two, int(two) if two.isdigit() else 0, await reader.readexactly(length)


async def ask(url: str, body: bytes | None = None, *, timeout_s: float) -> tuple[int, bytes]:
    """Status and body of the answer to GET, or to POST if there is a body. Raises OSError (TimeoutError) if there is none."""
    parts = urlsplit(url)
    target = parts.path or "/"
    target += f"?{parts.query}" if parts.query else ""
    head = f"{'GET' if body is None else 'POST'} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            try:
                writer.write(f"{head}Content-Length: {len(body or b'')}\r\n\r\n".encode() + (body or b""))
                _, _, status, answered = await _read(reader)
                return status, answered
            finally:
                await _closed(writer)
    except (EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise OSError(f"no HTTP answer: {error}") from None


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def why(error: OSError) -> str:
    """The reason in the words of the operating system, without addresses."""
    return os.strerror(error.errno) if error.errno else str(error)


def query(path: str, name: str) -> str:
    """A value in the query of a path; empty if it is not there."""
    return (parse_qs(urlsplit(path).query).get(name) or [""])[0]
