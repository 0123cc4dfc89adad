"""The files of the evidence that pipelines have beside those of every run: what each holds, as data."""

import msgspec

from soak.schemas.evidence.processes import Moment, OwnAlert

SCHEMA_VERSION = 1
SOURCE_MANIFEST = "source_manifest.json"
PARITY_DIFF = "parity_diff.json"
SOURCE_OF_TARGET = "system/source.json"
"""Where a real target writes what it knows of its source: `TargetSource`."""
SOURCE_OF_SYSTEM = f"system/{SOURCE_MANIFEST}"
"""Where the system itself may say the same, for what the target does not know."""


def daily_report(sink: str, kind: str) -> str:
    """The name of the daily report of a sink; kind: `json` or `md`."""
    return f"daily_report.{sink}.{kind}"


class TargetSource(msgspec.Struct, frozen=True):
    """What a real target, or the system, knows of the source: where it is, and the configuration that it was started with."""

    endpoint: str | None = None
    region: str | None = None
    configuration: dict[str, object] | None = None


class Symbol(msgspec.Struct, frozen=True):
    """A kind of records, its share of the load, and how many of them were sent."""

    name: str
    share: float
    records_sent: int


class Session(msgspec.Struct, frozen=True):
    """When records were sent: from the first to the last event that says so; None: none was sent."""

    first: Moment | None
    last: Moment | None
    records_sent: int


class SourceManifest(msgspec.Struct, frozen=True):
    """source_manifest.json. endpoint, region: of the source, None in a simulation. configuration_of: `scenario` or `target`."""

    schema_version: int
    scenario: str
    symbols: list[Symbol]
    session: Session
    endpoint: str | None
    region: str | None
    configuration_of: str
    configuration: dict[str, object]


class SinkFigures(msgspec.Struct, frozen=True):
    """What a sink holds of the records of the closed window. strong_ratio: strong / total; None: unknown."""

    total: int | None
    confirm: int | None
    strong: int | None
    strong_ratio: float | None


class Difference(msgspec.Struct, frozen=True):
    """By how much sinks differ in a figure, as a share of the largest; None where a figure is unknown."""

    figure: str
    difference: float | None


class StreamParity(msgspec.Struct, frozen=True):
    """The sinks of one stream, which must hold the same records."""

    stream: str
    sinks: dict[str, SinkFigures]
    differences: list[Difference]


class ParityDiff(msgspec.Struct, frozen=True):
    """parity_diff.json: the figures of each sink over the same closed window of records, and their differences."""

    schema_version: int
    scenario: str
    streams: list[StreamParity]


class Minute(msgspec.Struct, frozen=True):
    """A minute of a daily report. stored: records that the sink got in it. sent, strong, low_consistency: of the records sent in
    it, as the first sink holds them; None in the reports of other sinks, and where the minute was never closed.
    """

    minute: int
    begins: str
    stored: int
    sent: int | None
    strong: int | None
    low_consistency: int | None


class Day(msgspec.Struct, frozen=True):
    """Records that a sink got on a local date."""

    date: str
    stored: int


class GatingBreakdown(msgspec.Struct, frozen=True):
    """What became of the records at the gates of the pipeline; None: unknown."""

    confirmed: int | None
    strong_not_confirmed: int | None
    not_strong: int | None


class DailyReport(msgspec.Struct, frozen=True):
    """daily_report.<sink>.json: what a sink holds, minute by minute, and the alerts of the run."""

    schema_version: int
    scenario: str
    sink: str
    timezone: str
    from_: Moment = msgspec.field(name="from")
    to: Moment
    stored: int
    figures: SinkFigures
    gating_breakdown: GatingBreakdown
    symbols: dict[str, int]
    days: list[Day]
    alerts: list[OwnAlert]
    minutes: list[Minute]
