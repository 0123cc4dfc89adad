"""What kinds of work ask of a real queue: told to those that take it, and refused in words for the others."""

from collections.abc import Iterable

from soak.contract import KindSettings
from soak.schemas.errors import UsageError
from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.settings import Queue, queue_of
from soak.simulation.queue.pace import at_once

PRIORITY, RETRY, BUDGET, QUEUES, RATE_LIMIT, PREFETCH = (
    "priority",
    "retry",
    "hard_tokens",
    "queues",
    "rate_limit",
    "prefetch",
)
TO_TAKE = "remove it, or declare in `takes` what the class heeds: see soak.contract"
_WHERE = {
    PRIORITY: "workload.kinds[].priority",
    RETRY: "workload.kinds[].retry",
    BUDGET: "workload.kinds[].hard_tokens",
    QUEUES: "queue.queues",
    RATE_LIMIT: "queue.queues[].rate_limit",
    PREFETCH: "queue.queues[].prefetch",
}


def asked_of(scenario: Scenario) -> list[str]:
    """What a scenario asks of a queue that treats kinds of work differently."""
    queue = queue_of(scenario)
    found = {
        PRIORITY: any(each.priority for each in queue.by_kind),
        RETRY: any((each.max_attempts, each.backoff) != (queue.max_attempts, queue.backoff) for each in queue.by_kind),
        BUDGET: any(each.hard_tokens != queue.hard_tokens for each in queue.by_kind),
        QUEUES: bool(queue.queues),
        RATE_LIMIT: any(each.rate_per_s for each in queue.queues),
        PREFETCH: any(each.prefetch for each in queue.queues),
    }
    return [name for name, asked in found.items() if asked]


def refuse_kinds(scenario: Scenario, target: str, takes: Iterable[str], remedy: str) -> None:
    """Raises UsageError for a scenario that asks for what the target does not take."""
    known = set(takes)
    if missing := [_WHERE[name] for name in asked_of(scenario) if name not in known]:
        what = f"it does not take {' or '.join(missing)}"
        raise UsageError(f"target {target} cannot run this scenario: {what} ({remedy})")


def declared(kind: type[object]) -> tuple[str, ...]:
    """What of kinds of work an attached class takes, as it declares."""
    takes = getattr(kind, "takes", ())
    return tuple(takes) if isinstance(takes, tuple | list | set | frozenset) else ()


def kind_settings(scenario: Scenario, speed: float) -> dict[str, KindSettings]:
    """By kind of work what it has, in real seconds; empty without kinds."""
    queue = queue_of(scenario)
    return {
        kind.name: KindSettings(
            priority=of.priority,
            max_attempts=of.last_attempt,
            backoff_s=tuple(each / speed for each in of.waits_s),
            hard_tokens=of.hard_tokens,
            jitter=of.backoff.jitter,
            decorrelated=of.backoff.decorrelated,
            backoff_max_s=of.backoff.max_s / speed,
            queue=dict(kind.labels).get("queue", ""),
        )
        for kind, of in zip(scenario.workload.kinds, queue.by_kind, strict=True)
    }


def workers_by_queue(queue: Queue) -> dict[str, range]:
    """The numbers of the workers of each queue; empty where all workers take all work."""
    found, first = {}, 0
    for each in queue.queues:
        found[each.name] = range(first, first + each.workers)
        first += each.workers
    return found


def rates(queue: Queue, speed: float) -> dict[str, tuple[float, float]]:
    """By queue with a limit: dispatches per real second, and how many after a pause."""
    limited = ((each.name, each.rate_per_s) for each in queue.queues)
    return {name: (rate * speed, at_once(rate, queue.poll_interval_s)) for name, rate in limited if rate}
