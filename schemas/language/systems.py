"""Which keys and faults each system needs and allows; and the length of a run that ends with its last task."""

from collections.abc import Callable, Iterator
from typing import Any

from soak.schemas import units
from soak.schemas.errors import Problem, Where, quoted
from soak.schemas.files import read_schema
from soak.schemas.language.examples import example
from soak.schemas.language.faults import OF_CALLS, SYSTEM_FAULTS, FaultType
from soak.schemas.language.shape import did_you_mean, with_defaults
from soak.schemas.language.view import View

OWN_KEYS = {"queue": ("queue",), "calls": ("calls",)}
"""Top-level keys of one system only."""


def completed(data: Any) -> Any:
    """`data` with every default filled in; including the duration of a fixed number of evenly spaced tasks."""
    filled = with_defaults(data)
    if isinstance(filled, dict) and filled.get("system") == "calls" and "queue" not in data:
        filled = {key: value for key, value in filled.items() if key != "queue"}
    if isinstance(filled, dict) and "duration" not in filled:
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
    """The keys that a system requires."""
    system, properties = view.get("system"), read_schema("scenario")["properties"]
    if system == "calls" and view.get("calls") is None:
        yield view.problem(("system",), "needs the key 'calls'", f"add calls: {example(properties['calls'])}")
    if system == "queue" and isinstance(view.get("workload"), dict) and "task" not in view.get("workload"):
        shown = example(read_schema("scenario")["$defs"]["workload"]["properties"]["task"])
        yield view.problem(("workload",), "needs the key 'task'", f"add task: {shown}")
    task = view.get("workload", "task")
    if system == "queue" and isinstance(task, dict) and "duration" not in task:
        shown = example(read_schema("scenario")["$defs"]["distribution"])
        yield view.problem(("workload", "task"), "needs the key 'duration'", f"add duration: {shown}")
    if view.get("workload", "tasks") is not None and view.get("duration") is None:
        what = "the time in which random arrivals reach workload.tasks is not determined"
        instead = f"add duration: {example(properties['duration'])}, or process: constant to the arrivals"
        yield view.problem(("workload", "tasks"), what, instead)


def _foreign_keys(view: View) -> Iterator[Problem]:
    """Keys that belong to another system."""
    system, written = str(view.get("system")), view.document.data
    if system not in OWN_KEYS or not isinstance(written, dict):
        return
    for other, keys in OWN_KEYS.items():
        for key in keys if other != system else ():
            if key in written:
                what = f"{key!r} belongs to the system {other}, but this scenario has system: {system}"
                yield view.problem((key,), what, "remove it, or change system", at_key=True)
    for key, owner in (("memory", "calls"), ("duration", "queue")):
        if owner != system and view.get("workload", "task", key) is not None:
            what = f"{key!r} belongs to the system {owner}, but this scenario has system: {system}"
            remedy = "remove it: calls take the latency of their dependency" if key == "duration" else "remove it"
            yield view.problem(("workload", "task", key), what, remedy, at_key=True)


def _faults(view: View) -> Iterator[Problem]:
    """Faults of another system, and parameters of another system."""
    system = str(view.get("system"))
    if system not in SYSTEM_FAULTS:
        return
    known = sorted(fault.value for fault in SYSTEM_FAULTS[system])
    names = view.names("calls", "dependencies")
    for where, item in view.entries("faults"):
        kind = str(item.get("type"))
        if kind in set(FaultType) and kind not in known:
            yield view.problem(
                (*where, "type"), f"{kind} is not a fault of the system {system}", did_you_mean(kind, known)
            )
        elif system == "calls":
            yield from _fault_of_calls(view, where, item, names)
        elif kind == FaultType.DISK_FULL and "for" not in item:
            yield view.problem(where, "needs the key 'for'", "add for: 30s")
        for key, of in (("rate", {FaultType.DISK_FULL}), ("dependency", set(FaultType))) if system == "queue" else ():
            if key in item and kind in of & SYSTEM_FAULTS["queue"]:
                yield view.problem((*where, key), f"{key!r} is not allowed with {kind} of a queue", "remove it")


def _fault_of_calls(view: View, where: Where, item: dict[str, Any], names: tuple[str, ...]) -> Iterator[Problem]:
    dependency, kind = item.get("dependency"), str(item.get("type"))
    if isinstance(dependency, str) and names and dependency not in names:
        what = f"there is no dependency {quoted(dependency)}"
        yield view.problem((*where, "dependency"), what, did_you_mean(dependency, list(names)))
    if kind in set(OF_CALLS) and not item.keys() & {"rate", "at", "every"}:
        yield view.problem(where, "needs the key 'rate'", "add rate: 10%, or at: and for:")
    if kind == FaultType.BAD_RELEASE and "at" not in item and "every" not in item:
        yield view.problem(where, "has no release time", "add at: 1m and for: 10m")


def _names(view: View) -> Iterator[Problem]:
    """Duplicate or undeclared dependencies."""
    seen: set[str] = set()
    for where, item in view.entries("calls", "dependencies"):
        name = item.get("name")
        if isinstance(name, str) and name in seen:
            yield view.problem((*where, "name"), f"the name {quoted(name)} is duplicated", "rename one of them")
        elif isinstance(name, str):
            seen.add(name)
    for where, _ in view.entries("calls", "policy"):
        to = view.get(*where, "fallback", "to")
        if isinstance(to, str) and seen and to not in seen:
            what = f"there is no dependency {quoted(to)}"
            yield view.problem((*where, "fallback", "to"), what, did_you_mean(to, sorted(seen)))


def _endless(view: View) -> Iterator[Problem]:
    """Calls that are never answered without a policy that ends them."""
    if view.get("system") != "calls":
        return
    policies = [item for _, item in view.entries("calls", "policy")]
    names = view.names("calls", "dependencies")
    for where, item in view.entries("faults"):
        to = item.get("dependency", names[0] if names else None)
        around = next((n + 1 for n, each in enumerate(policies) if _falls_back_to(each, to)), 0)
        if item.get("type") == FaultType.TIMEOUT and not any("timeout" in each for each in policies[around:]):
            what = "unanswered calls would never end: no policy limits them"
            after = f", after the fallback to {to}" if around else ""
            yield view.problem((*where, "type"), what, f"add - timeout: 2s to calls.policy{after}")


def _falls_back_to(policy: dict[str, Any], name: Any) -> bool:
    fallback = policy.get("fallback")
    return isinstance(fallback, dict) and fallback.get("to") == name


def _memory(view: View) -> Iterator[Problem]:
    """Memory needs require a dependency with a memory limit."""
    if view.get("workload", "task", "memory") is None or view.get("system") != "calls":
        return
    if all(item.get("memory") is None for _, item in view.entries("calls", "dependencies")):
        what = "tasks need memory, but no dependency has a memory limit"
        yield view.problem(("workload", "task", "memory"), what, "add memory: 100MB to a dependency")


SYSTEM_CHECKS: tuple[Callable[[View], Iterator[Problem]], ...] = (
    _needs,
    _foreign_keys,
    _faults,
    _names,
    _endless,
    _memory,
)
