"""What a scenario of the system `queue` says: the task orchestrator."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.fleet import Fleet
from soak.schemas.systems.queue.kinds import NO_LIMIT_S, WorkerQueue


class GuardrailMode(StrEnum):
    """How a task over its hard budget is treated."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class Queue:
    """The task orchestrator; times in seconds."""

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
    backoff_s: tuple[float, ...]
    soft_tokens: int
    hard_tokens: int
    guardrail_mode: GuardrailMode
    fleet: Fleet = field(default_factory=Fleet)
    """The workers over time; `workers` is their number at the start."""
    time_limit_s: float = NO_LIMIT_S
    priority: int = 0
    by_kind: tuple["Queue", ...] = ()
    """By kind of work: the same with what the kind has of its own; empty where no kinds are declared."""
    queues: tuple[WorkerQueue, ...] = ()
    """Queues with workers of their own; `workers` is the number of all. Empty: every worker takes all work."""

    def of_kind(self, kind: int) -> "Queue":
        """The settings for a kind of work."""
        return self.by_kind[kind] if 0 <= kind < len(self.by_kind) else self

    @property
    def differs_by_kind(self) -> bool:
        """Whether any kind of work is treated unlike others, how long it takes left aside."""
        return any(each != replace(self, by_kind=(), queues=()) for each in self.by_kind)

    def backoff_after(self, attempt: int) -> float:
        """Minimum time in seconds between the end of attempt `attempt` (from 1) and the next; the last value repeats."""
        return self.backoff_s[min(attempt, len(self.backoff_s)) - 1]


def queue_of(scenario: Scenario) -> Queue:
    """The task orchestrator of a scenario."""
    return scenario.settings(Queue)
