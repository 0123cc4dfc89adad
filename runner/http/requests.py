"""Requests, compiled once and rendered for every number."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias
from urllib.parse import quote, quote_plus

from soak.runner.http.allowed import Allowed
from soak.runner.http.render import Context, Names, Pieces, Text, json_pieces, pieces_of, plain, text_of
from soak.schemas.errors import UsageError
from soak.schemas.language.http import Body, Request, Texts

_BODY_TYPES = {
    Body.JSON: "application/json",
    Body.FORM: "application/x-www-form-urlencoded",
    Body.TEXT: "text/plain; charset=utf-8",
}
_TYPE = "content-type"


class Prepared(NamedTuple):
    """A request to be sent as it is: redirects are not followed by what sends it."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None


Compiled: TypeAlias = Callable[[Context], Prepared]


def compiled(request: Request, names: Names, url: str, allowed: Allowed, common: Texts, place: str) -> Compiled:
    """A function that renders `request`. url: of the service; common: headers of all requests; place: in the scenario.

    Raises UsageError for unknown names and hosts that may not be contacted. The function raises NotYetError.
    """
    address = text_of(_address(request, names, url, allowed, place))
    headers = _headers(request, names, common, place)
    body = _body(request, names, f"{place}.{request.kind.value}")
    method = request.method
    constant = {name: text for name, text in headers.items() if isinstance(text, str)}
    varying = [(name, text) for name, text in headers.items() if not isinstance(text, str)]

    def render(context: Context) -> Prepared:
        filled = constant.copy()
        for name, text in varying:
            filled[name] = _one_line(text(context))
        return Prepared(
            method,
            address if isinstance(address, str) else address(context),
            filled,
            body(context).encode() if callable(body) else body,
        )

    return render


def _one_line(text: str) -> str:
    """A value as a header can have it: a line break would begin another header."""
    return text if text.isprintable() else "".join(letter for letter in text if letter.isprintable())


def _address(request: Request, names: Names, url: str, allowed: Allowed, place: str) -> Pieces:
    where = f"{place}.path"
    path, mark, query = request.path.partition("?")
    is_whole = path.startswith(("http://", "https://"))
    pieces = [_url_text(each) if isinstance(each, str) else each for each in pieces_of(path, names, where, _in_path)]
    if is_whole:
        allowed.check(_host_of(pieces, where))
    elif not url:
        raise UsageError(f"{where}: nothing says where the service is (write http.url)")
    else:
        pieces.insert(0, url)
    asked: Pieces = []
    if mark:
        asked += [
            _url_text(each) if isinstance(each, str) else each
            for each in pieces_of(query, names, f"{where}?", _in_query)
        ]
    for name, text in request.query:
        key = pieces_of(name, names, f"{place}.query~{name}", _in_query, fixed=True)
        value = pieces_of(text, names, f"{place}.query.{name}", _in_query, fixed=True)
        asked += ["&" if asked else "", *key, "=", *value]
    return [*pieces, "?", *asked] if asked else pieces


def _host_of(pieces: Pieces, where: str) -> str:
    """The beginning of a URL with its host, which must be the same for all requests. Raises UsageError."""
    first = pieces[0] if pieces and isinstance(pieces[0], str) else ""
    host, slash, _ = first.partition("://")[2].partition("/")
    if len(pieces) > 1 and not slash:
        raise UsageError(f"{where}: the host differs from request to request (write the host itself)")
    return f"{first.partition('://')[0]}://{host}/"


def _url_text(text: str) -> str:
    """What a path says itself: only what no URL can have is encoded (RFC 3986)."""
    return quote(text, safe="%:/?[]@!$&'()*+,;=~-._")


def _in_path(text: str) -> str:
    return text if text.isalnum() and text.isascii() else quote(text, safe="/")


def _in_query(text: str) -> str:
    return text if text.isalnum() and text.isascii() else quote_plus(text)


def _headers(request: Request, names: Names, common: Texts, place: str) -> Mapping[str, str | Text]:
    """The headers; those of the request replace those of all requests, whatever letters are capital."""
    found: dict[str, tuple[str, str | Text]] = {}
    for where, texts in (("http.headers", common), (f"{place}.headers", request.headers)):
        for name, text in texts:
            found[name.lower()] = (name, text_of(pieces_of(text, names, f"{where}.{name}")))
    if request.kind in _BODY_TYPES and _TYPE not in found:
        found[_TYPE] = ("Content-Type", _BODY_TYPES[request.kind])
    return dict(found.values())


def _body(request: Request, names: Names, place: str) -> Text | bytes | None:
    if request.kind is Body.NONE:
        return None
    if request.kind is Body.JSON:
        pieces = json_pieces(request.body, names, place)
    elif request.kind is Body.FORM:
        pieces = []
        for name, text in request.body:
            pieces += ["&" if pieces else "", *pieces_of(name, names, f"{place}~{name}", _in_query, fixed=True), "="]
            pieces += pieces_of(text, names, f"{place}.{name}", _in_query, fixed=True)
    else:
        pieces = pieces_of(request.body, names, place, plain)
    text = text_of(pieces)
    return text.encode() if isinstance(text, str) else text
