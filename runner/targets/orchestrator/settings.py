"""The scenario's queue as settings of the real system, in real seconds."""

import json
from dataclasses import asdict
from pathlib import Path

from schemas.model import GuardrailMode, Queue
from systems.orchestrator.settings import Settings

LEAST_INTERVAL_REAL_S = 0.002
LEAST_TIMEOUT_REAL_S = 0.005


def settings_of(queue: Queue, database: Path, sockets: Path, speed: float) -> Settings:
    """Every duration divided by `speed`; intervals and timeouts have a floor in real time."""

    def interval(scenario_s: float) -> float:
        return max(LEAST_INTERVAL_REAL_S, scenario_s / speed)

    return Settings(
        db=str(database),
        run_dir=str(sockets),
        poll_interval_s=interval(queue.poll_interval_s),
        watchdog_interval_s=interval(queue.watchdog_interval_s),
        lease_s=queue.lease_s / speed,
        heartbeat_s=interval(queue.heartbeat_s),
        backoff_s=tuple(backoff_s / speed for backoff_s in queue.backoff_s),
        max_attempts=queue.max_attempts,
        busy_timeout_s=max(LEAST_TIMEOUT_REAL_S, queue.busy_timeout_s / speed),
        soft_tokens=queue.soft_tokens,
        hard_tokens=queue.hard_tokens,
        guardrail="enforce" if queue.guardrail_mode is GuardrailMode.ENFORCE else "warn",
        claim_time_s=queue.claim_time_s / speed,
    )


def write_settings(settings: Settings, path: Path) -> None:
    """Write them where the system's processes read them."""
    path.write_text(json.dumps(asdict(settings)), encoding="utf-8")
