"""The settings of the real system, from the scenario."""

import json
from dataclasses import asdict
from pathlib import Path

from soak.contract import SystemSettings
from soak.systems.orchestrator.settings import Settings


def settings_of(told: SystemSettings, database: Path, sockets: Path) -> Settings:
    """All in real seconds."""
    return Settings(
        db=str(database),
        run_dir=str(sockets),
        poll_interval_s=told.poll_interval_s,
        watchdog_interval_s=told.watchdog_interval_s,
        lease_s=told.lease_s,
        heartbeat_s=told.heartbeat_s,
        backoff_s=told.backoff_s,
        max_attempts=told.max_attempts,
        busy_timeout_s=told.busy_timeout_s,
        soft_tokens=told.soft_tokens,
        hard_tokens=told.hard_tokens,
        guardrail="enforce" if told.blocks else "warn",
        claim_time_s=told.claim_s,
    )


def write_settings(settings: Settings, path: Path) -> None:
    """Write them where the system's processes read them."""
    path.write_text(json.dumps(asdict(settings)), encoding="utf-8")
