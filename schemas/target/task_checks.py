"""What can be wrong with the target file of a task system beyond its shape."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from soak.schemas.braces import names_in
from soak.schemas.errors import Problem, quoted
from soak.schemas.language.document import Document
from soak.schemas.language.registry import known, language_of
from soak.schemas.language.shape import did_you_mean
from soak.schemas.target.model import Promise
from soak.schemas.target.options import option_checks

Data: TypeAlias = Mapping[str, Any]

_OF_TASKS = ("workers", "census", "account", "promises", "proxies", "clock", "tcp")
_NOT_OF_TASKS = {
    **dict.fromkeys(("source", "streams", "sinks"), "it is of records, and soak knows the tasks itself"),
    "url": "it is where requests are sent, and tasks are given to submit",
    "metrics": "they are of a service that requests are sent to",
    "ready": "it is of a service that requests are sent to; services and workers have their own",
}

_NOT_BESIDE_ACCOUNT = {
    "workers": "the process of submit owns its workers",
    "census": "the process of submit always answers one",
    "promises": "a system that gives an account keeps the whole contract",
    "clock": "its account has times of soak's own clock",
    "proxies": "such a system is struck through its processes alone",
}
_NEEDS: Mapping[Promise, tuple[Promise, ...]] = {
    Promise.REDELIVERY: (Promise.AT_LEAST_ONCE, Promise.EXACTLY_ONCE_EFFECT),
    Promise.BACKOFF: (Promise.RETRIES,),
}
"""Promises that mean something only beside one of others."""


def task_problems(document: Document, data: Data) -> Iterator[Problem]:
    """All of them, of a target file whose shape is right."""
    yield from option_checks(document)
    yield from _services(document, data)
    if "submit" not in data:
        for key in _OF_TASKS:
            if key in data:
                what = "is of a task system, and nothing says how a task is given to it"
                yield document.problem((key,), what, "add submit: {command: …}, or remove it", at_key=True)
        return
    system = data.get("system")
    if system in known() and not language_of(system).promised:
        what = f"{quoted(system)} is not a system that tasks are submitted to"
        there = [each for each in known() if language_of(each).promised]
        yield document.problem(("system",), what, f"write {' or '.join(there)}, or remove submit")
    for key, why in _NOT_OF_TASKS.items():
        if data.get(key):
            yield document.problem((key,), f"means nothing beside submit: {why}", "remove it", at_key=True)
    yield from _submit(document, data)
    yield from _census(document, data)
    yield from _account(document, data)
    yield from _promises(document, data)


def _services(document: Document, data: Data) -> Iterator[Problem]:
    options = list(data.get("options", {}))
    for place, service in enumerate(data.get("services", ())):
        for name, value in service.get("when", {}).items():
            if name not in options:
                what = f"there is no option {quoted(name)}"
                remedy = did_you_mean(name, options) if options else f"add options: {{{name}: {{default: …}}}}"
                yield document.problem(("services", place, "when", name), what, remedy, at_key=True)
            elif (choices := data["options"][name].get("choices")) and value not in choices:
                what = f"{quoted(str(value))} is not one of the choices of {name}"
                remedy = did_you_mean(str(value), [*map(str, choices)])
                yield document.problem(("services", place, "when", name), what, remedy)


def _submit(document: Document, data: Data) -> Iterator[Problem]:
    command = data["submit"].get("command")
    if command is not None and "payload" not in names_in(command):
        what = "the task would not know what it has to do: {payload} is missing"
        yield document.problem(
            ("submit", "command"), what, "write it where the task gets it, such as submit.sh {key} {payload}"
        )
    elsewhere = data.get("tcp") or any(data.get(key) for key in ("workers", "services", "processes", "supervisor"))
    if command is not None and not elsewhere:
        what = "nothing starts workers, and none can be reached that run elsewhere"
        remedy = "add workers: {command: …}; tcp: true where they run in containers or on other hosts"
        yield document.problem(("submit",), what, remedy, at_key=True)


def _census(document: Document, data: Data) -> Iterator[Problem]:
    if data.get("census") is True and "process" not in data["submit"]:
        what = "true means that the process of submit answers, and submit has none"
        yield document.problem(("census",), what, "write census: {command: …}, or submit: {process: …}")


def _account(document: Document, data: Data) -> Iterator[Problem]:
    if not data.get("account"):
        return
    if "process" not in data["submit"]:
        what = "true means that the process of submit is the system, and submit has none"
        yield document.problem(("account",), what, "write submit: {process: …}, or remove it")
    for key, why in _NOT_BESIDE_ACCOUNT.items():
        if data.get(key):
            yield document.problem((key,), f"means nothing beside account: {why}", "remove one of them", at_key=True)


def _promises(document: Document, data: Data) -> Iterator[Problem]:
    made: dict[Promise, int] = {}
    words = [each.value for each in Promise]
    for place, each in enumerate(data.get("promises", ())):
        where = ("promises", place)
        word = "redelivery" if isinstance(each, dict) else each
        if word not in words:
            yield document.problem(where, f"unknown promise {quoted(word)}", did_you_mean(word, words))
            continue
        if each == Promise.REDELIVERY:
            what = "does not say within which time"
            yield document.problem(where, what, "write {redelivery: 1h}")
        if Promise(word) in made:
            yield document.problem(where, f"the promise {quoted(word)} is duplicated", "remove one")
        made.setdefault(Promise(word), place)
    for promise, others in _NEEDS.items():
        if promise in made and not {*others} & {*made}:
            what = f"{promise.value} is promised, and not {' or '.join(others)}"
            yield document.problem(("promises", made[promise]), what, f"add {others[0].value}, or remove it")
