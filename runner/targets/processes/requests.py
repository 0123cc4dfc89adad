"""HTTP requests that end in time, whatever the other side does: connected, answered and read within one limit."""

import asyncio
import ssl
from urllib.parse import urlsplit

from msgspec import Struct

from soak.schemas.errors import reason

_MOST_BYTES = 4_000_000
_PORTS = {"http": 80, "https": 443}


class RequestError(Exception):
    """No answer: in words why."""


class Answer(Struct, frozen=True):
    """The status code and the body of an answer, at most 4 MB of it."""

    status: int
    body: bytes


async def request(url: str, timeout_s: float, method: str = "GET", body: str = "") -> Answer:
    """Make a request, and read its whole answer. Raises RequestError, after `timeout_s` at the latest."""
    try:
        async with asyncio.timeout(timeout_s):
            return _parsed(await _exchange(url, method, body.encode()))
    except TimeoutError:
        raise RequestError(f"no answer within {timeout_s:g} s") from None
    except OSError as error:
        raise RequestError(reason(error)) from None
    except (ValueError, IndexError):
        raise RequestError("no HTTP answer") from None


async def _exchange(url: str, method: str, body: bytes) -> bytes:
    parts = urlsplit(url)
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or _PORTS[parts.scheme]
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # Of version 1.0, so that the answer has no chunks and ends with the connection.
        lines = [f"{method} {path} HTTP/1.0", f"Host: {parts.netloc}", "Connection: close"]
        lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"] if body or method != "GET" else []
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        return await _read(reader)
    finally:
        # Not waited for: a peer that does not close would hold it up.
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> bytes:
    """The answer: to the end that it announces, or to the end of the connection."""
    found, size = b"", _MOST_BYTES
    while len(found) < size and (more := await reader.read(65_536)):
        found += more
        head, end, _ = found.partition(b"\r\n\r\n")
        length = _length(head) if end else None
        if length is not None:
            size = min(_MOST_BYTES, len(head) + len(end) + length)
    return found


def _length(head: bytes) -> int | None:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return None


def _parsed(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    version, status, *_ = head.split(b"\r\n")[0].split()
    if not version.startswith(b"HTTP/"):
        raise ValueError
    return Answer(int(status), body)
