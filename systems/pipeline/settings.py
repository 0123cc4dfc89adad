"""The settings of a run: one JSON file that all processes read. Times are real seconds, fractions allowed."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from soak.systems.pipeline.defects import Defect

PROCESSES = ("harvest", "signal", "broker", "report")
"""In the order of the flow."""

SINKS = ("jsonl", "sqlite")

Seconds = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Port = Annotated[int, Meta(ge=1, le=65535)]
Overflow = Literal["drop_oldest", "drop_newest", "block"]
Guarantee = Literal["exactly_once", "at_least_once", "at_most_once"]
Passes = Literal["all", "strong", "confirmed"]
SinkChoice = Literal["jsonl", "sqlite", "dual"]


class SettingsError(Exception):
    """The settings are missing or wrong; the message names the file and the setting."""


class Service(Struct, frozen=True, forbid_unknown_fields=True):
    """Time per record: `value` of a constant, `mean` of an exponential, `low` to `high`, or `median` and `p95` of a lognormal."""

    distribution: Literal["constant", "exponential", "uniform", "lognormal"] = "constant"
    value: Seconds = 0.0
    mean: Seconds = 0.0
    low: Seconds = 0.0
    high: Seconds = 0.0
    median: Positive = 1.0
    p95: Positive = 1.0


class Process(Struct, frozen=True, forbid_unknown_fields=True):
    """One process: how it reads, what it promises, and how long it needs."""

    buffer: Annotated[int, Meta(ge=1)] = 10_000
    overflow: Overflow = "drop_oldest"
    guarantee: Guarantee = "exactly_once"
    checkpoint: Seconds = 1.0
    passes: Passes = "all"
    service: Service = field(default_factory=Service)
    start: Seconds = 0.0
    """How long it does nothing before it is ready."""


class Shares(Struct, frozen=True, forbid_unknown_fields=True):
    """A record is strong if its strength is below the share, and of low consistency likewise."""

    strong: Share = 0.11
    low_consistency: Share = 0.20


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """A batch is written when it has `rows`, or when its first row has waited for `every`."""

    rows: Annotated[int, Meta(ge=1)] = 1
    every: Seconds = 0.0


class Batches(Struct, frozen=True, forbid_unknown_fields=True):
    """The batches of each sink."""

    jsonl: Batch = field(default_factory=Batch)
    sqlite: Batch = field(default_factory=lambda: Batch(500, 0.5))


class Health(Struct, frozen=True, forbid_unknown_fields=True):
    """A round of probes each `every`; a process whose input waits for longer than `fresh` without progress is not healthy."""

    every: Positive = 10.0
    start_timeout: Positive = 120.0
    timeout: Positive = 2.0
    fresh: Positive = 30.0
    unhealthy_after: Annotated[int, Meta(ge=1)] | None = None
    """Failed probes in a row after which a process is killed; null: never."""

    start_every: Positive = 0.02
    """How often a process that starts is probed."""


class Backoff(Struct, frozen=True, forbid_unknown_fields=True):
    """Restart n in a row waits `initial * factor ** (n - 1)`, at most `max`."""

    initial: Seconds = 1.0
    factor: Annotated[float, Meta(ge=1)] = 2.0
    max: Seconds = 30.0


class Restart(Struct, frozen=True, forbid_unknown_fields=True):
    """When a process that has ended is started again, and when no more."""

    when: Literal["failure", "always", "never"] = "failure"
    backoff: Backoff = field(default_factory=Backoff)
    max_restarts: Count = 5
    within: Positive = 600.0
    reset_after: Seconds = 60.0


class Shutdown(Struct, frozen=True, forbid_unknown_fields=True):
    """Processes are stopped in this order; before that, queues may run empty for `drain`."""

    order: tuple[str, ...] = ("report", "broker", "signal", "harvest")
    grace: Seconds = 10.0
    drain: Seconds = 10.0


class NoRecords(Struct, frozen=True, forbid_unknown_fields=True, rename={"for_s": "for"}):
    """Critical: not one record for that long, in whole minutes of scenario time."""

    for_s: Positive = 120.0


class LowConsistency(Struct, frozen=True, forbid_unknown_fields=True):
    """Warning: more than this share of a minute's records."""

    above: Share = 0.80


class StrongRatio(Struct, frozen=True, forbid_unknown_fields=True):
    """Warning: less than this share of a minute's records."""

    below: Share = 0.02


class Alerts(Struct, frozen=True, forbid_unknown_fields=True):
    """The three rules; null: no such rule. A minute is closed `settling` after its end."""

    no_records: NoRecords | None = field(default_factory=NoRecords)
    low_consistency: LowConsistency | None = field(default_factory=LowConsistency)
    strong_ratio: StrongRatio | None = field(default_factory=StrongRatio)
    settling: Seconds = 1.0


class Export(Struct, frozen=True, forbid_unknown_fields=True):
    """Figures go to the time-series database each `every`."""

    every: Positive = 60.0
    timeout: Positive = 2.0


class Market(Struct, frozen=True, forbid_unknown_fields=True):
    """The bundled source: its own deterministic data, or what a replay has. `rate`: records per second of scenario time."""

    rate: Positive = 155.0
    seed: int = 1
    symbols: dict[str, Share] = field(default_factory=lambda: {"BTCUSDT": 0.7, "ETHUSDT": 0.3})
    region: str = "local"
    resume: bool = True
    """Whether it sends again, from where a reader asks for; otherwise a reader gets what is sent while it is connected."""

    tick: Positive = 0.02
    """How long records are collected for a message."""


def _processes() -> dict[str, Process]:
    return {"broker": Process(passes="confirmed")}


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. `speed`: seconds of scenario time per real second; `minutes` are of scenario time, 0: until SIGTERM."""

    enable: tuple[str, ...] = PROCESSES
    sink: SinkChoice = "dual"
    minutes: Seconds = 0.0
    speed: Positive = 1.0
    stay: bool = False
    """Go on after `minutes`, until SIGTERM; no minute after them is looked at."""

    directory: str = "."
    source: str = ""
    """`ws://…`; empty: the bundled one is started."""

    exchange: str = ""
    timeseries_type: Literal["none", "influx"] = "none"
    timeseries_url: str = ""
    timezone: str = "UTC"
    processes: dict[str, Process] = field(default_factory=_processes)
    records: Shares = field(default_factory=Shares)
    batch: Batches = field(default_factory=Batches)
    health: Health = field(default_factory=Health)
    restart: Restart = field(default_factory=Restart)
    shutdown: Shutdown = field(default_factory=Shutdown)
    alerts: Alerts = field(default_factory=Alerts)
    export: Export = field(default_factory=Export)
    market: Market = field(default_factory=Market)
    stream_timeout: Positive = 30.0
    reconnect: Positive = 0.2
    """How long harvest waits before it connects again."""

    poll: Positive = 0.02
    """How often a reader that has read everything looks for more."""

    ports: dict[str, Port] = field(default_factory=dict)
    defects: frozenset[Defect] = frozenset()

    @property
    def path(self) -> Path:
        """The directory of the run."""
        return Path(self.directory)

    @property
    def sinks(self) -> tuple[str, ...]:
        """The sinks that are written, the one that others read first."""
        return SINKS if self.sink == "dual" else (self.sink,)

    @property
    def minute_s(self) -> float:
        """How long a minute of scenario time is, in real seconds."""
        return 60.0 / self.speed

    def process(self, name: str) -> Process:
        """The settings of a process."""
        return self.processes.get(name) or _processes().get(name) or Process()

    def has(self, *defects: Defect) -> bool:
        """Whether one of these defects is planted."""
        return not self.defects.isdisjoint(defects)


def read_settings(path: Path) -> Settings:
    """The settings in a JSON file. Raises SettingsError."""
    try:
        return checked(msgspec.json.decode(path.read_bytes(), type=Settings))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, SettingsError) as error:
        raise SettingsError(f"{path}: {error}") from None


def checked(settings: Settings) -> Settings:
    """The same settings, if their names fit together. Raises SettingsError."""
    for where, names in (
        ("enable", settings.enable),
        ("processes", settings.processes),
        ("shutdown.order", settings.shutdown.order),
    ):
        if unknown := [name for name in names if name not in PROCESSES]:
            raise SettingsError(f"{where}: no process {unknown[0]!r}; there are {', '.join(PROCESSES)}")
    if missing := [name for name in settings.enable if name not in settings.shutdown.order]:
        raise SettingsError(f"shutdown.order: {missing[0]!r} is missing")
    if settings.timeseries_type != "none" and not settings.timeseries_url:
        raise SettingsError("timeseries_url is missing: where is the database?")
    for where, url, scheme in (
        ("timeseries_url", settings.timeseries_url, "http://"),
        ("exchange", settings.exchange, "http://"),
        ("source", settings.source, "ws://"),
    ):
        if url and not url.startswith(scheme):
            raise SettingsError(f"{where}: {url!r} must begin with {scheme}")
    return settings


def write_settings(settings: Settings, path: Path) -> None:
    """Store the settings as run; whole, should somebody read them meanwhile."""
    beside = path.with_name(f".{path.name}")
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(settings), indent=2) + b"\n")
    beside.replace(path)
