"""The names that a pipeline declares, from data that may be of the wrong shape."""

from typing import Any

from soak.schemas.systems.pipeline.settings import AlertRule


def process_names(scenario: Any) -> tuple[str, ...]:
    """The names of the processes, in their order."""
    return _names(_under(scenario, "pipeline", "processes"))


def sink_names(scenario: Any) -> tuple[str, ...]:
    """The names of the sinks, in their order."""
    return _names(_under(scenario, "pipeline", "sinks"))


def kind_names(scenario: Any) -> tuple[str, ...]:
    """The kinds of records, in their order."""
    return _names(_under(scenario, "workload", "kinds"))


def alert_names(scenario: Any) -> tuple[str, ...]:
    """The alerts that are expected of the pipeline."""
    alerts = _under(scenario, "pipeline", "alerts")
    return tuple(rule.value for rule in AlertRule if isinstance(alerts, dict) and rule in alerts)


def _under(data: Any, *keys: str) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _names(entries: Any) -> tuple[str, ...]:
    items = [each.get("name") for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    return tuple(name for name in items if isinstance(name, str))
