"""HTTP requests of a scenario: what is sent, what is expected of the answer, what is kept of it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from soak.schemas import units
from soak.schemas.language.outlets import Secret


class RequestError(StrEnum):
    """Why a request is not a success."""

    WRONG_ANSWER = "wrong_answer"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION_ERROR = "connection_error"
    TOO_LARGE = "too_large"
    REFUSED_REDIRECT = "refused_redirect"
    NO_LOGIN = "no_login"
    UNANSWERED = "unanswered"


class Redirects(StrEnum):
    """What is done with a redirect."""

    REFUSE = "refuse"
    FOLLOW = "follow"


class Pick(StrEnum):
    """Which row of a data file a request takes."""

    IN_ORDER = "in_order"
    RANDOM = "random"
    BY_USER = "by_user"


class Who(StrEnum):
    """Who logs in."""

    TENANT = "tenant"
    USER = "user"
    RUN = "run"


class Body(StrEnum):
    """What a request carries."""

    NONE = "none"
    JSON = "json"
    FORM = "form"
    TEXT = "text"


Texts = tuple[tuple[str, str], ...]
"""Names and texts, in order."""


class Request(Struct, frozen=True):
    """A request as it is written; texts are templates. body: by its kind, data of JSON, `Texts` of a form, or a text."""

    method: str
    path: str
    headers: Texts = ()
    query: Texts = ()
    kind: Body = Body.NONE
    body: Any = None


class Expected(Struct, frozen=True):
    """What an answer must be. statuses: those allowed (empty: 200 to 299). json: by place."""

    statuses: frozenset[int] = frozenset()
    json: tuple[tuple[str, Any], ...] = ()
    text: str = ""
    headers: Texts = ()
    within_s: float | None = None


class Exchange(Struct, frozen=True):
    """A request, what is expected of its answer, and what is kept of it: names and places."""

    request: Request
    expected: Expected = Expected()
    saved: Texts = ()


class Login(Struct, frozen=True):
    """What gives a token. renew: what renews it (None: nothing does); renew_after_s: when (None: after a 401 only)."""

    who: Who
    first: Exchange
    renew: Exchange | None = None
    renew_after_s: float | None = None


class DataFile(Struct, frozen=True):
    """A CSV file of values, looked up in the scenario's folder."""

    name: str
    file: str
    pick: Pick


class Http(Struct, frozen=True):
    """What all requests have in common. url: empty where the target says it."""

    url: str = ""
    hosts: tuple[str, ...] = ()
    timeout_s: float = 10.0
    max_body_bytes: int = 10_000_000
    redirects: Redirects = Redirects.REFUSE
    headers: Texts = ()
    verify_tls: bool = True
    variables: tuple[tuple[str, str | Secret], ...] = ()
    data: tuple[DataFile, ...] = ()
    login: Login | None = None


def build_http(data: Mapping[str, Any]) -> Http:
    """What requests have in common, of checked data with its defaults."""
    login = data.get("login")
    return Http(
        data.get("url", "").rstrip("/"),
        tuple(data["hosts"]),
        units.duration(data["timeout"]),
        int(units.size(data["max_body"])),
        Redirects(data["redirects"]),
        _texts(data["headers"]),
        data["verify_tls"],
        tuple((name, _variable(value)) for name, value in data["variables"].items()),
        tuple(DataFile(each["name"], each["file"], Pick(each["pick"])) for each in data["data"]),
        _login(login) if login else None,
    )


def build_exchange(data: Mapping[str, Any]) -> Exchange:
    """A request with what is expected and kept, of data that has `request`, and maybe `expect` and `save`."""
    return Exchange(_request(data["request"]), _expected(data.get("expect", {})), _texts(data.get("save", {})))


def as_text(value: Any) -> str:
    """A value as it stands in a template."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _variable(value: Any) -> str | Secret:
    return Secret(value.get("from_env"), value.get("from_file")) if isinstance(value, dict) else as_text(value)


def _texts(data: Mapping[str, Any]) -> Texts:
    return tuple((name, as_text(value)) for name, value in data.items())


def _request(data: Mapping[str, Any]) -> Request:
    kind = next(
        (each for each in (Body.JSON, Body.FORM) if each.value in data), Body.TEXT if "body" in data else Body.NONE
    )
    body = {Body.JSON: data.get("json"), Body.FORM: _texts(data.get("form", {})), Body.TEXT: data.get("body")}.get(kind)
    return Request(
        data.get("method", "GET"),
        data["path"],
        _texts(data.get("headers", {})),
        _texts(data.get("query", {})),
        kind,
        body,
    )


def _expected(data: Mapping[str, Any]) -> Expected:
    status = data.get("status", [])
    return Expected(
        frozenset(status if isinstance(status, list) else [status]),
        tuple(data.get("json", {}).items()),
        data.get("text", ""),
        _texts(data.get("headers", {})),
        units.duration(data["within"]) if "within" in data else None,
    )


def _login(data: Mapping[str, Any]) -> Login:
    first, renew = build_exchange(data), data.get("renew")
    if renew is None:
        return Login(Who(data["for_each"]), first)
    again = build_exchange({**data, "request": renew.get("request", data["request"])})
    return Login(Who(data["for_each"]), first, again, units.duration(renew["after"]) if "after" in renew else None)
