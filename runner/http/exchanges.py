"""One request and its answer: rendered, sent, redirects followed where allowed, judged, and what is kept taken out."""

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct

from soak.runner.http.allowed import Allowed, redirected
from soak.runner.http.answers import Answer, Outcome, Read, Wrong, extraction, header_of, judge
from soak.runner.http.failures import SendError, send_error
from soak.runner.http.render import Context, Names, NotYetError
from soak.runner.http.requests import Compiled, Prepared, compiled
from soak.schemas.errors import quoted
from soak.schemas.language.hosts import place_of
from soak.schemas.language.http import Exchange, Http, Redirects, RequestError

Send: TypeAlias = Callable[[Prepared], Answer]
"""Sends a request and gives its answer. Any exception is a request without one. It follows no redirect."""

MOST_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAME_REQUEST = frozenset({307, 308})
_PERSONAL = frozenset({"authorization", "cookie", "proxy-authorization"})
_OF_BODY = frozenset({"content-type", "content-length"})


class Ready(Struct, frozen=True):
    """An exchange, compiled. statuses: those that are expected."""

    render: Compiled
    judge: Callable[[Answer, Read, Context], Wrong]
    take: Callable[[Answer, Read], dict[str, Any]] | None
    statuses: frozenset[int]


class Exchanger(Struct, frozen=True):
    """What all exchanges have in common."""

    http: Http
    names: Names
    url: str
    allowed: Allowed

    def ready(self, exchange: Exchange, place: str, *, is_login: bool = False) -> Ready:
        """Compile an exchange; place: where it is in the scenario. Raises UsageError.

        is_login: headers of all requests that need what the login gives are left out.
        """
        common = tuple(pair for pair in self.http.headers if not (is_login and self.names.needs_login(pair[1])))
        render = compiled(exchange.request, self.names, self.url, self.allowed, common, place)
        take = extraction(exchange.saved) if exchange.saved else None
        return Ready(render, judge(exchange.expected, self.names, place), take, exchange.expected.statuses)

    def do(self, ready: Ready, context: Context, send: Send) -> tuple[Outcome, dict[str, Any]]:
        """Its outcome, and what is to be kept of the answer: nothing unless it is a success."""
        try:
            answer = self._answer(ready, ready.render(context), send)
        except NotYetError as error:
            return Outcome(RequestError.WRONG_ANSWER, detail=f"not sent: no answer has given {error} yet"), {}
        except SendError as error:
            return Outcome(error.word, detail=error.detail), {}
        read, size = Read(answer.body), len(answer.body)
        if wrong := self._wrong(ready, answer, read, context):
            return Outcome(wrong[0], answer.status, size, wrong[1]), {}
        try:
            kept = ready.take(answer, read) if ready.take else {}
        except ValueError as error:
            return Outcome(RequestError.WRONG_ANSWER, answer.status, size, str(error)), {}
        return Outcome("", answer.status, size), kept

    def _wrong(self, ready: Ready, answer: Answer, read: Read, context: Context) -> Wrong:
        if answer.status in _REDIRECTS and answer.status not in ready.statuses:
            location = header_of(answer.headers, "location") or ""
            return RequestError.REFUSED_REDIRECT, f"status {answer.status}, a redirect to {quoted(location)}"
        return ready.judge(answer, read, context)

    def _answer(self, ready: Ready, prepared: Prepared, send: Send) -> Answer:
        """The answer, of where redirects lead if they are followed. Raises SendError."""
        answer = _sent(send, prepared)
        if self.http.redirects is Redirects.REFUSE:
            return answer
        took = answer.seconds
        for _ in range(MOST_REDIRECTS):
            location = header_of(answer.headers, "location") if answer.status in _REDIRECTS else None
            if not location or answer.status in ready.statuses:
                return answer
            url = redirected(prepared.url, location)
            if not self.allowed.has(url):
                what = f"a redirect to {quoted(url)}, on a host that may not be contacted"
                raise SendError(RequestError.REFUSED_REDIRECT, what)
            prepared = _following(prepared, url, answer.status)
            answer = _sent(send, prepared)
            took += answer.seconds
            answer = answer._replace(seconds=took)
        raise SendError(RequestError.REFUSED_REDIRECT, f"more than {MOST_REDIRECTS} redirects, one after the other")


def _sent(send: Send, prepared: Prepared) -> Answer:
    try:
        return send(prepared)
    except Exception as error:
        raise send_error(error) from None


def _following(prepared: Prepared, url: str, status: int) -> Prepared:
    """The request that follows a redirect (RFC 9110, section 15.4): a GET without a body, unless the status asks for the same
    again. What is personal does not go to another host.
    """
    dropped = _PERSONAL if place_of(url) != place_of(prepared.url) else frozenset[str]()
    method, body = prepared.method, prepared.body
    if status not in _SAME_REQUEST and method != "HEAD":
        method, body, dropped = "GET", None, dropped | _OF_BODY
    headers = {name: value for name, value in prepared.headers.items() if name.lower() not in dropped}
    return Prepared(method, url, headers, body)
