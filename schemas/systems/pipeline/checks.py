"""What the schema cannot say of a pipeline: streams that lead somewhere, names that exist, faults at times."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from soak.schemas.errors import Problem, Where, quoted
from soak.schemas.language.shape import did_you_mean
from soak.schemas.language.view import View
from soak.schemas.systems.pipeline.faults import FAULTS, OF_LOAD, OF_PROCESS, OF_SINK
from soak.schemas.systems.pipeline.names import process_names, sink_names
from soak.schemas.systems.pipeline.settings import SOURCE

_PROCESSES: Where = ("pipeline", "processes")
_SINKS: Where = ("pipeline", "sinks")


def _unique(view: View) -> Iterator[Problem]:
    """Names of processes and sinks are labels of evidence: each is of one thing."""
    seen = set[str]()
    for where, item in (*view.entries(*_PROCESSES), *view.entries(*_SINKS)):
        name = item.get("name")
        if isinstance(name, str) and name in seen:
            yield view.problem((*where, "name"), f"the name {quoted(name)} is duplicated", "rename one of them")
        elif isinstance(name, str):
            seen.add(name)


def _streams(view: View) -> Iterator[Problem]:
    """Every stream has one writer, what is read is written by somebody, and the records go round in no circle."""
    entries = list(view.entries(*_PROCESSES))
    writes = {item["writes"]: item.get("name") for _, item in entries if isinstance(item.get("writes"), str)}
    for stream, times in Counter(item.get("writes") for _, item in entries).items():
        for where, item in entries if times > 1 else ():
            if isinstance(stream, str) and item.get("writes") == stream:
                what = f"{times} processes write {quoted(stream)}"
                yield view.problem((*where, "writes"), what, "let each write a stream of its own")
    for where, item in entries:
        if item.get("writes") == SOURCE:
            what = f"{quoted(SOURCE)} is what comes from outside"
            yield view.problem((*where, "writes"), what, "call the stream something else")
        yield from _read(view, (*where, "reads"), item.get("reads"), [SOURCE, *writes])
    if entries and not any(item.get("reads") == SOURCE for _, item in entries):
        yield view.problem(_PROCESSES, "no process reads the source", f"add reads: {SOURCE} to the first", at_key=True)
    yield from _one_reader(view, entries)
    yield from _circles(view, entries)
    for where, item in view.entries(*_SINKS):
        yield from _read(view, (*where, "of"), item.get("of"), list(writes))


def _read(view: View, where: Where, stream: Any, known: list[str]) -> Iterator[Problem]:
    if isinstance(stream, str) and stream not in known:
        yield view.problem(where, f"no process writes {quoted(stream)}", did_you_mean(stream, known))


def _one_reader(view: View, entries: list[tuple[Where, dict[str, Any]]]) -> Iterator[Problem]:
    readers = [where for where, item in entries if item.get("reads") == SOURCE]
    for where in readers[1:]:
        what = "a second process reads the source"
        yield view.problem((*where, "reads"), what, "let it read what the first one writes")


def _circles(view: View, entries: list[tuple[Where, dict[str, Any]]]) -> Iterator[Problem]:
    reads = {item["writes"]: item.get("reads") for _, item in entries if isinstance(item.get("writes"), str)}
    for where, item in entries:
        stream, steps = item.get("reads"), 0
        while stream in reads and steps <= len(reads):
            stream, steps = reads[stream], steps + 1
        if steps > len(reads):
            yield view.problem((*where, "reads"), "records go round in a circle", f"let one of them read {SOURCE}")


def _order(view: View) -> Iterator[Problem]:
    """The order of the shutdown names every process once."""
    where: Where = ("pipeline", "supervisor", "shutdown", "order")
    names, order = process_names(view.data), view.get(*where)
    if not isinstance(order, list) or not names:
        return
    for place, name in enumerate(order):
        if isinstance(name, str) and name not in names:
            yield view.problem((*where, place), f"there is no process {quoted(name)}", did_you_mean(name, list(names)))
    if missing := [name for name in names if name not in order]:
        yield view.problem(where, f"{', '.join(missing)} is never ended", "name every process", at_key=True)


def _faults(view: View) -> Iterator[Problem]:
    """Faults name what there is, and say when."""
    for where, item in view.entries("faults"):
        type_ = str(item.get("type"))
        if type_ not in FAULTS:
            continue
        struck = (OF_PROCESS, "process", process_names(view.data)), (OF_SINK, "sink", sink_names(view.data))
        for types, key, names in struck:
            name = item.get(key)
            if type_ in types and isinstance(name, str) and names and name not in names:
                what = f"there is no {key} {quoted(name)}"
                yield view.problem((*where, key), what, did_you_mean(name, list(names)))
        if "at" not in item and "every" not in item:
            yield view.problem(where, "has no time", "add at: 30m")


def _load(view: View) -> Iterator[Problem]:
    """Faults of the load change an arrival rate: there must be one."""
    if view.get("workload", "users") is not None:
        what = "records come at a rate, whatever becomes of them"
        yield view.problem(("workload", "users"), what, "write arrivals: {rate: 155/s}", at_key=True)
    if view.get("workload", "arrivals", "trace") is None:
        return
    for where, item in view.entries("faults"):
        if item.get("type") in OF_LOAD:
            what = "a trace says itself how many records come when"
            yield view.problem((*where, "type"), what, "write arrivals.rate, or remove this fault")


CHECKS = (_unique, _streams, _order, _faults, _load)
