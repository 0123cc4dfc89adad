"""The figures of a store: how many tasks succeeded, how long they took, what went wrong."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.model import EventType, TaskState


@dataclass(frozen=True, slots=True)
class Metrics:
    """`success_rate` is DONE / (DONE + FAILED), and it and the latencies are None until a task has ended."""

    counts: dict[TaskState, int]
    success_rate: float | None
    latency_p50_s: float | None
    latency_p95_s: float | None
    retries: int
    skipped: int
    refused: int
    errors: dict[str, int]
    """How many attempts ended with each error, most frequent first."""


_ENDED_BADLY = {EventType.RETRY, EventType.FAILED, EventType.BLOCKED}


def aggregate(store: Store) -> Metrics:
    """The figures of everything the store holds. Reads every row."""
    counts, latencies_s, events = store.snapshot().counts, store.latencies_s(), store.event_counts()
    by_type: Counter[EventType] = Counter()
    errors: Counter[str] = Counter()
    for kind, error, n in events:
        by_type[kind] += n
        if kind in _ENDED_BADLY:
            errors[error] += n
    return Metrics(
        counts=counts,
        success_rate=success_rate(counts[TaskState.DONE], counts[TaskState.FAILED]),
        latency_p50_s=quantile(latencies_s, 0.5),
        latency_p95_s=quantile(latencies_s, 0.95),
        retries=by_type[EventType.RETRY],
        skipped=by_type[EventType.SKIPPED],
        refused=by_type[EventType.REFUSED],
        errors=dict(errors.most_common()),
    )


def success_rate(done: int, failed: int) -> float | None:
    """The share of ended tasks that are DONE; None if none has ended."""
    return done / (done + failed) if done + failed else None


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the ordered values do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
