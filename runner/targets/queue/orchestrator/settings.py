"""The settings of the real system, from the scenario."""

import json
import math
from dataclasses import asdict
from pathlib import Path

from soak.contract import SystemSettings
from soak.systems.orchestrator.settings import Settings


def settings_of(given: SystemSettings, database: Path, sockets: Path) -> Settings:
    """All in real seconds."""
    return Settings(
        db=str(database),
        run_dir=str(sockets),
        poll_interval_s=given.poll_interval_s,
        watchdog_interval_s=given.watchdog_interval_s,
        lease_s=given.lease_s,
        heartbeat_s=None if math.isinf(given.heartbeat_s) or given.ack_early else given.heartbeat_s,
        backoff_s=given.backoff_s,
        max_attempts=given.max_attempts,
        busy_timeout_s=given.busy_timeout_s,
        soft_tokens=given.soft_tokens,
        hard_tokens=given.hard_tokens,
        guardrail="enforce" if given.blocks else "warn",
        claim_time_s=given.claim_s,
        jitter=given.jitter,
        decorrelated=given.decorrelated,
        backoff_max_s=given.backoff_max_s,
        ack_early=given.ack_early,
        max_deliveries=given.max_deliveries,
        kinds={name: asdict(each) for name, each in given.kinds.items()},
        queues={name: _queue(given, name, workers) for name, workers in given.queues.items()},
    )


def _queue(given: SystemSettings, name: str, workers: tuple[str, ...]) -> dict[str, object]:
    rate_per_s, at_once = given.rates.get(name, (None, 1))
    return {"workers": list(workers), "rate_per_s": rate_per_s, "at_once": at_once}


def write_settings(settings: Settings, path: Path) -> None:
    """Write them where the system's processes read them."""
    path.write_text(json.dumps(asdict(settings)), encoding="utf-8")
