"""What a scenario of the system `queue` says: the task orchestrator."""

from dataclasses import dataclass, field
from enum import StrEnum

from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.fleet import Fleet


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

    def backoff_after(self, attempt: int) -> float:
        """Minimum time in seconds between the end of attempt `attempt` (from 1) and the next; the last value repeats."""
        return self.backoff_s[min(attempt, len(self.backoff_s)) - 1]


def queue_of(scenario: Scenario) -> Queue:
    """The task orchestrator of a scenario."""
    return scenario.settings(Queue)
