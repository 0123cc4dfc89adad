"""Notifications and exports: the `notify` and `export` keys of a scenario."""

from enum import StrEnum

from msgspec import Struct

DEFAULT_EVERY_S, DEFAULT_TIMEOUT_S = 15.0, 5.0
"""Default interval and timeout of exports."""


class Occasion(StrEnum):
    """Events that are notified."""

    FIRING = "firing"
    RESOLVED = "resolved"
    ABORTED = "aborted"
    FINISHED = "finished"


class Secret(Struct, frozen=True):
    """Place of a secret: an environment variable, or a file beside the scenario."""

    from_env: str | None
    from_file: str | None

    @property
    def place(self) -> str:
        """The place in words."""
        return f"the environment variable {self.from_env}" if self.from_env else str(self.from_file)


class Notify(Struct, frozen=True):
    """A recipient: place of its URL, and the events to notify."""

    to: Secret
    when: frozenset[Occasion]


class ExportType(StrEnum):
    """Types of exports."""

    PUSHGATEWAY = "pushgateway"
    INFLUXDB = "influxdb"
    INFLUXDB2 = "influxdb2"
    SCRAPE = "scrape"
    OTLP = "otlp"
    REMOTE_WRITE = "remote_write"
    GRAFANA = "grafana"
    CLOUDEVENTS = "cloudevents"

    @property
    def of_moments(self) -> bool:
        """Whether it is sent what happens, not metrics."""
        return self in {ExportType.GRAFANA, ExportType.CLOUDEVENTS}


class Signal(StrEnum):
    """What OpenTelemetry's protocol transports."""

    METRICS = "metrics"
    TRACES = "traces"


BOTH = frozenset(Signal)


class Export(Struct, frozen=True):
    """A receiver of metrics or of what happens (`database`: InfluxDB's, or its bucket), or an endpoint to scrape; real seconds.

    secret: the password where there is a user name, a token otherwise. headers: further ones, by name. signals: of `otlp`.
    """

    type: ExportType
    every_s: float
    timeout_s: float
    required: bool
    url: str = ""
    database: str = ""
    org: str = ""
    username: str = ""
    secret: Secret | None = None
    port: int = 0
    headers: tuple[tuple[str, Secret], ...] = ()
    signals: frozenset[Signal] = BOTH

    @property
    def name(self) -> str:
        """Its name in messages, without secrets."""
        return f"{self.type.value} {self.url or 'on 127.0.0.1'}"
