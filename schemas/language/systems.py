"""What a scenario's system decides of its other keys; and how long a run is that ends with its last task."""

from collections.abc import Callable, Iterator, Set
from typing import Any

from soak.schemas import units
from soak.schemas.errors import Problem
from soak.schemas.language.document import Document
from soak.schemas.language.examples import example
from soak.schemas.language.extent import fitted
from soak.schemas.language.registry import OURS, BrokenSystemError, known, names, use
from soak.schemas.language.schema import fault_keys, fragment, own_keys, read_schema, task_keys
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
    """`data` with every default filled in; including the duration of a fixed number of evenly spaced tasks.

    Defaults of intervals are longer where the run is: see `fitted`.
    """
    filled = with_defaults(data)
    if not isinstance(filled, dict):
        return filled
    if filled.get("system") in known():
        filled = _without_foreign_defaults(filled, data)
    if "duration" not in filled:
        duration = _duration_of_tasks(filled.get("workload"))
        filled = {**filled, "duration": duration} if duration else filled
    return fitted(filled, data)


def _without_foreign_defaults(filled: Any, data: Any) -> Any:
    """Without what other systems fill in: at the top, in the task and in each fault."""
    others = [name for name in known() if name != filled["system"]]
    filled = _written(filled, data, {key for name in others for key in own_keys(name)})
    workload, faults = filled.get("workload"), filled.get("faults")
    if isinstance(workload, dict) and "task" in workload:
        written = data["workload"].get("task") if isinstance(data.get("workload"), dict) else None
        task = _written(workload["task"], written, {key for name in others for key in task_keys(name)})
        filled = {**filled, "workload": {**workload, "task": task}}
    if isinstance(faults, list):
        foreign = {key for name in others for key in fault_keys(name)}
        written = data.get("faults") or [None] * len(faults)
        filled = {**filled, "faults": [_written(*each, foreign) for each in zip(faults, written, strict=True)]}
    return filled


def _written(filled: Any, data: Any, keys: Set[str]) -> Any:
    """`filled` without those of `keys` that are not in `data`."""
    if not isinstance(filled, dict):
        return filled
    return {key: value for key, value in filled.items() if key not in keys or (isinstance(data, dict) and key in data)}


def _duration_of_tasks(workload: Any) -> str | None:
    """How long that number of tasks takes to arrive, if it is deterministic."""
    try:
        arrivals, tasks = workload["arrivals"], workload["tasks"]
        if arrivals["process"] != "constant" or set(arrivals) != {"process", "rate"}:
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
        closed = view.get("workload", "users") is not None
        what = f"the time in which {'users' if closed else 'random arrivals'} reach workload.tasks is not determined"
        instead = f"add duration: {example(properties['duration'])}"
        instead += "" if closed else ", or process: constant to the arrivals"
        yield view.problem(("workload", "tasks"), what, instead)


def _foreign_keys(view: View) -> Iterator[Problem]:
    """Keys that belong to another system."""
    language, written = view.language, view.document.data
    if not language or not isinstance(written, dict):
        return
    workload = written.get("workload")
    task = workload.get("task") if isinstance(workload, dict) else None
    for other in known():
        for key in own_keys(other) if other != language.name else ():
            if key in written:
                what = f"{key!r} belongs to the system {other}, but this scenario has system: {language.name}"
                yield view.problem((key,), what, "remove it, or change system", at_key=True)
        for key in task_keys(other) if other != language.name else ():
            if isinstance(task, dict) and key in task:
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
