"""What can be wrong with a target file beyond its shape."""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from soak.schemas.errors import Problem, Where, quoted, shortened
from soak.schemas.language.document import Document
from soak.schemas.language.registry import known, language_of
from soak.schemas.language.shape import did_you_mean
from soak.schemas.target.choices import CHOICES, GOES_WITH
from soak.schemas.target.order import circle
from soak.schemas.target.own_ports import ports_of
from soak.schemas.target.task_checks import task_problems
from soak.schemas.target.templates import PORT, fill, known_names, names_in

Data: TypeAlias = Mapping[str, Any]

_ANY_NUMBER = "1"
"""What stands for a name in braces when a text is looked at."""

_AS_THEY_ARE = frozenset({"conventions", "options"})
"""Keys below which nothing in braces is replaced but options."""


def problems(document: Document) -> Iterator[Problem]:
    """All of them, of a document whose shape is right."""
    data: Any = document.data
    yield from _system(document, data)
    ports = ports_of(data)
    for where, value, key in _walk(data):
        yield from _choice(document, where, value, key)
        if isinstance(value, str):
            yield from _text(document, where, value, key, ports)
    yield from _queries(document, data)
    yield from _files(document, data)
    yield from _names(document, data)
    yield from _who_starts(document, data)
    yield from _order(document, data)
    yield from _reached(document, data)
    yield from task_problems(document, data)


def _walk(value: Any, where: Where = ()) -> Iterator[tuple[Where, Any, str]]:
    """Each value of a target file with its path and its key (of an entry of a list, that of the list)."""
    if where and str(where[0]).startswith("x-"):
        return
    key = next((step for step in reversed(where) if isinstance(step, str)), "")
    yield where, value, key
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        if where or step not in _AS_THEY_ARE:
            yield from _walk(inner, (*where, step))


def _system(document: Document, data: Data) -> Iterator[Problem]:
    if "system" in data and data["system"] not in known():
        what = f"unknown system {quoted(data['system'])}"
        yield document.problem(("system",), what, did_you_mean(data["system"], list(known())))


def _kind(where: Where, key: str) -> str:
    """Of which kind a mapping is that has a choice of keys."""
    parent = str(where[-2]) if len(where) > 1 else ""
    return {"metrics": "metric", "streams": "ledger", "sinks": "ledger", "faults": "fault"}.get(parent, key)


def _choice(document: Document, where: Where, value: Any, key: str) -> Iterator[Problem]:
    """Keys of which a mapping has one, and keys that go with another one."""
    keys = CHOICES.get(_kind(where, key), ()) if isinstance(value, dict) else ()
    chosen = [each for each in keys if each in value]
    for second in chosen[1:]:
        what = f"has {chosen[0]} and {second}"
        yield document.problem((*where, second), what, f"keep one of {', '.join(keys)}", at_key=True)
    for other in value if keys else ():
        with_ = GOES_WITH.get((_kind(where, key), other), keys)
        if len(chosen) == 1 and other not in keys and chosen[0] not in with_:
            what = f"{quoted(other)} does not go with {chosen[0]}"
            yield document.problem((*where, other), what, f"remove it; it goes with {', '.join(with_)}", at_key=True)
    if keys and value.get("notify") is False:
        yield document.problem((*where, "notify"), "notify is false", "remove it, and write another probe")


def _text(document: Document, where: Where, text: str, key: str, ports: tuple[str, ...]) -> Iterator[Problem]:
    data: Any = document.data
    names = known_names(where, data, ports)
    unknown = [name for name in names_in(text) if name not in names]
    for name in dict.fromkeys(unknown):
        if name.startswith(PORT) and not ports:
            remedy = f"add ports: [{name.removeprefix(PORT)}]"
        else:
            meant = did_you_mean(name, names)
            remedy = f"{meant}{' ' if meant.endswith('?') else '; '}{{{{{name}}}}} stands for the text {{{name}}}"
        yield document.problem(where, f"unknown name {{{shortened(name)}}}", remedy)
    if not unknown and (check := _CHECKS.get(_checked_as(where, key))):
        # Of a text with a name in it only the rest can be looked at.
        filled = fill(text, dict.fromkeys(names, _ANY_NUMBER))
        for what, remedy in check(filled):
            # It is shown as it was written.
            yield document.problem(where, what.replace(quoted(filled), quoted(text)), remedy)


def _checked_as(where: Where, key: str) -> str:
    """The key of `_CHECKS` for the text at a place."""
    if where[0] == "proxies":
        return "tcp"
    return _PATTERN if key == "log" and len(where) > 1 and where[-2] in {"ready", "live"} else key


Finding: TypeAlias = tuple[str, str]


def _command(text: str) -> Iterator[Finding]:
    try:
        words = shlex.split(text)
    except ValueError:
        yield "has a quote that is not closed", "close it, or write \\ before it"
        return
    if not words or not words[0]:
        yield "has no command", "write a command with its arguments"
    elif operator := next((word for word in words if word in _OF_A_SHELL), None):
        yield f"{quoted(operator)} means nothing without a shell", "write sh -c '…' around it"


_OF_A_SHELL = frozenset({"|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "2>&1"})


def _pattern(text: str) -> Iterator[Finding]:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        why = error.msg if isinstance(error, re.error) else "it is too large"
        remedy = r"write one such as listening on port \d+, with \ before ( and other signs that stand for themselves"
        yield f"{quoted(text)} is not a regular expression: {why}", remedy


def _one_group(text: str) -> Iterator[Finding]:
    if wrong := list(_pattern(text)):
        yield from wrong
    elif (groups := re.compile(text).groups) != 1:
        yield f"has {groups} groups", r"write one, around what is wanted of a line: dropped=(\d+)"


def _url(text: str) -> Iterator[Finding]:
    if not re.fullmatch(r"https?://[^\s/]+\S*", text):
        yield f"{quoted(text)} is not a URL", "write http://127.0.0.1:{port.NAME}/path"


def _port(text: str) -> Iterator[Finding]:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65_536):
        yield f"{quoted(text)} is not a port", "write {port.NAME}, or a number from 1 to 65535"


def _address(text: str) -> Iterator[Finding]:
    host, colon, port = text.rpartition(":")
    if any(_port(port)) or (colon and not host):
        yield f"{quoted(text)} is not an address", "write {port.NAME}, or host:port"


_PATTERN = "command_line"

_CHECKS: Mapping[str, Callable[[str], Iterator[Finding]]] = {
    "command": _command,
    "exec": _command,
    "process": _command,
    "python": _command,
    _PATTERN: _pattern,
    "pattern": _one_group,
    "http": _url,
    "url": _url,
    "tcp": _address,
    "port": _port,
}
"""By the key of a text."""


_AFTER = "{after}"


def _queries(document: Document, data: Data) -> Iterator[Problem]:
    """Queries that go on after a position, and do not say which column that is."""
    for section in ("streams", "sinks"):
        for name, ledger in data.get(section, {}).items():
            query = ledger.get("query", "")
            # By another column, a row that repeats a record would be left out, or every row read again.
            if _AFTER in query and not re.search(r"\bposition\b", query):
                what = f"{_AFTER} is the largest position that was read, and no column is called position"
                remedy = f"write SELECT rowid AS position, … WHERE rowid > {_AFTER} ORDER BY rowid"
                yield document.problem((section, name, "query"), what, remedy)


def _files(document: Document, data: Data) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for place, file in enumerate(data.get("files", ())):
        where, path = ("files", place, "path"), file["path"]
        if not path.startswith("{dir}/") or ".." in path.split("/"):
            yield document.problem(where, f"{quoted(path)} is not below the directory of the run", "write {dir}/NAME")
        if path in seen:
            yield document.problem(where, f"the path {quoted(path)} is duplicated", "write the file once")
        seen[path] = place


def _programs(data: Data) -> Iterator[tuple[Where, Data]]:
    """What has a name, by which other programs wait for it and its log is called."""
    for section in ("services", "processes"):
        yield from (((section, place), each) for place, each in enumerate(data.get(section, ())))


def _names(document: Document, data: Data) -> Iterator[Problem]:
    seen = {each for each in ("source", "supervisor", "workers") if each in data}
    for where, each in _programs(data):
        if each["name"] in seen:
            what = f"the name {quoted(each['name'])} is duplicated"
            yield document.problem((*where, "name"), what, "give it another name")
        seen.add(each["name"])


_OF_OUR_OWN = ("notify", "log")
"""Probes of what soak itself starts, and whose output it has."""

_FROM_OUTSIDE = "write a probe from outside: http, tcp, exec or file; without one it is ready once find: finds it"


def _who_starts(document: Document, data: Data) -> Iterator[Problem]:
    theirs = "supervisor" in data
    for place, process in enumerate(data.get("processes", ())):
        where: Where = ("processes", place)
        if theirs:
            for key in ("command", "directory", "environment", "after"):
                if key in process:
                    what = f"{key} is of a process that soak starts, and the supervisor starts it"
                    yield document.problem((*where, key), what, "remove it, or the supervisor", at_key=True)
            if "find" not in process:
                what = "the supervisor starts it, and nothing says how to find it"
                yield document.problem(where, what, "add find: {pid_file: '{dir}/NAME.pid'}")
            for probe, kind in ((probe, kind) for probe in ("ready", "live") for kind in _OF_OUR_OWN):
                if kind in process.get(probe, ()):
                    what = f"{kind} is of a process that soak starts, and the supervisor starts it"
                    yield document.problem((*where, probe, kind), what, _FROM_OUTSIDE, at_key=True)
        elif "command" not in process:
            what = "needs the key 'command', since no supervisor starts it"
            yield document.problem(where, what, "add command: {python} harvest.py, or a supervisor")
        if "log" in process.get("live", ()) and not theirs:
            what = "a line of the log says nothing of now"
            yield document.problem(
                (*where, "live", "log"), what, "write another probe, or file: with fresh:", at_key=True
            )


def _reached(document: Document, data: Data) -> Iterator[Problem]:
    """What is said of a service that requests are sent to, and of what it stands on."""
    for kind in _OF_OUR_OWN:
        if kind in data.get("ready", ()):
            what = f"{kind} is of a process that soak starts, and this is of the service at url"
            remedy = "write http, tcp, exec or file, or give a process or service its own ready"
            yield document.problem(("ready", kind), what, remedy, at_key=True)
    struck: dict[str, str] = {}
    for place, service in enumerate(data.get("services", ())):
        where: Where = ("services", place)
        # Faults of task systems name the service that they kill.
        if "kill" in service and "outage" not in service and "submit" not in data:
            what = "says how a fault takes it down, and no fault does"
            yield document.problem((*where, "kill"), what, "add outage: TYPE, or remove it", at_key=True)
        if (fault := service.get("outage")) is None:
            continue
        if fault not in (types := _fault_types(data)):
            what = f"there is no fault of type {quoted(fault)}"
            yield document.problem((*where, "outage"), what, did_you_mean(fault, types))
        elif fault in struck:
            what = f"the fault {fault} takes {quoted(struck[fault])} down already"
            yield document.problem((*where, "outage"), what, "remove one of them")
        struck.setdefault(fault, service["name"])
    for fault in data.get("faults", ()):
        if fault not in (types := _fault_types(data)):
            what = f"there is no fault of type {quoted(fault)}"
            yield document.problem(("faults", fault), what, did_you_mean(fault, types), at_key=True)


def _fault_types(data: Data) -> list[str]:
    """The types of faults of the system of a target file, or of all."""
    named = data.get("system")
    systems = [named] if named in known() else known()
    return [name for system in systems for name in language_of(system).faults]


def _order(document: Document, data: Data) -> Iterator[Problem]:
    """What waits for what: names that there are, and no circle."""
    programs = [(where, each["name"], each.get("after", [])) for where, each in _programs(data)]
    programs += [
        ((key,), key, data[key].get("after", [])) for key in ("source", "supervisor", "workers") if key in data
    ]
    names = [name for _, name, _ in programs]
    for where, _, after in programs:
        for place, other in enumerate(after):
            if other not in names:
                what = f"no service or process {quoted(other)}"
                yield document.problem((*where, "after", place), what, did_you_mean(other, [*dict.fromkeys(names)]))
    waits: dict[str, Sequence[str]] = {name: [each for each in after if each in names] for _, name, after in programs}
    if loop := circle(waits):
        where = next(where for where, name, _ in programs if name == loop[0])
        what = f"it waits for itself: {' after '.join(map(quoted, loop))}"
        yield document.problem((*where, "after"), what, "remove one of these")
