"""source_manifest.json, parity_diff.json and the daily reports of a pipeline, from what its sinks were seen to hold."""

import contextlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from soak.runner.judge.account import Beside
from soak.runner.judge.pipeline.own_alerts import Figures
from soak.schemas.evidence.processes import OwnAlert
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Floats, Ints
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.documents import (
    SCHEMA_VERSION,
    SOURCE_OF_SYSTEM,
    SOURCE_OF_TARGET,
    DailyReport,
    Day,
    Difference,
    GatingBreakdown,
    Minute,
    ParityDiff,
    Session,
    SinkFigures,
    SourceManifest,
    StreamParity,
    Symbol,
    TargetSource,
)
from soak.schemas.systems.pipeline.settings import Figure, Pipeline, pipeline_of

MINUTE_S = 60.0


class Holdings:
    """What was sent and what each sink got, by minute and by kind of record, and the figures of the closed window."""

    def __init__(self, scenario: Scenario) -> None:
        self.pipeline = pipeline_of(scenario)
        self._kinds = [label.kind for label in scenario.workload.labels]
        self._first = len(self.pipeline.processes)
        sinks = range(len(self.pipeline.sinks))
        self._minutes: list[Counter[int]] = [Counter() for _ in sinks]
        self._by_kind: list[Counter[str]] = [Counter() for _ in sinks]
        self._figures: list[dict[str, int]] = [{} for _ in sinks]
        self.sent: Counter[str] = Counter()
        self.first_s: float | None = None
        self.last_s: float | None = None

    def observe(self, block: Block) -> None:
        """Take in a block."""
        sent = block.kind == Kind.RECORDS_SENT
        if sent.any():
            self._count(self.sent, block.label[sent], block.value[sent])
            self.first_s = float(block.t[sent][0]) if self.first_s is None else self.first_s
            self.last_s = float(block.t[sent][-1])
        for place in range(len(self._minutes)):
            stored = (block.kind == Kind.RECORDS_STORED) & (block.worker == self._first + place)
            records = block.attempt[stored]
            minutes, inverse = np.unique(np.floor(block.t[stored] / MINUTE_S).astype(np.int64), return_inverse=True)
            for minute, count in zip(minutes.tolist(), np.bincount(inverse, records).tolist(), strict=False):
                self._minutes[place][minute] += int(count)
            self._count(self._by_kind[place], block.label[stored], records.astype(np.float64))

    def _count(self, counter: Counter[str], label: Ints, records: Floats) -> None:
        for each in np.unique(label).tolist():
            known = 0 <= each < len(self._kinds)
            counter[self._kinds[each] if known else ""] += int(records[label == each].sum())

    def figure(self, worker: int, name: str, value: int) -> None:
        """A figure of the closed window; worker: the number of the sink as a part of the system."""
        if 0 <= worker - self._first < len(self._figures):
            self._figures[worker - self._first][name] = value

    def figures(self, place: int) -> SinkFigures:
        """The figures of a sink."""
        found = self._figures[place]
        total, strong = found.get("total"), found.get("strong")
        share = round(strong / total, 9) if total and strong is not None else None
        return SinkFigures(total, found.get("confirm"), strong, share)

    def stored(self, place: int) -> Counter[int]:
        """Records that a sink got, by minute from 0."""
        return self._minutes[place]

    def by_kind(self, place: int) -> Mapping[str, int]:
        """Records that a sink got, by kind; empty where records have none."""
        return {kind: self._by_kind[place][kind] for kind in self._kinds if kind}


def parity_diff(scenario: Scenario, holdings: Holdings) -> ParityDiff:
    """The figures of each sink, and by how much those of one stream differ."""
    streams: dict[str, dict[str, SinkFigures]] = {}
    for place, sink in enumerate(holdings.pipeline.sinks):
        streams.setdefault(sink.of, {})[sink.name] = holdings.figures(place)
    told = [StreamParity(stream, sinks, list(_differences(list(sinks.values())))) for stream, sinks in streams.items()]
    return ParityDiff(SCHEMA_VERSION, scenario.name, told)


def _differences(sinks: Sequence[SinkFigures]) -> Iterator[Difference]:
    for figure in Figure:
        values = [getattr(each, figure.value) for each in sinks]
        known = [value for value in values if value is not None]
        if len(known) < len(values) or len(known) < 2:
            yield Difference(figure.value, None)
            continue
        largest = max(known)
        yield Difference(figure.value, round((largest - min(known)) / largest, 9) if largest else 0.0)


def source_manifest(scenario: Scenario, holdings: Holdings, beside: Beside) -> SourceManifest:
    """What the source sent, from where and when; of a real run with the configuration that the system was started with."""
    target, itself = (_told(beside.read(name)) for name in (SOURCE_OF_TARGET, SOURCE_OF_SYSTEM))
    own = target.configuration if target.configuration is not None else itself.configuration
    moments = [None if t_s is None else beside.moment(t_s) for t_s in (holdings.first_s, holdings.last_s)]
    shares = {kind.name: kind.share for kind in scenario.workload.kinds}
    return SourceManifest(
        SCHEMA_VERSION,
        scenario.name,
        [Symbol(name, share, holdings.sent[name]) for name, share in shares.items()],
        Session(moments[0], moments[1], holdings.sent.total()),
        target.endpoint or itself.endpoint,
        target.region or itself.region,
        "scenario" if own is None else "target",
        _settings(holdings.pipeline) if own is None else own,
    )


def _told(content: bytes | None) -> TargetSource:
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(content or b"{}", type=TargetSource)
    return TargetSource()


def _settings(pipeline: Pipeline) -> dict[str, object]:
    """Settings as plain data. Faults are of the scenario, not of the system."""
    plain: dict[str, Any] = msgspec.to_builtins(pipeline)
    return {name: _finite(value) for name, value in plain.items() if name != "faults"}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def daily_reports(
    scenario: Scenario,
    holdings: Holdings,
    minutes: Sequence[Figures],
    alerts: list[OwnAlert],
    beside: Beside,
    until_s: float,
) -> Iterator[DailyReport]:
    """The report of each sink."""
    for place, sink in enumerate(holdings.pipeline.sinks):
        stored, figures = holdings.stored(place), holdings.figures(place)
        length = max([len(minutes), *(minute + 1 for minute in stored)])
        own = minutes if place == 0 else ()
        rows = [_minute(number, stored[number], own, beside) for number in range(length)]
        yield DailyReport(
            SCHEMA_VERSION,
            scenario.name,
            sink.name,
            scenario.timezone,
            beside.moment(0.0),
            beside.moment(until_s),
            stored.total(),
            figures,
            _gates(figures),
            dict(holdings.by_kind(place)),
            _days(rows),
            alerts,
            rows,
        )


def _minute(number: int, stored: int, figures: Sequence[Figures], beside: Beside) -> Minute:
    found = figures[number] if number < len(figures) else None
    begins = beside.moment(number * MINUTE_S).local
    if found is None:
        return Minute(number, begins, stored, None, None, None)
    return Minute(number, begins, stored, found.total, found.strong, found.low)


def _gates(figures: SinkFigures) -> GatingBreakdown:
    total, confirm, strong = figures.total, figures.confirm, figures.strong
    refused = None if strong is None or confirm is None else strong - confirm
    return GatingBreakdown(confirm, refused, None if total is None or strong is None else total - strong)


def _days(minutes: Sequence[Minute]) -> list[Day]:
    days: Counter[str] = Counter()
    for each in minutes:
        days[datetime.fromisoformat(each.begins).date().isoformat()] += each.stored
    return [Day(date, stored) for date, stored in days.items()]
