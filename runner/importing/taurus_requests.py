"""The requests of Taurus, for systems that send requests. https://gettaurus.org/docs/ExecutionSettings/#Requests"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from soak.runner.importing.foreign import Place
from soak.runner.importing.part import Builder

_NAME = re.compile(r"[^A-Za-z0-9_.]+")
_BRACE = re.compile(r"\{(?=[A-Za-z_{])")
_VARIABLE = "${"
_IN_ORDER = "an iteration asks them one after the other; here each is drawn with equal share"
_JSON = "application/json"


def offer_requests(scenario: Place, builder: Builder) -> None:
    """A kind of work for each request that is listed, and the service that is asked."""
    found = list(_found(scenario, builder))
    if not found:
        return
    url = _origin(scenario.get("default-address").text) or next((origin for origin, _, _ in found if origin), "")
    hosts = sorted({urlsplit(origin).netloc for origin, _, _ in found if origin and origin != url})
    kinds: list[dict[str, Any]] = []
    for origin, label, request in found:
        path = request["path"] if origin in {"", url} else f"{origin}{request['path']}"
        name = _name(
            label or f"{request.get('method', 'GET')} {request['path'].strip('/')}", {each["name"] for each in kinds}
        )
        kinds.append({"name": name, "share": float(f"{1 / len(found):.12f}"), "request": {**request, "path": path}})
    headers = {name: _escaped(each.text) for name, each in scenario.get("headers").entries()}
    http = {"url": url, "hosts": hosts, "headers": headers}
    part = {"http": {key: value for key, value in http.items() if value}, "workload": {"kinds": kinds}}
    notes = [_IN_ORDER] if len(kinds) > 1 else []
    builder.offer(scenario.get("requests").mark, f"{len(kinds)} requests", part, notes=notes)


def _found(scenario: Place, builder: Builder) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Of each request the beginning of its URL, if it has one, its label, and what is sent."""
    for each in scenario.get("requests").items():
        url = each.text or each.get("url").text
        if not url:
            builder.refuse(each.mark, "a request", "it is a loop, condition or script, and not a request")
        elif _VARIABLE in str(each.data):
            builder.refuse(each.mark, url, "it has a variable of JMeter", "write it in workload.kinds, with {name}")
        else:
            origin = _origin(url)
            parts = urlsplit(url)
            path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
            sent = {"path": _escaped(path if path.startswith("/") else f"/{path}"), **_sent(each)}
            yield origin, each.get("label").text, sent


def _sent(request: Place) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    if method := request.get("method").text:
        sent["method"] = method.upper()
    headers = {name: _escaped(each.text) for name, each in request.get("headers").entries()}
    if headers:
        sent["headers"] = headers
    body = request.get("body")
    if isinstance(body.data, dict):
        is_json = any(_JSON in text for name, text in headers.items() if name.lower() == "content-type")
        sent["json" if is_json else "form"] = _escaped(body.data)
    elif body.text:
        sent["body"] = _escaped(body.text)
    return sent


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else ""


def _escaped(value: Any) -> Any:
    """A value whose braces mean themselves."""
    if isinstance(value, str):
        return _BRACE.sub("{{", value)
    if isinstance(value, dict):
        return {_escaped(key): _escaped(each) for key, each in value.items()}
    return [_escaped(each) for each in value] if isinstance(value, list) else value


def _name(text: str, taken: set[str]) -> str:
    plain = _NAME.sub("-", text).strip("-.") or "request"
    candidates = (f"{plain}-{number}" if number > 1 else plain for number in range(1, len(taken) + 2))
    return next(each for each in candidates if each not in taken)
