"""What the system `gateway` adds to the scenario language."""

import math
from collections.abc import Iterator
from pathlib import Path

from soak.schemas.errors import Problem, Where, quoted
from soak.schemas.files import Folders
from soak.schemas.language.build import build_distribution
from soak.schemas.language.distributions import Distribution
from soak.schemas.language.room import Amount, Data, Language, Level, Minutes, TaskWords
from soak.schemas.language.shape import did_you_mean
from soak.schemas.language.view import View
from soak.schemas.stream.events import Kind
from soak.schemas.stream.states import TaskState
from soak.schemas.systems.gateway.build import build_gateway
from soak.schemas.systems.gateway.faults import FAULTS, PROCESS
from soak.schemas.systems.gateway.indicators import SLIS, slis_with
from soak.schemas.systems.gateway.settings import Gateway, Pools

_COUNTS = {"requests": Kind.TASK_DISPATCHED, "done": Kind.TASK_DONE, "failed": Kind.TASK_FAILED}


def _service(scenario: Data, settings: Gateway, folders: Folders) -> Distribution:
    return settings.service


def _kind_service(kind: Data, folders: Folders) -> Distribution | None:
    return build_distribution(kind["service"], folders) if "service" in kind else None


def _names(view: View) -> Iterator[Problem]:
    """Kinds, tenants and phases that are named and not declared."""
    kinds = list(view.names("workload", "kinds"))
    for part in ("chain", "outbox"):
        named = view.get("gateway", part, "kinds")
        for place, name in enumerate(named if isinstance(named, list) else []):
            if isinstance(name, str) and name not in kinds:
                where: Where = ("gateway", part, "kinds", place)
                remedy = did_you_mean(name, kinds) if kinds else "declare workload.kinds"
                yield view.problem(where, f"the scenario declares no kind {quoted(name)}", remedy)
    tenants, limits = list(view.names("workload", "tenants")), view.get("gateway", "limits", "tenants")
    for name in limits if isinstance(limits, dict) else ():
        if name not in tenants:
            remedy = did_you_mean(name, tenants) if tenants else "declare workload.tenants"
            where = ("gateway", "limits", "tenants", name)
            yield view.problem(where, f"the scenario declares no tenant {quoted(name)}", remedy)
    phases, baseline = list(view.names("phases")), view.get("gateway", "fairness", "baseline")
    if isinstance(baseline, str) and baseline not in phases:
        remedy = did_you_mean(baseline, phases) if phases else "declare phases"
        where = ("gateway", "fairness", "baseline")
        yield view.problem(where, f"the scenario declares no phase {quoted(baseline)}", remedy)


def _requests(view: View) -> Iterator[Problem]:
    """A request of every kind, or of none."""
    kinds = view.entries("workload", "kinds")
    without = [where for where, item in kinds if "request" not in item]
    if without and len(without) < len(kinds):
        for where in without:
            yield view.problem(where, "needs the key 'request', which other kinds have", "add request: {path: /}")
    if kinds and view.get("workload", "task", "request") is not None:
        what = "stands beside kinds, which have requests of their own"
        yield view.problem(("workload", "task", "request"), what, "remove it", at_key=True)


def _pools(view: View) -> Iterator[Problem]:
    """Of pools of their own every tenant needs a part."""
    tenants = len(list(view.names("workload", "tenants")))
    apart = view.get("gateway", "pools") == Pools.PER_TENANT
    for where in (("gateway", "workers"), ("gateway", "store", "connections")) if apart else ():
        number = view.get(*where)
        if _is_number(number) and number < tenants:
            what = f"{number} cannot be shared out to {tenants} tenants (pools: per_tenant)"
            yield view.problem(where, what, f"write {tenants} or more, or pools: shared")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _distributions(scenario: Data) -> list[Where]:
    kinds = scenario.get("workload", {}).get("kinds") if isinstance(scenario.get("workload"), dict) else None
    places: list[Where] = [("gateway", "service"), ("gateway", "store", "latency"), ("gateway", "chain", "hold")]
    return places + [("workload", "kinds", n, "service") for n in range(len(kinds) if isinstance(kinds, list) else 0)]


LANGUAGE = Language(
    name="gateway",
    fragment=Path(__file__).with_name("language.json"),
    template=Path(__file__).with_name("template.yaml"),
    build=build_gateway,
    service=_service,
    slis=SLIS,
    slis_with=slis_with,
    faults=FAULTS,
    minutes=Minutes(
        counts=_COUNTS,
        waiting=frozenset({TaskState.PENDING}),
        workers=False,
        levels={"in_flight": Level((Kind.TASK_DISPATCHED,), (Kind.TASK_DONE, Kind.TASK_FAILED))},
        amounts={
            "load_cpu": Amount(Kind.SAMPLE_LOAD_CPU, most=True),
            "load_lag_s": Amount(Kind.SAMPLE_LOAD_LAG, most=True),
        },
    ),
    checks=(_names, _requests, _pools),
    distributions=_distributions,
    levels={Kind.SAMPLE_IN_SERVICE: "requests in service", Kind.SAMPLE_OUTBOX: "rows in the outbox"},
    headline={"success": "success_rate", "p95": "latency_p95"},
    closed=True,
    tasks=TaskWords(
        "request",
        "requests",
        {"DONE": "well", "FAILED": "failed"},
        simulated="simulated: a model answered the requests, no service was asked",
    ),
    instead={"duration": "how long the service works on a request is gateway.service, or service: of a kind"},
    kind_service=_kind_service,
    words=lambda settings: (PROCESS,),
    at_once=lambda settings: settings.workers if settings else math.inf,
)
