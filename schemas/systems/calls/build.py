"""The system `calls`: from checked data, defaults filled in, to typed settings."""

from collections.abc import Callable, Mapping
from typing import Any

from soak.schemas import units
from soak.schemas.files import Folders
from soak.schemas.language.backoff import build_backoff
from soak.schemas.language.build import build_distribution
from soak.schemas.language.distributions import Distribution
from soak.schemas.systems.calls.settings import (
    Bulkhead,
    Calls,
    Capacity,
    CircuitBreaker,
    Degrade,
    Dependency,
    Fallback,
    HealthCheck,
    Isolation,
    MemoryNeed,
    Policy,
    Pool,
    Quota,
    RateLimit,
    Retry,
    Rollback,
    Store,
    Timeout,
)

Mapping_ = Mapping[str, Any]


def build_calls(scenario: Mapping_, folders: Folders) -> Calls:
    """The settings of a client and its dependencies. Raises ValueError if an empirical file cannot be used."""
    data, memory = scenario["calls"], scenario["workload"].get("task", {}).get("memory", [])
    return Calls(
        tuple(_dependency(each, build_distribution(each["latency"], folders)) for each in data["dependencies"]),
        tuple(_policy(each) for each in data["policy"]),
        tuple(
            MemoryNeed(int(units.size(each["size"])), each.get("tasks", 1), each.get("hold", False)) for each in memory
        ),
    )


def _dependency(data: Mapping_, latency: Distribution) -> Dependency:
    capacity, quota, store = data.get("capacity"), data.get("rate_limit"), data.get("store")
    check, rollback = data.get("health_check"), data.get("rollback")
    return Dependency(
        data["name"],
        latency,
        Capacity(capacity["workers"], capacity["waiting"]) if capacity else None,
        Quota(units.rate(quota["rate"]), quota["burst"]) if quota else None,
        int(units.size(data["memory"])) if "memory" in data else None,
        Store(store["records"], Isolation(store["isolation"])) if store else None,
        HealthCheck(units.duration(check["every"]), check["unhealthy_after"], units.duration(check["restart"]))
        if check
        else None,
        _rollback(rollback) if rollback else None,
    )


def _rollback(data: Mapping_) -> Rollback:
    return Rollback(
        units.ratio(data["error_rate"]),
        units.duration(data["window"]),
        data["min_calls"],
        units.duration(data["takes"]),
    )


def _retry(data: Mapping_) -> Retry:
    return Retry(
        data["max_attempts"],
        build_backoff(data["backoff"], data["backoff"]["jitter"]),
        frozenset(data["errors"]) if "errors" in data else None,
    )


_POLICIES: dict[str, Callable[[Any], Policy]] = {
    "timeout": lambda data: Timeout(units.duration(data)),
    "retry": _retry,
    "circuit_breaker": lambda data: CircuitBreaker(
        data["failures"], units.duration(data["open_for"]), data["half_open_calls"]
    ),
    "bulkhead": lambda data: Bulkhead(data["max_concurrent"], units.duration(data["max_wait"])),
    "pool": lambda data: Pool(data["size"], units.duration(data["max_wait"])),
    "rate_limit": lambda data: RateLimit(units.rate(data["rate"]), data["burst"], units.duration(data["max_wait"])),
    "fallback": lambda data: Fallback(data["to"]),
    "degrade": lambda data: Degrade(
        int(units.size(data["chunk"])), units.duration(data["chunk_time"]), units.ratio(data["shrink"])
    ),
}


def _policy(data: Mapping_) -> Policy:
    ((name, settings),) = data.items()
    return _POLICIES[name](settings)
