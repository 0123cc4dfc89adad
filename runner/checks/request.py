"""An HTTP request of a check: sent by the standard library, with the login and the allowed hosts of the scenario's `http:`."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from soak.runner.checks.answers import MOST_BYTES, CancelledError, NoAnswerError, one_object
from soak.runner.http import Answer, Inputs, Prepared, SendError, Session, read_inputs
from soak.runner.http.bodies import check_length, read_bounded
from soak.runner.http.inputs import of_any_request
from soak.runner.http.session import NOBODY
from soak.runner.secrets import hidden, secret_of
from soak.schemas.braces import filled_known, names_in, texts_in
from soak.schemas.errors import SoakError, UsageError
from soak.schemas.files import Folders
from soak.schemas.language.check import Check, Http, Step
from soak.schemas.language.http import Body, Exchange, Expected, Request, RequestError, Texts, Who
from soak.schemas.language.http import Http as Common
from soak.schemas.language.outlets import Secret

_WORDS = {
    RequestError.TIMEOUT: "timeout",
    RequestError.CONNECTION_ERROR: "connection",
    RequestError.NO_LOGIN: "no_login",
    RequestError.TOO_LARGE: "too_large",
    RequestError.REFUSED_REDIRECT: "refused_redirect",
}


class Requests:
    """The requests of all checks of a run, which share their logins."""

    def __init__(self, common: Common | None, folder: Path, tenants: tuple[str, ...], seed: int) -> None:
        self._common, self._folder, self._tenants, self._seed = (
            of_any_request(common or Common()),
            folder,
            tenants,
            seed,
        )
        self._sessions: dict[tuple[str, str], Session] = {}
        self._inputs: Inputs | None = None
        self._secrets: set[str] = set()
        self._lock = threading.Lock()

    def text_of(self, written: str | Secret) -> str:
        """A text of a check, or the secret that it names, which is hidden from then on. Raises NoAnswerError."""
        if isinstance(written, str):
            return written
        try:
            found = secret_of(written, self._folder, "checks", "value")
        except SoakError:
            raise NoAnswerError(f"no_secret {written.place}") from None
        with self._lock:
            self._secrets.add(found)
        return found

    def hidden(self, text: str) -> str:
        """A text for people or files, without any secret that checks know of."""
        with self._lock:
            secrets = [*self._secrets, *(self._inputs.secrets.values() if self._inputs else ())]
        return hidden(text, secrets)

    def answer(
        self, step: Step, action: Http, tenant: str, values: Mapping[str, str], cancelled: Callable[[], bool]
    ) -> Mapping[str, Any]:
        """What the request of a check answers; of a step of the teardown nothing. Raises NoAnswerError."""
        exchange = self._exchange(action, values)
        try:
            session = self._session(step, exchange, values.get("url", ""))
        except UsageError as error:
            raise NoAnswerError("request", str(error)) from None
        last: list[Answer] = []

        def send(prepared: Prepared) -> Answer:
            if cancelled():
                raise CancelledError
            last[:] = [sent(prepared, step.timeout_s, verify_tls=self._common.verify_tls, most=MOST_BYTES)]
            return last[0]

        outcome = session.perform(step.name, 0, tenant, NOBODY, send)
        if outcome.error:
            word = _WORDS.get(
                RequestError(outcome.error), f"status {outcome.status}" if outcome.status else "connection"
            )
            raise NoAnswerError(word, session.hidden(outcome.detail, tenant))
        return one_object(last[0].body) if isinstance(step, Check) else {}

    def _session(self, step: Step, exchange: Exchange, url: str) -> Session:
        """The session of a check whose request is written this way: figures of the load make it another one."""
        key = step.name, repr(exchange)
        with self._lock:
            if key not in self._sessions:
                if self._inputs is None:
                    self._inputs = read_inputs(self._common, Folders([self._folder]), self._folder)
                self._sessions = {known: each for known, each in self._sessions.items() if known[0] != step.name}
                self._sessions[key] = Session(
                    self._with_host_of(exchange, step.tenants),
                    {step.name: exchange},
                    seed=self._seed,
                    url=url,
                    inputs=self._inputs,
                    tenants=self._tenants,
                )
            return self._sessions[key]

    def _with_host_of(self, exchange: Exchange, tenants: tuple[str, ...]) -> Common:
        """The common part, with the host that the request itself names in the scenario; without tenant nobody logs in as one."""
        path, common = exchange.request.path, self._common
        host = urlsplit(path).netloc if path.startswith(("http://", "https://")) else ""
        common = replace(common, hosts=(*common.hosts, *([host] if host else [])))
        own = {name.lower() for name, _ in exchange.request.headers}
        headers = tuple((name, text) for name, text in common.headers if name.lower() not in own)
        if common.login and common.login.who is not Who.RUN and tenants == ("",):
            headers = tuple((name, text) for name, text in headers if _given(common).isdisjoint(names_in(text)))
        return common if _names_of(exchange, headers) & _given(common) else replace(common, headers=headers, login=None)

    def _exchange(self, action: Http, values: Mapping[str, str]) -> Exchange:
        known = {name: value for name, value in values.items() if name != "tenant"}
        kind = Body.JSON if action.json is not None else Body.TEXT if action.body is not None else Body.NONE
        headers = tuple((name, self._header(value)) for name, value in action.headers)
        request = Request(
            action.method,
            filled_known(action.url or action.path, known),
            tuple((name, filled_known(value, known)) for name, value in headers),
            tuple((name, filled_known(value, known)) for name, value in action.query),
            kind,
            filled_known(action.json if kind is Body.JSON else action.body, known),
        )
        return Exchange(request, Expected())

    def _header(self, written: str | Secret) -> str:
        return written if isinstance(written, str) else self.text_of(written).replace("{", "{{")


def sent(prepared: Prepared, timeout_s: float, *, verify_tls: bool, most: int) -> Answer:
    """Send a request, once and without following redirects; all of it takes `timeout_s` at most. Raises SendError and OSError."""
    parts = urlsplit(prepared.url)
    if parts.scheme == "https":
        context = ssl.create_default_context() if verify_tls else ssl._create_unverified_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=timeout_s, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    began = time.monotonic()
    with closing(connection), _ended_after(connection, timeout_s) as late:
        try:
            place = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
            connection.request(prepared.method, place, prepared.body, prepared.headers)
            answer = connection.getresponse()
            check_length(answer.getheader("Content-Length"), most)
            body = read_bounded(answer.read, most, late.is_set)
        except (OSError, http.client.HTTPException, ValueError):
            if late.is_set():
                raise SendError(RequestError.TIMEOUT, "it was not answered in time") from None
            raise
        if late.is_set():
            raise SendError(RequestError.TIMEOUT, "its answer had not ended in time")
        return Answer(answer.status, dict(answer.headers.items()), body, time.monotonic() - began)


@contextmanager
def _ended_after(connection: http.client.HTTPConnection, timeout_s: float) -> Iterator[threading.Event]:
    """Shut the connection down after a time, whatever it waits for; the event says whether that was done."""
    late, connected = threading.Event(), connection.connect

    def end() -> None:
        late.set()
        # The connection gives its socket away to an answer that lasts until the end of it.
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    sockets: list[socket.socket] = []

    def connect() -> None:
        connected()
        sockets.append(connection.sock)

    connection.connect = connect  # type: ignore[method-assign]

    timer = threading.Timer(timeout_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _names_of(exchange: Exchange, headers: Texts) -> set[str]:
    """The names in braces of a request, and of the headers of all requests."""
    request = exchange.request
    texts = [request.path, *texts_in([*headers, *request.headers, *request.query, request.body])]
    return {name for text in texts for name in names_in(text)}


def _given(common: Common) -> set[str]:
    """The names that the login gives."""
    login = common.login
    ways = [login.first, *([login.renew] if login.renew else [])] if login else []
    return {name for way in ways for name, _ in way.saved}
