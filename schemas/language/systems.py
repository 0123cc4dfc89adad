"""What a scenario's system decides of its other keys; and how long a run is that ends with its last task."""

from collections.abc import Callable, Iterator
from typing import Any

from soak.schemas import units
from soak.schemas.errors import Problem
from soak.schemas.language.document import Document
from soak.schemas.language.examples import example
from soak.schemas.language.registry import OURS, BrokenSystemError, known, names, use
from soak.schemas.language.schema import fragment, own_keys, read_schema, task_keys
from soak.schemas.language.shape import did_you_mean, with_defaults
from soak.schemas.language.view import View


def problems_of_system(document: Document) -> list[Problem]:
    """What keeps the system of another package that a scenario names from being used."""
    name = document.data.get("system") if isinstance(document.data, dict) else None
    if not isinstance(name, str) or name in OURS or name not in names():
        return []
    try:
        use(name)
    except BrokenSystemError as error:
        return [problem_of_system(document, error)]
    return []


def problem_of_system(document: Document, error: BrokenSystemError) -> Problem:
    """A failure of the system that a scenario names, at the place where it does so."""
    return document.problem(("system",), error.what, error.remedy)


def completed(data: Any) -> Any:
    """`data` with every default filled in; including the duration of a fixed number of evenly spaced tasks."""
    filled = with_defaults(data)
    if not isinstance(filled, dict):
        return filled
    others = {key for name in known() if name != filled.get("system") for key in own_keys(name)}
    if filled.get("system") in known():
        filled = {key: value for key, value in filled.items() if key not in others or key in data}
    if "duration" not in filled:
        duration = _duration_of_tasks(filled.get("workload"))
        return {**filled, "duration": duration} if duration else filled
    return filled


def _duration_of_tasks(workload: Any) -> str | None:
    """How long that number of tasks takes to arrive, if it is deterministic."""
    try:
        arrivals, tasks = workload["arrivals"], workload["tasks"]
        if arrivals["process"] != "constant" or "burst" in arrivals:
            return None
        return f"{tasks / units.rate(arrivals['rate']):.6f}s"
    except (TypeError, KeyError, ValueError, ZeroDivisionError, AttributeError):
        return None


def _needs(view: View) -> Iterator[Problem]:
    """The keys that a system requires, and how long a run is."""
    properties = read_schema("scenario")["properties"]
    for key in fragment(view.language.name).get("required", ()) if view.language else ():
        if view.get(key) is None:
            yield view.problem(("system",), f"needs the key {key!r}", f"add {key}: {example(properties[key])}")
    if view.get("workload", "tasks") is not None and view.get("duration") is None:
        what = "the time in which random arrivals reach workload.tasks is not determined"
        instead = f"add duration: {example(properties['duration'])}, or process: constant to the arrivals"
        yield view.problem(("workload", "tasks"), what, instead)


def _foreign_keys(view: View) -> Iterator[Problem]:
    """Keys that belong to another system."""
    language, written = view.language, view.document.data
    if not language or not isinstance(written, dict):
        return
    for other in known():
        for key in own_keys(other) if other != language.name else ():
            if key in written:
                what = f"{key!r} belongs to the system {other}, but this scenario has system: {language.name}"
                yield view.problem((key,), what, "remove it, or change system", at_key=True)
        for key in task_keys(other) if other != language.name else ():
            if view.get("workload", "task", key) is not None:
                what = f"{key!r} belongs to the system {other}, but this scenario has system: {language.name}"
                why = f": {language.instead[key]}" if key in language.instead else ""
                yield view.problem(("workload", "task", key), what, f"remove it{why}", at_key=True)


def _foreign_faults(view: View) -> Iterator[Problem]:
    """Faults of another system."""
    if not view.language:
        return
    types = read_schema("scenario")["$defs"]["fault"]["properties"]["type"]["enum"]
    for where, item in view.entries("faults"):
        kind = str(item.get("type"))
        if kind in types and kind not in view.language.faults:
            what = f"{kind} is not a fault of the system {view.language.name}"
            yield view.problem((*where, "type"), what, did_you_mean(kind, sorted(view.language.faults)))


def _own(view: View) -> Iterator[Problem]:
    """What the system itself looks at."""
    for check in view.language.checks if view.language else ():
        yield from check(view)


SYSTEM_CHECKS: tuple[Callable[[View], Iterator[Problem]], ...] = (_needs, _foreign_keys, _foreign_faults, _own)
