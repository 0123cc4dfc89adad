"""What a scenario of the system `queue` says: the task orchestrator."""

import math
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from soak.schemas.language.backoff import Backoff
from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.fleet import Fleet
from soak.schemas.systems.queue.kinds import NO_LIMIT_S, WorkerQueue
from soak.schemas.systems.queue.services import AtService


class GuardrailMode(StrEnum):
    """How a task over its hard budget is treated."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class Ack(StrEnum):
    """When a task is acknowledged: when its result is there, or when it is handed out."""

    LATE = "late"
    EARLY = "early"


class Queue(Struct, frozen=True):
    """The task orchestrator; times in seconds. heartbeat_s: infinite if nothing renews a lease, a visibility timeout."""

    workers: int
    dispatchers: int
    poll_interval_s: float
    claim_time_s: float
    watchdog_interval_s: float
    worker_restart_s: float
    busy_timeout_s: float
    lease_s: float
    heartbeat_s: float
    max_attempts: int
    backoff: Backoff
    soft_tokens: int
    hard_tokens: int
    guardrail_mode: GuardrailMode
    ack: Ack
    max_deliveries: int | None
    """None: no task is dead-lettered."""

    fleet: Fleet = field(default_factory=Fleet)
    """The workers over time; `workers` is their number at the start."""
    time_limit_s: float = NO_LIMIT_S
    priority: int = 0
    by_kind: tuple["Queue", ...] = ()
    """By kind of work: the same with what the kind has of its own; empty where no kinds are declared."""
    queues: tuple[WorkerQueue, ...] = ()
    """Queues with workers of their own; `workers` is the number of all. Empty: every worker takes all work."""

    at_services: Mapping[str, AtService] = field(default_factory=dict)
    """What faults strike that are of services, by their names."""

    def of_kind(self, kind: int) -> "Queue":
        """The settings for a kind of work."""
        return self.by_kind[kind] if 0 <= kind < len(self.by_kind) else self

    @property
    def differs_by_kind(self) -> bool:
        """Whether any kind of work is treated unlike others, how long it takes left aside."""
        return any(each != replace(self, by_kind=(), queues=()) for each in self.by_kind)

    @property
    def acks_early(self) -> bool:
        """Whether a task is acknowledged when it is handed out: then it has no lease."""
        return self.ack is Ack.EARLY

    @property
    def times_out(self) -> bool:
        """Whether a lease lasts as long as its duration, whatever the worker does: a visibility timeout."""
        return math.isinf(self.heartbeat_s) and not self.acks_early

    @property
    def last_attempt(self) -> int:
        """The number of the attempt after which there is no other."""
        return self.max_attempts if self.max_deliveries is None else min(self.max_attempts, self.max_deliveries)

    def backoff_after(self, attempt: int) -> float:
        """The wait in seconds between attempt `attempt` (from 1) and the next, without jitter."""
        return self.backoff.full_s(attempt)

    @property
    def waits_s(self) -> tuple[float, ...]:
        """The waits without jitter, after each attempt that another may follow; the last value repeats."""
        last = max(2, self.last_attempt)
        return self.backoff.listed_s or tuple(self.backoff.full_s(attempt) for attempt in range(1, last))

    def dead_letters(self, attempt: int) -> bool:
        """Whether a task that would be tried again after this attempt is dead-lettered instead."""
        return self.max_deliveries is not None and attempt >= self.max_deliveries


def queue_of(scenario: Scenario) -> Queue:
    """The task orchestrator of a scenario."""
    return scenario.settings(Queue)
