"""The manifest of a run, as data: what run_manifest.json holds."""

import msgspec

from soak.schemas.evidence.processes import (
    OwnAlert,
    ProcessRecord,
    ResourceUsage,
    ShutdownOrder,
    SourceMetrics,
    SystemExport,
)

SCHEMA_VERSION = 3


class Git(msgspec.Struct, frozen=True):
    """The commit of the checkout that contains the scenario; `dirty`: with uncommitted changes."""

    sha: str
    dirty: bool


class Notifications(msgspec.Struct, frozen=True):
    """Messages sent, and messages dropped."""

    sent: int
    failed: int


class TimeseriesExport(msgspec.Struct, frozen=True):
    """Exports to time series databases, and failed attempts."""

    export_count: int
    error_count: int


class Sent(msgspec.Struct, frozen=True):
    """Counts of notifications and exports; None if there were none."""

    notifications: Notifications | None = None
    timeseries_export: TimeseriesExport | None = None


NOTHING_SENT = Sent()


class EngineRan(msgspec.Struct, frozen=True):
    """Which engine simulated, and in one line why not the compiled one; empty where that ran, or SimPy was asked for."""

    name: str
    why: str


class Manifest(msgspec.Struct, frozen=True):
    """What run_manifest.json holds. From `processes` on: of systems of processes, when the run has ended."""

    schema_version: int
    scenario: str
    title: str
    scenario_file: str
    scenario_sha256: str
    tier: str | None
    settings: list[str]
    seed: int
    target: str
    clock: str
    speed: float
    aborting: bool
    started_at: str
    finished_at: str | None
    wall_s: float | None
    verdict: str | None
    events: int | None
    reproduce: str
    user: str
    host: str
    platform: str
    python: str
    versions: dict[str, str]
    git: Git | None
    notifications: Notifications | None
    timeseries_export: TimeseriesExport | None
    environment: dict[str, str] = {}
    included: list[str] = []
    engine: EngineRan | msgspec.UnsetType = msgspec.UNSET
    """Of a simulation."""
    processes: list[ProcessRecord] | msgspec.UnsetType = msgspec.UNSET
    shutdown_order: ShutdownOrder | msgspec.UnsetType = msgspec.UNSET
    resource_usage: dict[str, ResourceUsage] | msgspec.UnsetType = msgspec.UNSET
    system_export: SystemExport | msgspec.UnsetType = msgspec.UNSET
    source_metrics: SourceMetrics | msgspec.UnsetType = msgspec.UNSET
    alerts: list[OwnAlert] | msgspec.UnsetType = msgspec.UNSET
