"""What the supervisor leaves of a run: run_manifest.json, source_manifest.json, parity_diff.json."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil

from soak.systems.pipeline.child import Child
from soak.systems.pipeline.defects import Defect
from soak.systems.pipeline.keeper import Keeper
from soak.systems.pipeline.parity import parity
from soak.systems.pipeline.report import read_alerts
from soak.systems.pipeline.settings import Settings
from soak.systems.pipeline.spool import read_json, write_json
from soak.systems.pipeline.watch import Exporter


@dataclass(frozen=True)
class Told:
    """What is known of a run at its end: the status before the shutdown, who was stopped in which order, Unix times."""

    status: str
    stopped: tuple[str, ...]
    began_at: float
    ended_at: float


def write_manifests(settings: Settings, keeper: Keeper, exporter: Exporter, told: Told) -> None:
    """Write all three."""
    directory = settings.path
    write_json(directory / "run_manifest.json", _run_manifest(settings, keeper, exporter, told))
    write_json(directory / "source_manifest.json", source_manifest(settings, told))
    if len(settings.sinks) == 2:
        write_json(directory / "parity_diff.json", parity(directory))


def _run_manifest(settings: Settings, keeper: Keeper, exporter: Exporter, told: Told) -> dict[str, object]:
    children = keeper.children
    return {
        "status": told.status,
        "started_at": _utc(told.began_at),
        "ended_at": _utc(told.ended_at),
        "written_at": _utc(time.time()),
        "minutes": settings.minutes,
        "speed": settings.speed,
        "sinks": list(settings.sinks),
        "health": {
            "probes": keeper.probes,
            "green": keeper.green,
            "green_share": round(keeper.green / keeper.probes, 6) if keeper.probes else None,
        },
        "processes": {name: _process(child) for name, child in children.items()},
        "harvester_metrics": harvester_metrics(settings, children.get("harvest")),
        "resource_usage": _resources(settings, children),
        "shutdown_order": list(told.stopped),
        "timeseries_export": {
            "type": settings.timeseries_type,
            "reachable_before_start": exporter.reachable,
            "export_count": exporter.made,
            "error_count": exporter.failed,
        },
        "alerts": read_alerts(settings.path),
    }


def _process(child: Child) -> dict[str, object]:
    return {
        "state": child.state.value,
        "restart_count": child.restarts.total,
        "backoffs": list(child.restarts.waits),
        "abandoned": child.state.value == "abandoned",
        "lives": [life.told() for life in child.lives],
    }


def harvester_metrics(settings: Settings, harvest: Child | None) -> dict[str, float | None]:
    """Counters of harvest over all its lives; None if one was never read."""
    names = ("queue_dropped_total", "stream_timeouts_total", "reconnects_total", "gap_records_total")
    missing = 0.0 if settings.has(Defect.METRICS_DEFAULT_ZERO) else None
    found = {name.removesuffix("_total"): harvest.counter(name) if harvest else None for name in names}
    return {name: missing if value is None else value for name, value in found.items()}


def _resources(settings: Settings, children: dict[str, Child]) -> dict[str, object]:
    own = psutil.Process()
    times = own.cpu_times()
    supervisor = {
        "max_rss_bytes": own.memory_info().rss,
        "max_open_files": own.num_fds(),
        "cpu_s": round(times.user + times.system, 3),
    }
    if settings.has(Defect.RESOURCES_OF_SUPERVISOR_ONLY):
        return {"supervisor": supervisor}
    return {"supervisor": supervisor} | {name: _resources_of(child) for name, child in children.items()}


def _resources_of(child: Child) -> dict[str, object]:
    sampled = [life for life in child.lives if life.rss_bytes]
    return {
        "max_rss_bytes": max((life.rss_bytes for life in sampled), default=None),
        "max_open_files": max((life.open_files for life in sampled), default=None),
        "cpu_s": round(sum(life.cpu_s for life in sampled), 3) if sampled else None,
    }


def source_manifest(settings: Settings, told: Told) -> dict[str, object]:
    """Symbols, times, endpoint and region of the session, and the configuration as run."""
    session = read_json(settings.path / "session.json")
    known = session if isinstance(session, dict) else {}
    configuration = msgspec.to_builtins(settings)
    configuration["directory"] = Path(settings.directory).name
    return {
        "symbols": known.get("symbols"),
        "session": {"begins": _utc(float(known.get("epoch") or told.began_at)), "ends": _utc(told.ended_at)},
        "endpoint": known.get("endpoint"),
        "region": known.get("region"),
        "configuration": configuration,
    }


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
