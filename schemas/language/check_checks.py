"""Checks of `checks:` and `teardown:`: what their shape cannot say."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from soak.schemas import units
from soak.schemas.braces import names_in
from soak.schemas.errors import Problem, Where, quoted
from soak.schemas.language.check import Figure, sli_name
from soak.schemas.language.check_build import when_of
from soak.schemas.language.check_expect import parse_expected
from soak.schemas.language.expression import UnclearError
from soak.schemas.language.http_names import scope_of
from soak.schemas.language.shape import did_you_mean
from soak.schemas.language.view import View

ACTIONS = ("exec", "http", "sql")
DATABASES = ("sqlite", "postgresql")

KNOWN: Mapping[str, str] = {
    "tenant": "the tenant it is made for",
    "dir": "the directory of the run for the files of the system",
    "url": "the URL of the target",
    "python": "the Python interpreter that runs soak",
    "seed": "the seed of the run",
    "speed": "scenario seconds per real second",
    "duration": "the duration of the run, in real seconds",
    "offered": "the work offered so far, of the tenant where it is for one",
    "done": "what of it was done",
    "failed": "what of it failed",
}
"""What may stand in braces in the texts of a check, and what it stands for; beside these `port.NAME` of a target file."""

PORT = "port."
FIGURES = tuple(each.value for each in Figure)
"""The names in braces that are figures of the load, of all kinds of work; of one `done.KIND`."""
_NAMED = re.compile(rf"\{{(?P<figure>{'|'.join(FIGURES)})(?:\.(?P<kind>[^{{}}]+))?\}}")


def _sections(view: View) -> Iterator[tuple[Where, dict[str, Any]]]:
    yield from view.entries("checks")
    yield from view.entries("teardown")


def _one_action(view: View) -> Iterator[Problem]:
    for where, item in _sections(view):
        written = [key for key in ACTIONS if key in item]
        if len(written) != 1:
            what = f"has {' and '.join(written)}" if written else f"has none of {', '.join(ACTIONS)}"
            at = (*where, written[1]) if written else where
            yield view.problem(at, what, f"write one of {', '.join(ACTIONS)}", at_key=bool(written))


def _times(view: View) -> Iterator[Problem]:
    duration_s = view.duration("duration")
    for where, item in view.entries("checks"):
        when = view.parse(when_of, *where, "when")
        if when is None:
            continue
        word, every_s = when
        if word == "settled" and "within" not in item:
            what = "settled is tried again until it holds, but not for how long"
            yield view.problem((*where, "when"), what, "add within: 30s")
        elif word != "settled" and "within" in item:
            yield view.problem(
                (*where, "within"), f"goes with when: settled, not with {word}", "remove it", at_key=True
            )
        if duration_s is not None and word == "every" and every_s >= duration_s > 0:
            what = f"is never made: the run ends at {units.show_duration(duration_s)}"
            yield view.problem((*where, "when"), what, "write a shorter interval, or after")


def _tenants(view: View) -> Iterator[Problem]:
    tenants = view.names("workload", "tenants")
    for where, item in _sections(view):
        if item.get("for_each") == "tenant" and not tenants:
            remedy = "declare them: workload.tenants: [{name: A, share: 100%}], or remove for_each"
            yield view.problem((*where, "for_each"), "the scenario declares no tenants", remedy)


def _names(view: View) -> Iterator[Problem]:
    for section in ("checks", "teardown"):
        seen: dict[str, str] = {}
        for where, item in view.entries(section):
            name = item.get("name")
            if not isinstance(name, str):
                continue
            plain = sli_name(name, "")
            if plain in seen:
                what = f"the name {quoted(name)} is duplicated"
                what += "" if seen[plain] == name else f": its indicators are called as those of {quoted(seen[plain])}"
                yield view.problem((*where, "name"), what, "rename one of them")
            seen.setdefault(plain, name)


def _indicators(view: View) -> Iterator[Problem]:
    """Indicators whose names are taken: by the system, by the scenario, by another check."""
    own = view.get("slis")
    taken = {**dict.fromkeys(own if isinstance(own, dict) else (), "one of this scenario")}
    taken |= dict.fromkeys(view.language.slis if view.language else (), "a built-in SLI")
    for where, item in view.entries("checks"):
        name, expect = item.get("name"), item.get("expect")
        for field in expect if isinstance(name, str) and isinstance(expect, dict) else ():
            sli = sli_name(str(name), str(field))
            if sli in taken:
                what = f"its indicator {sli} is {taken[sli]}"
                yield view.problem((*where, "expect", field), what, "rename the check", at_key=True)
            taken[sli] = f"also of the check {name}"


def _expectations(view: View) -> Iterator[Problem]:
    for where, item in view.entries("checks"):
        expect = item.get("expect")
        for field, written in expect.items() if isinstance(expect, dict) else ():
            try:
                parse_expected(str(field), written)
            except UnclearError as error:
                yield view.problem((*where, "expect", field), error.what, error.remedy)


def _templates(view: View) -> Iterator[Problem]:
    """Unknown names in braces, and names that say nothing where they stand."""
    for where, item in _sections(view):
        known = [name for name in KNOWN if name != "tenant" or "for_each" in item]
        known += [f"{figure}.{kind}" for figure in FIGURES for kind in view.names("workload", "kinds")]
        for action in ACTIONS:
            of_requests = scope_of(view) if action == "http" and action in item else None
            for place, text in _texts(view, (*where, action)):
                for name in names_in(text):
                    if (
                        name in known
                        or name.startswith(PORT)
                        or (of_requests and name in of_requests.first and name != "tenant")
                    ):
                        continue
                    if name == "tenant":
                        what, remedy = "there is no {tenant} without for_each", "add for_each: tenant"
                    else:
                        what = f"unknown name {{{quoted(name).strip(chr(39))}}}"
                        remedy = f"{did_you_mean(name, [*known, 'port.NAME'])}; {{{{{name}}}}} stands for the text"
                    yield view.problem(place, what, remedy)


def _texts(view: View, where: Where) -> Iterator[tuple[Where, str]]:
    value = view.get(*where)
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from _texts(view, (*where, index))
    elif isinstance(value, dict):
        for key in value:
            if key not in {"from_env", "from_file"}:
                yield from _texts(view, (*where, key))


def _figures(view: View) -> Iterator[Problem]:
    """Figures of the load that there are not: of kinds that are not declared, or of a system without tasks."""
    for where, item in view.entries("checks"):
        expect = item.get("expect")
        for field, written in expect.items() if isinstance(expect, dict) else ():
            for found in _NAMED.finditer(str(written)):
                if problem := _wrong_figure(view, found["figure"], found["kind"], for_each="for_each" in item):
                    yield view.problem((*where, "expect", field), *problem)


def _wrong_figure(view: View, figure: str, kind: str | None, *, for_each: bool) -> tuple[str, str] | None:
    """What is wrong with a figure of the load and what to do, or None."""
    work = view.language.work if view.language else None
    if work is None:
        kinds = list(view.names("workload", "kinds"))
        if kind is None or kind in kinds:
            return None
        remedy = did_you_mean(kind, kinds) if kinds else f"declare workload.kinds, or write {{{figure}}}"
        return f"there is no kind of work {quoted(kind)}", remedy
    if figure == "failed":
        return f"{work.units} do not fail one by one", "write {offered} or {done}"
    if kind is not None:
        return f"how many {work.units} there are of each kind is not known", f"write {{{figure}}}"
    if for_each:
        return f"how many {work.units} there are of each tenant is not known", "remove for_each, or write a number"
    return None


def _requests(view: View) -> Iterator[Problem]:
    for where, item in _sections(view):
        http = item.get("http")
        if not isinstance(http, dict):
            continue
        place = (*where, "http")
        if ("url" in http) == ("path" in http):
            what = "has a url and a path" if "url" in http else "has neither a url nor a path"
            yield view.problem(place, what, "write a url, or a path below the URL of the target")
        if "url" in http and isinstance(http["url"], str) and not _is_url(http["url"]):
            yield view.problem((*place, "url"), "is not a URL", "write a URL such as http://127.0.0.1:8000/audit")
        if "json" in http and "body" in http:
            yield view.problem((*place, "body"), "has two bodies", "keep json or body", at_key=True)


_PLACE_OF_A_PORT = re.compile(r"\{port\.[A-Za-z0-9_-]+\}")


def _is_url(text: str) -> bool:
    if text.startswith("{url}"):
        return True
    try:
        # A port may be known only when the run begins.
        parts = urlsplit(_PLACE_OF_A_PORT.sub("1", text))
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


_PASSWORD = re.compile(r"://[^/@]*:[^/@]*@|[?&]password=")


def _databases(view: View) -> Iterator[Problem]:
    for where, _ in _sections(view):
        database = view.get(*where, "sql", "database")
        if isinstance(database, str) and database.split("://")[0] not in DATABASES:
            remedy = 'write "sqlite:///{dir}/some.db" or postgresql://user@127.0.0.1:5432/name'
            yield view.problem((*where, "sql", "database"), f"{quoted(database)} is not the URL of a database", remedy)
        elif isinstance(database, str) and _PASSWORD.search(database):
            remedy = "write database: {from_env: NAME}, and the URL into that variable"
            yield view.problem(
                (*where, "sql", "database"), "has a password in it, which the evidence would show", remedy
            )


CHECK_CHECKS: tuple[Callable[[View], Iterator[Problem]], ...] = (
    _one_action,
    _times,
    _tenants,
    _names,
    _indicators,
    _expectations,
    _templates,
    _figures,
    _requests,
    _databases,
)
