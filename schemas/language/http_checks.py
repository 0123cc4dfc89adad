"""Checks of HTTP requests: names in templates, places in answers, hosts, headers, files of values."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from soak.schemas.errors import Problem, Where, WordingError, quoted
from soak.schemas.language.answer_places import place_of, steps_of
from soak.schemas.language.csv_files import read_data_file
from soak.schemas.language.hosts import is_allowed
from soak.schemas.language.http_names import Scope, scope_of, template_problems
from soak.schemas.language.request_templates import DRAWN, OF_REQUEST, parse
from soak.schemas.language.view import View, exchange_places

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A name of a header: a token of RFC 9110, section 5.6.2."""

_BODIES = ("json", "form", "body")
_RESERVED = {*OF_REQUEST, *DRAWN}


def exchange_problems(view: View, where: Where, scope: Scope) -> Iterator[Problem]:
    """What is wrong with the `request`, `expect` and `save` at `where`."""
    yield from request_problems(view, (*where, "request"), scope)
    expect = view.get(*where, "expect")
    if isinstance(expect, dict):
        yield from _expect(view, (*where, "expect"), scope)
    saved = view.get(*where, "save")
    for name, text in saved.items() if isinstance(saved, dict) else ():
        if isinstance(text, str):
            yield from _place(view, (*where, "save", name), place_of, text)
        if name in _RESERVED:
            what = f"{quoted(name)} is what every request has"
            yield view.problem((*where, "save", name), what, "choose another name", at_key=True)


def request_problems(view: View, where: Where, scope: Scope) -> Iterator[Problem]:
    """What is wrong with a request at `where`."""
    request = view.get(*where)
    if not isinstance(request, dict):
        return
    for key in ("path", "headers", "query", *_BODIES):
        yield from template_problems(view, (*where, key), request.get(key), scope)
    bodies = [key for key in _BODIES if key in request]
    for key in bodies[1:]:
        yield view.problem((*where, key), f"a request has one body, and there is {bodies[0]}", "keep one", at_key=True)
    yield from _headers(view, (*where, "headers"))
    yield from _host(view, (*where, "path"))


def _expect(view: View, where: Where, scope: Scope) -> Iterator[Problem]:
    for key in ("text", "headers"):
        yield from template_problems(view, (*where, key), view.get(*where, key), scope)
    values = view.get(*where, "json")
    for path, value in values.items() if isinstance(values, dict) else ():
        at = (*where, "json", path)
        yield from _place(view, at, steps_of, path, at_key=True)
        yield from template_problems(view, at, value, scope)
    yield from _headers(view, (*where, "headers"))
    within_s, timeout_s = view.duration(*where, "within"), view.duration("http", "timeout")
    if within_s is not None and timeout_s is not None and within_s > timeout_s:
        what = f"no answer takes longer than http.timeout, {view.get('http', 'timeout')}"
        yield view.problem((*where, "within"), what, "write a shorter time, or a longer timeout")


def _place(
    view: View, where: Where, read: Callable[[str], object], text: str, *, at_key: bool = False
) -> Iterator[Problem]:
    try:
        read(text)
    except WordingError as error:
        yield view.problem(where, error.what, error.remedy, at_key=at_key)


def _headers(view: View, where: Where) -> Iterator[Problem]:
    headers = view.get(*where)
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if not _HEADER.fullmatch(name):
            what = f"{quoted(name)} is not a name of a header"
            yield view.problem((*where, name), what, "write letters, digits and -", at_key=True)
        if isinstance(value, str) and not value.isprintable():
            yield view.problem((*where, name), "has a line break or control character", "write it on one line")


def _host(view: View, where: Where) -> Iterator[Problem]:
    """The host of a whole URL, where it is known which may be contacted."""
    path, url = view.get(*where), view.get("http", "url")
    if not isinstance(path, str) or not path.startswith(("http://", "https://")):
        return
    try:
        first = next(iter(parse(path)), "")
    except WordingError:
        return
    start = first if isinstance(first, str) else ""
    if "/" not in start.partition("://")[2] and start != path:
        yield view.problem(where, "the host of a request is not a template", "write the host itself")
    elif not _is_url(start):
        yield view.problem(where, f"{quoted(path)} is not a URL", "write http://host:port/path")
    elif isinstance(url, str) and not is_allowed(start, url, _hosts(view)):
        what = f"{quoted(urlsplit(start).netloc)} may not be contacted"
        yield view.problem(where, what, "add it to http.hosts")


def _hosts(view: View) -> list[str]:
    hosts = view.get("http", "hosts")
    return [each for each in hosts if isinstance(each, str)] if isinstance(hosts, list) else []


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _load(view: View) -> Iterator[Problem]:
    """Requests of the load."""
    places = exchange_places(view)
    scope = scope_of(view) if places else None
    for where in places:
        assert scope is not None
        yield from exchange_problems(view, where, scope)


def _common(view: View) -> Iterator[Problem]:
    """What all requests have in common."""
    if not isinstance(view.get("http"), dict):
        return
    scope = scope_of(view)
    yield from _url(view)
    yield from template_problems(view, ("http", "headers"), view.get("http", "headers"), scope)
    yield from _headers(view, ("http", "headers"))
    yield from _names(view)
    yield from _data(view)
    if isinstance(view.get("http", "login"), dict):
        yield from _login(view, scope)


def _url(view: View) -> Iterator[Problem]:
    url = view.get("http", "url")
    if not isinstance(url, str):
        return
    if not _is_url(url):
        yield view.problem(("http", "url"), f"{quoted(url)} is not a URL", "write http://host:port")
        return
    parts = urlsplit(url)
    if "@" in parts.netloc:
        yield view.problem(
            ("http", "url"), "has a user or password in it", "write a header with a secret of http.variables"
        )
    if parts.query or parts.fragment:
        yield view.problem(("http", "url"), "has a ? or # in it", "write parameters as query: of a request")


def _names(view: View) -> Iterator[Problem]:
    """Variables and data have names of their own."""
    variables = view.get("http", "variables")
    for name in variables if isinstance(variables, dict) else ():
        if name in _RESERVED:
            what = f"{quoted(name)} is what every request has"
            yield view.problem(("http", "variables", name), what, "choose another name", at_key=True)
    seen = set[str]()
    for where, item in view.entries("http", "data"):
        name = item.get("name")
        if isinstance(name, str) and name in seen:
            yield view.problem((*where, "name"), f"the name {quoted(name)} is duplicated", "rename one of them")
        elif isinstance(name, str):
            seen.add(name)


def _data(view: View) -> Iterator[Problem]:
    for where, item in view.entries("http", "data"):
        file = item.get("file")
        if isinstance(file, str):
            try:
                read_data_file(file, view.folders)
            except WordingError as error:
                yield view.problem((*where, "file"), error.what, error.remedy)
        if item.get("pick") == "by_user" and view.get("workload", "users") is None:
            yield view.problem((*where, "pick"), "there are no users", "write workload.users, or pick: in_order")


def _login(view: View, scope: Scope) -> Iterator[Problem]:
    """A login knows who logs in, and not what request needed it; a renewal what the login gave, too."""
    who = view.get("http", "login", "for_each")
    given = view.get("http", "login", "save")
    names = set(given) if isinstance(given, dict) else set[str]()
    variables = view.get("http", "variables")
    scope = scope.without(["kind"], "a login is not of a kind of work", "leave it out")
    if who != "user":
        scope = scope.without(["user"], f"each {who} logs in, not each user", "write for_each: user")
    if who == "run":
        scope = scope.without(["tenant"], "one login is for all tenants", "write for_each: tenant")
    names -= set(variables if isinstance(variables, dict) else ())
    before = scope.without(names, "it is what the login gives", "leave it out of the login")
    yield from exchange_problems(view, ("http", "login"), before)
    yield from request_problems(view, ("http", "login", "renew", "request"), scope)
    missing = {"user": "users", "tenant": "tenants"}.get(str(who))
    if missing and not view.get("workload", missing):
        yield view.problem(("http", "login", "for_each"), f"there are no {missing}", "write for_each: run")


HTTP_CHECKS = (_load, _common)
