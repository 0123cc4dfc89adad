"""Who is told of a run, and where its figures go: the `notify` and `export` keys of a scenario."""

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_EVERY_S, DEFAULT_TIMEOUT_S = 15.0, 5.0
"""How often figures are exported and for how long an answer is waited for, unless a scenario says otherwise."""


class Occasion(StrEnum):
    """What people are told of."""

    FIRING = "firing"
    RESOLVED = "resolved"
    ABORTED = "aborted"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is: in a variable, or in a file beside the scenario."""

    from_env: str | None
    from_file: str | None

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"the environment variable {self.from_env}" if self.from_env else str(self.from_file)


@dataclass(frozen=True, slots=True)
class Notify:
    """Someone to tell: where the URL is, and of what."""

    to: Secret
    when: frozenset[Occasion]


class ExportType(StrEnum):
    """Where time series go, or how they are fetched."""

    PUSHGATEWAY = "pushgateway"
    INFLUXDB = "influxdb"
    INFLUXDB2 = "influxdb2"
    SCRAPE = "scrape"


@dataclass(frozen=True, slots=True)
class Export:
    """A database of time series (`database`: InfluxDB's, or its bucket), or a page to scrape; seconds of the real clock."""

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

    @property
    def name(self) -> str:
        """What messages call it; it holds no secret."""
        return f"{self.type.value} {self.url or 'on 127.0.0.1'}"
