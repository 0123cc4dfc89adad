"""Exports during a run: when snapshots are made, and for which database."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from soak.runner.console import remark
from soak.runner.export.database import ExportError
from soak.runner.export.destinations import open_database
from soak.runner.export.feed import Feed
from soak.runner.export.metrics import Levels, MetricSnapshot, brief_snapshot, run_labels, snapshot_of
from soak.runner.export.scrape import ScrapePage
from soak.runner.judge.judge import Judge
from soak.runner.judge.samples import Facts
from soak.schemas.errors import UsageError
from soak.schemas.evidence.manifest import TimeseriesExport
from soak.schemas.evidence.verdict import Status, Verdict
from soak.schemas.language.model import Scenario
from soak.schemas.language.outlets import Export, ExportType
from soak.schemas.stream.block import Block
from soak.schemas.stream.identity import Identity

GOODBYE_S = 2.0
"""How long a run that is refused or fails waits to export that it has ended."""


@dataclass(slots=True)
class _Destination:
    """A destination, and when its next snapshot is due, on the monotonic clock."""

    export: Export
    way: Feed | ScrapePage
    due: float = 0.0

    def is_due(self, now: float) -> bool:
        if now < self.due:
            return False
        self.due = now + self.export.every_s
        return True


class Exporter:
    """A sink of the engine that keeps what a judge does not, and takes snapshots of the judge between blocks."""

    def __init__(
        self, exports: tuple[Export, ...], scenario: Scenario, folder: Path, identity: Identity, run: str
    ) -> None:
        """`run`: its name, a label of everything; files with secrets are looked up in `folder`. Raises UsageError."""
        self._levels = Levels(scenario)
        self._own = run_labels(scenario.name, identity.target, run)
        self._speed = identity.speed
        self._begun = self._ended = False
        self._destinations: list[_Destination] = []
        try:
            for export in exports:
                page = export.type is ExportType.SCRAPE
                way = (
                    ScrapePage(export.port) if page else Feed(export.name, open_database(export, folder, scenario.name))
                )
                self._destinations.append(_Destination(export, way))
        except UsageError:
            self.abandon()
            raise

    def begin(self, *, strict: bool = True) -> None:
        """Export the start of the run to every database. Raises UsageError if a required one fails.

        `strict`: whether `required` applies; a resumed run is not stopped.
        """
        self._begun = True
        first = brief_snapshot(time.time(), self._own, running=True)
        for destination in self._destinations:
            try:
                destination.way.begin(first, 2 * destination.export.timeout_s + 1)
            except ExportError as error:
                what = f"export {destination.export.name}: {error}"
                if strict and destination.export.required:
                    remedy = "fix that, or set `required: false` to run without it"
                    raise UsageError(f"{what}; the run was not started ({remedy})") from None
                remark(f"{what} (the run continues, and the export is retried)")
            if isinstance(destination.way, ScrapePage):
                remark(f"export: {destination.way.url}")

    def append(self, block: Block, facts: Facts) -> None:
        """Process a block."""
        self._levels.append(block, facts)

    def look(self, judge: Judge) -> None:
        """Make a snapshot for the destinations that are due."""
        now = time.monotonic()
        due = [destination for destination in self._destinations if destination.is_due(now)]
        if due:
            self._put(self._snapshot(judge), due)

    def finished(self, judge: Judge, verdict: Verdict) -> None:
        """Make the last snapshot, for all."""
        self._ended = True
        statuses = [each.status for each in verdict.applicable]
        self._put(self._snapshot(judge, verdict.verdict.value, statuses), self._destinations)

    def _snapshot(self, judge: Judge, verdict: str = "", statuses: Sequence[Status] = ()) -> MetricSnapshot:
        return snapshot_of(
            judge,
            self._levels,
            self._own,
            time_s=time.time(),
            speed=self._speed,
            verdict=verdict,
            statuses=statuses,
        )

    def _put(self, snapshot: MetricSnapshot, destinations: list[_Destination]) -> None:
        for destination in destinations:
            destination.way.put(snapshot)

    def close(self, until: float, *, quietly: bool = False) -> TimeseriesExport:
        """Wait for exports in flight, up to a time of the monotonic clock; returns the counts."""
        ways = [destination.way for destination in self._destinations]
        for way in ways:
            way.stop(until)
        for way in ways:
            way.join(quietly=quietly)
        self._destinations = []
        return TimeseriesExport(sum(way.count.exports for way in ways), sum(way.count.errors for way in ways))

    def abandon(self) -> None:
        """Stop after a run without an end, having exported that it is not running."""
        if self._begun and not self._ended:
            self._put(brief_snapshot(time.time(), self._own, running=False), self._destinations)
        self.close(time.monotonic() + (GOODBYE_S if self._begun else 0.0), quietly=True)
