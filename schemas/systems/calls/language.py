"""What the system `calls` adds to the scenario language."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from soak.schemas.errors import Problem, Where, quoted
from soak.schemas.files import Folders
from soak.schemas.language.distributions import Distribution
from soak.schemas.language.room import TASK_COUNTS, Data, Language, Level, Minutes
from soak.schemas.language.shape import did_you_mean
from soak.schemas.language.view import View
from soak.schemas.stream.events import Kind
from soak.schemas.stream.states import OPEN
from soak.schemas.systems.calls.build import build_calls
from soak.schemas.systems.calls.faults import FAULTS, STRIKES_CALLS, CallFault
from soak.schemas.systems.calls.indicators import SLIS
from soak.schemas.systems.calls.settings import Calls

_CALL_OVER = (Kind.CALL_SUCCEEDED, Kind.CALL_FAILED)


def _service(scenario: Data, settings: Calls, folders: Folders) -> Distribution:
    return settings.primary.latency


def _names(scenario: Data) -> tuple[str, ...]:
    calls = scenario.get("calls")
    declared = calls.get("dependencies") if isinstance(calls, dict) else None
    items = declared if isinstance(declared, list) else []
    return tuple(item["name"] for item in items if isinstance(item, dict) and isinstance(item.get("name"), str))


def _struck(fault: Data, settings: Calls) -> str:
    """The dependency that a fault affects; empty for other faults."""
    if fault["type"] not in STRIKES_CALLS | {CallFault.DEPENDENCY_CRASH}:
        return ""
    name: str = fault.get("dependency", settings.primary.name)
    return name


def _faults(view: View) -> Iterator[Problem]:
    """Dependencies that nobody declares, and faults that strike at no time."""
    names = _names(view.data)
    for where, item in view.entries("faults"):
        kind = str(item.get("type"))
        if kind in FAULTS:
            yield from _fault(view, where, item, names)


def _fault(view: View, where: Where, item: dict[str, Any], names: tuple[str, ...]) -> Iterator[Problem]:
    dependency, kind = item.get("dependency"), str(item.get("type"))
    if isinstance(dependency, str) and names and dependency not in names:
        what = f"there is no dependency {quoted(dependency)}"
        yield view.problem((*where, "dependency"), what, did_you_mean(dependency, list(names)))
    if "service" in item:
        yield view.problem((*where, "service"), "calls are answered by dependencies", "write dependency instead")
    if kind in STRIKES_CALLS and not item.keys() & {"rate", "at", "every"}:
        yield view.problem(where, "needs the key 'rate'", "add rate: 10%, or at: and for:")
    if kind == CallFault.BAD_RELEASE and "at" not in item and "every" not in item:
        yield view.problem(where, "has no release time", "add at: 1m and for: 10m")


def _dependencies(view: View) -> Iterator[Problem]:
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
    policies = [item for _, item in view.entries("calls", "policy")]
    names = _names(view.data)
    for where, item in view.entries("faults"):
        to = item.get("dependency", names[0] if names else None)
        around = next((n + 1 for n, each in enumerate(policies) if _falls_back_to(each, to)), 0)
        if item.get("type") == CallFault.TIMEOUT and not any("timeout" in each for each in policies[around:]):
            what = "unanswered calls would never end: no policy limits them"
            after = f", after the fallback to {to}" if around else ""
            yield view.problem((*where, "type"), what, f"add - timeout: 2s to calls.policy{after}")


def _falls_back_to(policy: dict[str, Any], name: Any) -> bool:
    fallback = policy.get("fallback")
    return isinstance(fallback, dict) and fallback.get("to") == name


def _memory(view: View) -> Iterator[Problem]:
    """Memory needs require a dependency with a memory limit."""
    if view.get("workload", "task", "memory") is None:
        return
    if all(item.get("memory") is None for _, item in view.entries("calls", "dependencies")):
        what = "tasks need memory, but no dependency has a memory limit"
        yield view.problem(("workload", "task", "memory"), what, "add memory: 100MB to a dependency")


def _trace(view: View) -> Iterator[Problem]:
    """A trace has no service times of calls."""
    where = ("workload", "arrivals", "trace", "service")
    if view.get(*where) is not None:
        what = "how long a call takes is said by its dependency"
        yield view.problem(where, what, "remove it", at_key=True)


def _latencies(scenario: Data) -> list[Where]:
    calls = scenario.get("calls")
    declared = calls.get("dependencies") if isinstance(calls, dict) else None
    return [("calls", "dependencies", n, "latency") for n in range(len(declared) if isinstance(declared, list) else 0)]


LANGUAGE = Language(
    name="calls",
    fragment=Path(__file__).with_name("language.json"),
    template=Path(__file__).with_name("template.yaml"),
    build=build_calls,
    service=_service,
    slis=SLIS,
    faults=FAULTS,
    minutes=Minutes(
        counts=TASK_COUNTS,
        waiting=frozenset(OPEN),
        taken=(Kind.CALL_STARTED,),
        given_back=_CALL_OVER,
        workers=False,
        more={"calls": Kind.CALL_STARTED, "calls_failed": Kind.CALL_FAILED, "calls_rejected": Kind.CALL_REJECTED},
        levels={"in_flight": Level((Kind.CALL_STARTED,), _CALL_OVER, Kind.SAMPLE_IN_FLIGHT)},
    ),
    checks=(_faults, _dependencies, _endless, _memory, _trace),
    names=_names,
    distributions=_latencies,
    struck=_struck,
    levels={Kind.SAMPLE_QUEUE_DEPTH: "queue depth", Kind.SAMPLE_IN_FLIGHT: "calls in flight"},
    headline={"success": "success_rate", "p95": "latency_p95"},
    durations={"call.succeeded": "call.started", "call.failed": "call.started"},
    closed=True,
    instead={"duration": "calls take the latency of their dependency"},
    words=lambda settings: [each.name for each in settings.dependencies],
)
