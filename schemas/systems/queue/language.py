"""What the system `queue` adds to the scenario language."""

import math
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from soak.schemas import units
from soak.schemas.errors import Problem
from soak.schemas.files import Folders
from soak.schemas.language.backoff import build_backoff
from soak.schemas.language.build import build_distribution
from soak.schemas.language.distributions import Constant, Distribution
from soak.schemas.language.examples import example
from soak.schemas.language.faults import Timed
from soak.schemas.language.room import TASK_COUNTS, Data, Language, Level, Minutes
from soak.schemas.language.schema import read_schema
from soak.schemas.language.view import View
from soak.schemas.stream.events import Kind
from soak.schemas.stream.states import TaskState
from soak.schemas.systems.queue.delivery import DELIVERY_CHECKS, NONE
from soak.schemas.systems.queue.faults import FAULTS, QueueFault
from soak.schemas.systems.queue.fleet import build_fleet, timed
from soak.schemas.systems.queue.fleet_checks import FLEET_CHECKS
from soak.schemas.systems.queue.indicators import DEAD_LETTERED, SLIS, WORKERS_ALIVE
from soak.schemas.systems.queue.kind_checks import QUEUE_KIND_CHECKS
from soak.schemas.systems.queue.kinds import NO_LIMIT_S, own_settings, queue_of_kind, worker_queues
from soak.schemas.systems.queue.promised import PROMISED
from soak.schemas.systems.queue.services import SERVICE_CHECKS, build_services, struck_part, timed_service
from soak.schemas.systems.queue.settings import Ack, GuardrailMode, Queue
from soak.schemas.units import show_duration


def _build(scenario: Data, folders: Folders) -> Queue:
    data, queues = scenario["queue"], worker_queues(scenario)
    data = {**data, "workers": sum(each.workers for each in queues)} if queues else data
    kinds, fleet, at = scenario["workload"].get("kinds", ()), build_fleet(scenario), build_services(scenario)
    by_kind = tuple(replace(_settings(own_settings(data, kind)), fleet=fleet, at_services=at) for kind in kinds)
    return replace(_settings(data), fleet=fleet, at_services=at, by_kind=by_kind, queues=queues)


def _settings(data: Data) -> Queue:
    return Queue(
        workers=data["workers"],
        dispatchers=data["dispatchers"],
        poll_interval_s=units.duration(data["poll_interval"]),
        claim_time_s=units.duration(data["claim_time"]),
        watchdog_interval_s=units.duration(data["watchdog_interval"]),
        worker_restart_s=units.duration(data["worker_restart"]),
        busy_timeout_s=units.duration(data["busy_timeout"]),
        lease_s=units.duration(data["lease"]["duration"]),
        heartbeat_s=math.inf if data["lease"]["heartbeat"] == NONE else units.duration(data["lease"]["heartbeat"]),
        max_attempts=data["retry"]["max_attempts"],
        backoff=build_backoff(data["retry"]["backoff"], data["retry"]["jitter"]),
        soft_tokens=data["guardrail"]["soft_tokens"],
        hard_tokens=data["guardrail"]["hard_tokens"],
        guardrail_mode=GuardrailMode(data["guardrail"]["mode"]),
        ack=Ack(data["ack"]),
        max_deliveries=data.get("max_deliveries"),
        time_limit_s=units.duration(data["time_limit"]) if "time_limit" in data else NO_LIMIT_S,
        priority=data.get("priority", 0),
    )


def _service(scenario: Data, settings: Queue, folders: Folders) -> Distribution:
    task = scenario["workload"].get("task", {})
    # Without one, a trace has the service times.
    return build_distribution(task["duration"], folders) if "duration" in task else Constant(0.0)


def _kind_service(kind: Data, folders: Folders) -> Distribution | None:
    return build_distribution(kind["task"]["duration"], folders) if "task" in kind else None


def _needs(view: View) -> Iterator[Problem]:
    """The keys that a queue cannot do without."""
    if view.get("workload", "arrivals", "trace", "service") is not None:
        return
    definitions, task = read_schema("scenario")["$defs"], view.get("workload", "task")
    kinds = view.entries("workload", "kinds")
    own = bool(kinds) and all("task" in kind for _, kind in kinds)
    if isinstance(view.get("workload"), dict) and "task" not in view.get("workload") and not own:
        shown = example(definitions["workload"]["properties"]["task"])
        yield view.problem(("workload",), "needs the key 'task'", f"add task: {shown}")
    tasks = [(("workload", "task"), task), *(((*where, "task"), kind.get("task")) for where, kind in kinds)]
    for where, each in tasks:
        if isinstance(each, dict) and "duration" not in each:
            shown = example(definitions["distribution"])
            yield view.problem(where, "needs the key 'duration'", f"add duration: {shown}")


def _faults(view: View) -> Iterator[Problem]:
    """Keys of faults that go with other systems."""
    for where, item in view.entries("faults"):
        kind = str(item.get("type"))
        if kind == QueueFault.DISK_FULL and "for" not in item:
            yield view.problem(where, "needs the key 'for'", "add for: 30s")
        for key, of in (("rate", {QueueFault.DISK_FULL}), ("dependency", set(FAULTS))):
            if key in item and kind in of:
                yield view.problem((*where, key), f"{key!r} is not allowed with {kind} of a queue", "remove it")


def _guardrail(view: View) -> Iterator[Problem]:
    soft, hard = view.get("queue", "guardrail", "soft_tokens"), view.get("queue", "guardrail", "hard_tokens")
    if isinstance(soft, int) and isinstance(hard, int) and soft > hard:
        what = f"the soft budget of {soft:,} is above the hard budget of {hard:,}"
        yield view.problem(("queue", "guardrail", "soft_tokens"), what, "write a smaller one, or raise hard_tokens")


def _lease(view: View) -> Iterator[Problem]:
    lease_s, beat_s = view.duration("queue", "lease", "duration"), view.duration("queue", "lease", "heartbeat")
    if lease_s and beat_s and beat_s >= lease_s:
        lease, beat = view.get("queue", "lease", "duration"), view.get("queue", "lease", "heartbeat")
        what = f"a heartbeat of {beat} is too slow to renew a lease of {lease}"
        yield view.problem(("queue", "lease", "heartbeat"), what, "write a shorter heartbeat, or a longer lease")


def _poll_interval(view: View) -> Iterator[Problem]:
    poll_s, duration_s, drain_s = (
        view.duration("queue", "poll_interval"),
        view.duration("duration"),
        view.duration("drain"),
    )
    if poll_s and duration_s and drain_s is not None and poll_s > duration_s + drain_s:
        what = f"is longer than the run with its drain ({show_duration(duration_s + drain_s)})"
        yield view.problem(("queue", "poll_interval"), what, "write a shorter one, or no work is ever dispatched")


_MINUTES = Minutes(counts=TASK_COUNTS, waiting=frozenset({TaskState.PENDING}))


def _minutes_with(queue: Queue) -> Minutes | None:
    """With the workers that are up, where their number is anything to speak of."""
    alive = Level((Kind.PROCESS_STARTED,), (Kind.PROCESS_EXITED,), workers=queue.workers)
    return replace(_MINUTES, levels={WORKERS_ALIVE: alive}) if queue.fleet.varies else None


def _on_demand(queue: Queue) -> tuple[str, ...]:
    """The indicators of what a scenario asks for."""
    asked = {WORKERS_ALIVE: queue.fleet.varies, DEAD_LETTERED: queue.max_deliveries is not None}
    return tuple(name for name, wanted in asked.items() if wanted)


def _timed(data: Data, queue: Queue) -> Timed | None:
    spec = FAULTS[data["type"]]
    return timed_service(data, spec) or timed(data, queue.workers, queue.fleet, spec)


def _words(queue: Queue) -> list[str]:
    """The services and proxies that faults strike."""
    return list(dict.fromkeys(each.what for each in queue.at_services.values() if each.what))


LANGUAGE = Language(
    name="queue",
    fragment=Path(__file__).with_name("language.json"),
    template=Path(__file__).with_name("template.yaml"),
    build=_build,
    service=_service,
    slis=SLIS,
    faults=FAULTS,
    minutes=_MINUTES,
    minutes_with=_minutes_with,
    words=_words,
    steady=lambda queue: not (queue.fleet.steps or queue.fleet.scaling),
    on_demand=_on_demand,
    checks=(
        _needs,
        _faults,
        _guardrail,
        _lease,
        _poll_interval,
        *FLEET_CHECKS,
        *QUEUE_KIND_CHECKS,
        *DELIVERY_CHECKS,
        *SERVICE_CHECKS,
    ),
    struck=lambda data, settings: struck_part(data),
    timed=_timed,
    levels={Kind.SAMPLE_QUEUE_DEPTH: "queue depth", Kind.SAMPLE_BUSY_WORKERS: "busy workers"},
    kind_service=_kind_service,
    kind_labels=lambda data: {"queue": found} if (found := queue_of_kind(data)) else {},
    headline={"success": "success_rate", "p95": "latency_p95"},
    closed=True,
    at_once=lambda settings: settings.fleet.most(settings.workers),
    promised=PROMISED,
)
