"""The scenario's queue settings in real seconds, for the system under test."""

from pathlib import Path
from typing import TypedDict

from soak.contract import KindSettings, QueueSettings, SystemSettings
from soak.runner.targets.queue.kinds import kind_settings, rates, workers_by_queue
from soak.schemas.language.model import Scenario
from soak.schemas.stream.events import worker_name
from soak.schemas.systems.queue.settings import GuardrailMode, queue_of

LEAST_INTERVAL_REAL_S = 0.002
"""Minimum interval of polls, heartbeats and watchdog rounds."""

LEAST_TIMEOUT_REAL_S = 0.005


class CommonSettings(TypedDict):
    """The settings of both kinds of adapter; see `QueueSettings`."""

    directory: Path
    lease_s: float
    heartbeat_s: float
    backoff_s: tuple[float, ...]
    max_attempts: int
    soft_tokens: int
    hard_tokens: int
    workers: int
    speed: float
    jitter: float
    decorrelated: bool
    backoff_max_s: float
    ack_early: bool
    max_deliveries: int | None
    kinds: dict[str, KindSettings]
    queues: dict[str, tuple[str, ...]]
    rates: dict[str, tuple[float, float]]


def _common(scenario: Scenario, directory: Path, speed: float) -> CommonSettings:
    queue = queue_of(scenario)
    workers = {name: tuple(map(worker_name, numbers)) for name, numbers in workers_by_queue(queue).items()}
    return CommonSettings(
        directory=directory.absolute(),
        lease_s=queue.lease_s / speed,
        heartbeat_s=_interval(queue.heartbeat_s, speed),
        backoff_s=tuple(backoff_s / speed for backoff_s in queue.waits_s),
        max_attempts=queue.last_attempt,
        soft_tokens=queue.soft_tokens,
        hard_tokens=queue.hard_tokens,
        workers=queue.workers,
        speed=speed,
        jitter=queue.backoff.jitter,
        decorrelated=queue.backoff.decorrelated,
        backoff_max_s=queue.backoff.max_s / speed,
        ack_early=queue.acks_early,
        max_deliveries=queue.max_deliveries,
        kinds=kind_settings(scenario, speed),
        queues=workers,
        rates=rates(queue, speed),
    )


def _interval(scenario_s: float, speed: float) -> float:
    return max(LEAST_INTERVAL_REAL_S, scenario_s / speed)


def queue_settings(scenario: Scenario, directory: Path, speed: float) -> QueueSettings:
    """For a queue that workers pull from: every duration divided by `speed`; intervals have a floor in real time."""
    return QueueSettings(**_common(scenario, directory, speed))


def system_settings(scenario: Scenario, directory: Path, body_server: Path, speed: float) -> SystemSettings:
    """For a system that owns its workers: likewise, and timeouts have a floor, too."""
    queue = queue_of(scenario)
    return SystemSettings(
        **_common(scenario, directory, speed),
        desk=body_server.absolute(),
        dispatchers=queue.dispatchers,
        poll_interval_s=_interval(queue.poll_interval_s, speed),
        watchdog_interval_s=_interval(queue.watchdog_interval_s, speed),
        busy_timeout_s=max(LEAST_TIMEOUT_REAL_S, queue.busy_timeout_s / speed),
        claim_s=queue.claim_time_s / speed,
        blocks=queue.guardrail_mode is GuardrailMode.ENFORCE,
    )
