"""What the texts of a target file can name: ports, paths, and the settings of the scenario as a file, in real seconds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from soak.runner.targets.pipeline.flow import settling_s
from soak.schemas.errors import writing
from soak.schemas.language.backoff import Backoff
from soak.schemas.language.distributions import Constant, Distribution, Exponential, LogNormal, Uniform
from soak.schemas.language.model import Scenario
from soak.schemas.systems.pipeline.floors import GRACE_S, PROBE_S, SILENCE_S, START_S
from soak.schemas.systems.pipeline.settings import Health, Process, pipeline_of

SYSTEM = "system"
"""Below the run directory: the files of the system, and its logs."""

CONFIG, REPLAY = "settings.json", "replay.jsonl"

_LEAST_SERVICE_REAL_S = 0.0005
"""Work on a record that takes less is not imitated: waiting for so short a time takes longer than that."""


def settings_of(scenario: Scenario, speed: float, ports: Mapping[str, int]) -> dict[str, Any]:
    """The settings of the scenario's pipeline as plain data. Times are real seconds, shares from 0 to 1; ports by name."""
    pipeline = pipeline_of(scenario)
    supervisor, alerts = pipeline.supervisor, pipeline.alerts
    restart = supervisor.restart
    real = 1.0 / speed
    low, strong, silent = alerts.low_consistency, alerts.strong_ratio, alerts.no_records_s
    return {
        "speed": speed,
        "minutes": scenario.duration_s / 60.0,
        "enable": [each.name for each in pipeline.processes],
        "processes": {each.name: _process(each, real) for each in pipeline.processes},
        "records": {"strong": pipeline.strong, "low_consistency": pipeline.low_consistency},
        "batch": {each.name: {"rows": each.rows, "every": each.every_s * real} for each in pipeline.sinks},
        "health": _health(supervisor.health, real),
        "restart": {
            "when": restart.when.value,
            "backoff": _backoff(restart.backoff, real),
            "max_restarts": restart.max_restarts,
            "within": restart.within_s * real,
            "reset_after": restart.reset_after_s * real,
        },
        "shutdown": {"order": list(supervisor.order), "grace": max(supervisor.grace_s * real, GRACE_S)},
        "alerts": {
            "no_records": None if silent is None else {"for": silent * real},
            "low_consistency": None if low is None else {"above": low},
            "strong_ratio": None if strong is None else {"below": strong},
            "settling": settling_s(speed) * real,
        },
        "export": {"every": pipeline.export_every_s * real},
        "stream_timeout": max(pipeline.stream_timeout_s * real, SILENCE_S),
        "market": {"resume": pipeline.resume},
        "ports": dict(ports),
    }


def _health(health: Health, real: float) -> dict[str, Any]:
    checks: dict[str, Any] = {
        "every": health.every_s * real,
        "start_timeout": max(health.start_timeout_s * real, START_S),
        "timeout": max(health.timeout_s * real, PROBE_S),
    }
    return checks if health.unhealthy_after is None else {**checks, "unhealthy_after": health.unhealthy_after}


def _process(process: Process, real: float) -> dict[str, Any]:
    return {
        "buffer": process.buffer,
        "overflow": process.overflow.value,
        "guarantee": process.guarantee.value,
        "checkpoint": process.checkpoint_s * real,
        "passes": process.passes.value,
        **({"service": service} if (service := _service(process.service, real)) else {}),
    }


def _service(service: Distribution, real: float) -> dict[str, Any] | None:
    """A distribution of service times by its name and parameters; None where it is too short to be imitated, or was measured."""
    if service.mean_s * real < _LEAST_SERVICE_REAL_S:
        return None
    match service:
        case Constant(value_s):
            return {"distribution": "constant", "value": value_s * real}
        case Exponential(mean_s):
            return {"distribution": "exponential", "mean": mean_s * real}
        case Uniform(low_s, high_s):
            return {"distribution": "uniform", "low": low_s * real, "high": high_s * real}
        case LogNormal(median_s, p95_s):
            return {"distribution": "lognormal", "median": median_s * real, "p95": p95_s * real}
        case _:
            return None


def _backoff(backoff: Backoff, real: float) -> dict[str, float]:
    return {"initial": backoff.initial_s * real, "factor": backoff.factor, "max": backoff.max_s * real}


def write_settings(scenario: Scenario, speed: float, ports: Mapping[str, int], path: Path) -> dict[str, Any]:
    """Write `settings_of` to a file, and return them. Raises OutputError."""
    settings = settings_of(scenario, speed, ports)
    with writing(path):
        path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return settings


def values_of(scenario: Scenario, seed: int, speed: float, directory: Path) -> dict[str, str]:
    """What names in braces of a target file stand for that depend on the run. directory: for files of the system."""
    return {
        "speed": f"{speed:g}",
        "seed": str(seed),
        "duration": f"{scenario.duration_s / speed:g}",
        "timezone": scenario.timezone,
        "config": str(directory / CONFIG),
        "replay": str(directory / REPLAY),
    }
