"""Locust's HTTP client as it is used here: one attempt for each request, nothing followed, bodies up to a limit.

Imported by processes that make load only: importing Locust changes the sockets of the whole process.
"""

import select
import ssl
import zlib
from collections.abc import Callable
from http.cookiejar import CookieJar
from typing import Any, ClassVar, cast

import gevent
import geventhttpclient.client as transport
from gevent import monkey
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.response import HTTPSocketPoolResponse
from geventhttpclient.url import URL
from geventhttpclient.useragent import ConnectionError as ClientError
from locust.contrib.fasthttp import FastHttpSession, FastResponse, LocustUserAgent
from locust.event import EventHook

from soak.runner.http import Answer, Prepared, SendError
from soak.runner.http.bodies import too_large
from soak.runner.http.failures import send_error
from soak.runner.load.deadlines import Deadlines
from soak.schemas import units
from soak.schemas.language.http import Http, RequestError

_AT_ONCE = 1 << 16
_ANSWER = "answer"
_ENCODINGS = "gzip, deflate"
"""Those whose size can be limited while they are undone."""
_MOST_ADDRESSES = 10_000
_MOST_HEAD = 1 << 18
"""Bytes of status line and headers, those of interim answers included."""
_FINAL = 200
"""The first status that is not one of an interim answer."""


class UnfitError(ClientError):
    """An answer is longer than it may be, or cannot be read: Locust passes this on."""

    def __init__(self, original: SendError) -> None:
        super().__init__(None)
        self.original = original


def _broken(what: str) -> UnfitError:
    return UnfitError(SendError(RequestError.CONNECTION_ERROR, what))


class _Wire(HTTPSocketPoolResponse):
    """An answer as it comes: a head that never ends would be read for ever, without a pause in which a deadline could be met."""

    head = 0

    def feed(self, data: str | bytes) -> None:
        """Read on."""
        if not self.headers_complete or self.get_code() < _FINAL:
            self.head += len(data)
            if self.head > _MOST_HEAD:
                limit = units.show_size(_MOST_HEAD)
                raise UnfitError(SendError(RequestError.TOO_LARGE, f"the head of its answer is larger than {limit}"))
        super().feed(data)


class _Response(FastResponse):
    """Reads `most` bytes of a body and no more, before and after decompression."""

    most: int

    def _content(self) -> bytes | None:  # type: ignore[override]
        response = self._response
        if self.headers is None or response is None:
            return None
        parts, size = [], 0
        while part := response.read(_AT_ONCE):
            parts.append(part)
            size += len(part)
            if size > self.most:
                self.release()
                raise UnfitError(too_large(self.most))
            if len(part) == _AT_ONCE:
                # What comes fast is read without a pause; others want to go on, and the deadline to be met.
                gevent.sleep(0)
        self.release()
        encoding = self.headers.get("content-encoding")
        return self._decoded(b"".join(parts), encoding.lower() if isinstance(encoding, str) else "")

    def _decoded(self, body: bytes, encoding: str) -> bytes:
        if encoding not in {"gzip", "deflate"} or not body:
            return body
        wide, found = zlib.MAX_WBITS | 16 if encoding == "gzip" else zlib.MAX_WBITS, b""
        while body:
            reader = zlib.decompressobj(wide)
            try:
                found += reader.decompress(body, self.most + 1 - len(found))
            except zlib.error:
                raise _broken(f"its answer is not {encoding}") from None
            if len(found) > self.most:
                raise UnfitError(too_large(self.most))
            if not reader.eof:
                raise _broken(f"its {encoding} ends too early")
            # A file of gzip may have several members (RFC 1952, section 2.2).
            body = reader.unused_data if encoding == "gzip" else b""
        return found


class _Agent(LocustUserAgent):
    """Follows no redirect, and raises nothing for a status."""

    redirect_response_codes = frozenset[int]()

    def _verify_status(self, status_code: int, url: Any = None) -> None:
        """Whether a status is a success is for the scenario to say."""


class Jar(CookieJar):
    """The cookies of one user; costs nothing while there are none."""

    def add_cookie_header(self, request: Any) -> None:
        """Add the cookies that belong to a request."""
        if len(self._cookies):  # type: ignore[attr-defined]
            super().add_cookie_header(request)

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Keep the cookies that an answer sets."""
        if "set-cookie" in response.headers:
            super().extract_cookies(response, request)


def _is_alive(pool: ConnectionPool, sock: Any) -> bool:
    """Whether an idle connection can be used: nothing is to be read, not even its end."""
    if sock is None or sock.fileno() < 0:
        return False
    poller = _poll()
    poller.register(sock.fileno(), select.POLLIN)
    return not poller.poll(0)


_poll = monkey.get_original("select", "poll")


def prepare() -> None:
    """Change how connections are used, for the whole process.

    A connection is looked at with `poll`, not `select`, which takes those with a file descriptor above 1,023 for dead. A
    request whose connection breaks is not sent again, whatever its method: each request is one attempt. Heads of answers are
    limited.
    """
    ConnectionPool._is_socket_alive = _is_alive  # type: ignore[method-assign, assignment]
    transport._may_retry_after_send_error = lambda method: False
    transport.HTTPSocketPoolResponse = _Wire  # type: ignore[attr-defined]


class Address(URL):
    """A URL, taken apart once."""

    __slots__ = ("host", "netloc", "port", "quoted_uri", "request_uri", "scheme", "text")

    def __init__(self, url: str) -> None:
        super().__init__(url)
        known = URL(url)
        for name in ("host", "netloc", "port", "quoted_uri", "request_uri", "scheme"):
            setattr(self, name, getattr(known, name))
        self.text = url

    def __str__(self) -> str:
        return self.text


class _Session(FastHttpSession):
    """Knows URLs that it has seen."""

    addresses: ClassVar[dict[str, Address]] = {}

    def _build_url(self, path: str) -> Any:
        address = self.addresses.get(path)
        if address is None:
            if len(self.addresses) >= _MOST_ADDRESSES:
                self.addresses.clear()
            address = self.addresses[path] = Address(path)
        return address


class Client:
    """Sends one request at a time, over a connection that is kept alive. `jar`: keeps its cookies; None: nothing does."""

    def __init__(
        self,
        http: Http,
        speed: float,
        deadlines: Deadlines,
        request_event: EventHook,
        fail: Callable[[BaseException], None],
        jar: CookieJar | None,
    ) -> None:
        self._speed, self._deadlines, self._fail = speed, deadlines, fail
        self._session = _Session(None, request_event, None)
        self._session.client = _agent(http, jar)

    def send(self, request: Prepared) -> Answer:
        """The answer. Raises SendError where none comes within the timeout, and for one that is too large."""
        context: dict[str, Any] = {"speed": self._speed}
        headers, body = request.headers, cast(Any, request.body)
        headers.setdefault("Accept-Encoding", _ENCODINGS)
        deadline = self._deadlines.begin()
        try:
            self._session.request(request.method, request.url, data=body, headers=headers, context=context)
        except ValueError as error:
            # A header or path that cannot be sent, such as one with a space.
            raise SendError(RequestError.CONNECTION_ERROR, f"it cannot be sent: {error}") from None
        except Exception as error:
            # Nothing that a service can do: it must not pass for an error of the request.
            self._fail(error)
            raise
        finally:
            deadline.met()
        answer: Answer | SendError = context[_ANSWER]
        if isinstance(answer, SendError):
            if answer.word is RequestError.TIMEOUT:
                # What the client had in hand is not fit to be used again.
                self._session.client.clientpool.close()
            raise answer
        return answer


def on_request(
    *, response: Any, exception: BaseException | None, context: dict[str, Any], response_time: float, **_: Any
) -> None:
    """Locust's event: a request is over. Puts the answer, or why there is none, where `Client.send` finds it."""
    if exception is None:
        headers = {name.lower(): value for name, value in response.headers.items()}
        seconds = response_time / 1000 * context["speed"]
        context[_ANSWER] = Answer(response.status_code, headers, response.content or b"", seconds)
    else:
        context[_ANSWER] = _failure(exception)


def _failure(exception: BaseException) -> SendError:
    # What the client gave up over is kept as an attribute, where nothing else would find it.
    return send_error(getattr(exception, "original", None) or exception)


def _agent(http: Http, jar: CookieJar | None) -> LocustUserAgent:
    most = http.max_body_bytes
    kind = _kinds.get(most)
    if kind is None:
        response = type("Response", (_Response,), {"most": most})
        kind = _kinds[most] = type("Agent", (_Agent,), {"response_type": response})
    agent: LocustUserAgent = kind(
        cookiejar=jar,
        max_redirects=0,
        max_retries=0,
        insecure=not http.verify_tls,
        concurrency=1,
        # Deadlines are for the whole request: further timers for each of its parts would only cost time.
        network_timeout=None,
        connection_timeout=None,
        ssl_context_factory=_tls_of(http.verify_tls),
    )
    return agent


_kinds: dict[int, type[LocustUserAgent]] = {}
_tls: dict[bool, ssl.SSLContext] = {}


def _tls_of(verify: bool) -> Any:
    """What makes the context of a TLS connection: one for all, since each takes long to read the certificates."""

    def make(cafile: str | None = None, **_: Any) -> ssl.SSLContext:
        if verify not in _tls:
            context = ssl.create_default_context(cafile=cafile)
            if not verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            _tls[verify] = context
        return _tls[verify]

    return make
