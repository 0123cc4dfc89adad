"""The scenario's queue in real seconds, as a system that owns its workers is told."""

from pathlib import Path

from runner.targets.contract import SystemSettings
from schemas.model import GuardrailMode, Queue

LEAST_INTERVAL_REAL_S = 0.002
LEAST_TIMEOUT_REAL_S = 0.005


def system_settings(queue: Queue, directory: Path, desk: Path, speed: float) -> SystemSettings:
    """Every duration divided by `speed`; intervals and timeouts have a floor in real time."""

    def interval(scenario_s: float) -> float:
        return max(LEAST_INTERVAL_REAL_S, scenario_s / speed)

    return SystemSettings(
        directory=directory,
        desk=desk,
        lease_s=queue.lease_s / speed,
        heartbeat_s=interval(queue.heartbeat_s),
        backoff_s=tuple(backoff_s / speed for backoff_s in queue.backoff_s),
        max_attempts=queue.max_attempts,
        soft_tokens=queue.soft_tokens,
        hard_tokens=queue.hard_tokens,
        workers=queue.workers,
        speed=speed,
        dispatchers=queue.dispatchers,
        poll_interval_s=interval(queue.poll_interval_s),
        watchdog_interval_s=interval(queue.watchdog_interval_s),
        busy_timeout_s=max(LEAST_TIMEOUT_REAL_S, queue.busy_timeout_s / speed),
        claim_s=queue.claim_time_s / speed,
        blocks=queue.guardrail_mode is GuardrailMode.ENFORCE,
    )
