"""What the texts of a target file can name, and the settings of the scenario that a service can be started with."""

import json
import math
from pathlib import Path
from typing import Any

from soak.schemas.errors import writing
from soak.schemas.language.model import Scenario
from soak.schemas.systems.gateway.settings import Gateway, Pools, gateway_of

SYSTEM = "system"
"""Below the run directory: the files of the system, and its logs."""

CONFIG = "settings.json"

_FEWEST = 2
"""Connections of a process, of which a tenant may hold half."""


def settings_of(scenario: Scenario, speed: float) -> dict[str, Any]:
    """Tenants and their limits, that of all others, the rate of the outbox, connections and how long a request holds one.

    In real seconds. Connections are those of one process; a request holds one for the mean latency of the scenario's store.
    """
    gateway = gateway_of(scenario)
    tenants = [_tenant(each.name, gateway, speed) for each in scenario.workload.tenants]
    found: dict[str, Any] = {"fair": gateway.pools is Pools.PER_TENANT} | ({"tenants": tenants} if tenants else {})
    if gateway.limit:
        found |= {"rate": gateway.limit.rate_per_s * speed, "burst": gateway.limit.burst}
    if gateway.store:
        found |= _connections(gateway, len(tenants), speed)
    if gateway.outbox:
        found["outbox_rate"] = gateway.outbox.drain_rate_per_s * speed
    return found


def _connections(gateway: Gateway, tenants: int, speed: float) -> dict[str, Any]:
    """Connections of a process, which of them a tenant may hold, and for how long each request holds one and waits for it."""
    assert gateway.store
    each = max(_FEWEST, math.ceil(gateway.store.connections / gateway.processes))
    return {
        "connections": each,
        "at_most": math.ceil(each / max(1, tenants)),
        "store_ms": gateway.store.latency.mean_s * 1000 / speed,
        "connection_within_s": gateway.timeout_s / speed,
    }


def _tenant(name: str, gateway: Gateway, speed: float) -> dict[str, Any]:
    limit = dict(gateway.by_tenant).get(name)
    return {"name": name} | ({"rate": limit.rate_per_s * speed, "burst": limit.burst} if limit else {})


def write_settings(scenario: Scenario, speed: float, directory: Path) -> None:
    """Write `settings_of` to a file. Raises OutputError."""
    path = directory / CONFIG
    with writing(path):
        path.write_text(json.dumps(settings_of(scenario, speed), indent=2) + "\n", encoding="utf-8")


def values_of(scenario: Scenario, seed: int, speed: float, directory: Path) -> dict[str, str]:
    """What names in braces of a target file stand for that depend on the run. directory: for files of the system."""
    return {
        "speed": f"{speed:g}",
        "seed": str(seed),
        "duration": f"{scenario.duration_s / speed:g}",
        "timezone": scenario.timezone,
        "config": str(directory / CONFIG),
    }
