"""Faults of a scenario that do not apply to a task system that a target file describes are left out, and it is said why."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from soak.runner.targets.queue.foreign.proxies import names_of
from soak.schemas.errors import Problem, ScenarioError, quoted
from soak.schemas.language.load import Loaded
from soak.schemas.language.reduction import without_faults
from soak.schemas.language.shape import nearest
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.services import DATABASE
from soak.schemas.target.model import Promise, TargetFile

Fault: TypeAlias = Mapping[str, Any]
"""A fault as a scenario has it."""

_PROMISED: Mapping[str, Promise] = {
    QueueFault.DUPLICATE_ENQUEUE: Promise.IDEMPOTENT_KEYS,
    QueueFault.GUARDRAIL_EXCEED: Promise.GUARDRAIL,
}
_OF_WORKERS = frozenset(
    {
        QueueFault.WORKER_CRASH,
        QueueFault.WORKER_HANG,
        QueueFault.SLOW_WORKER,
        QueueFault.WORKER_RESTART,
        QueueFault.ROLLING_RESTART,
        QueueFault.WORKER_KILL,
        QueueFault.WORKER_TERM,
    }
)
_INSIDE: Mapping[str, str] = {
    QueueFault.DB_LOCK: "",
    QueueFault.DB_OUTAGE: "database",
    QueueFault.DISK_FULL: "",
    QueueFault.DISPATCHER_CRASH: "dispatcher",
    QueueFault.WATCHDOG_CRASH: "watchdog",
    QueueFault.DATABASE_FAILOVER: DATABASE,
}
"""Faults of what a system has inside, and the role of the service that they are of."""


def fitted(loaded: Loaded, file: TargetFile) -> tuple[Loaded, dict[str, str]]:
    """A scenario without the faults that do not apply to a task system, and why each does not, by its name.

    Raises ScenarioError for a service or proxy whose name is nearly one of the file, and for what needs a fault that is left out.
    """
    faults = [each for each in loaded.data.get("faults", ()) if isinstance(each, dict)]
    if wrong := list(_misspelled(loaded, faults, file)):
        raise ScenarioError(wrong)
    why = left_out(faults, file)
    return (without_faults(loaded, why) if why else loaded), why


def left_out(faults: Iterable[Fault], file: TargetFile) -> dict[str, str]:
    """Why faults of a scenario do not apply to the task system of a target file, by their names; those that do are not in it."""
    return {str(each["name"]): why for each in faults if (why := _why(each, file))}


def _why(fault: Fault, file: TargetFile) -> str | None:
    kind = str(fault["type"])
    promise = _PROMISED.get(kind)
    if promise and (file.promises is None or promise not in file.promises):
        return f"nobody promises {promise.value}"
    if kind in file.faults:
        return None
    if kind in _OF_WORKERS and not file.workers:
        return "the target file starts no workers"
    if kind == QueueFault.CLOCK_JUMP and file.faketime is None:
        return "the target file has no clock that could jump (clock: {faketime: …})"
    for key, known in _named(file).items():
        if key in fault and fault[key] not in known:
            return f"the target file has no {key} {quoted(str(fault[key]))}"
    if kind == QueueFault.CONNECTIONS_KILL and not names_of(str(fault["service"]), file) & {*_named(file)["proxy"]}:
        return f"the target file has no proxy in front of {quoted(str(fault['service']))} (proxies:, or faults: {kind})"
    return _why_not_inside(kind, file) if kind in _INSIDE and "service" not in fault else None


def _why_not_inside(kind: str, file: TargetFile) -> str | None:
    """Why a fault does not apply that nothing in the scenario says how to bring about."""
    role = _INSIDE[kind]
    if kind in file.faults or any(kind == each.outage or (role and role == each.role) for each in file.services):
        return None
    of_role = f", and has no service with role: {role}" if role else ""
    return f"the target file does not say how it begins (faults: {kind}){of_role}"


def _named(file: TargetFile) -> dict[str, list[str]]:
    """What a fault can name of a target file, by the key by which it does."""
    services = [name for each in file.services for name in (each.name, each.role) if name]
    return {"service": services, "proxy": [each.name for each in file.proxies]}


def _misspelled(loaded: Loaded, faults: list[dict[str, Any]], file: TargetFile) -> Iterator[Problem]:
    for place, fault in enumerate(faults):
        for key, known in _named(file).items():
            said = str(fault.get(key, ""))
            if said and said not in known and (near := nearest(said, known)):
                what = f"target {file.name} has no {key} {quoted(said)}"
                yield loaded.document.problem(("faults", place, key), what, f"did you mean {quoted(near)}?")
