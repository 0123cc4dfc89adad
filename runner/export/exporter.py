"""Exports during a run: when snapshots are made, what has happened since, and for whom."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from soak.runner.console import remark
from soak.runner.export.about import About
from soak.runner.export.database import ExportError
from soak.runner.export.feed import Feed
from soak.runner.export.followers import Follower, followers_of
from soak.runner.export.metrics import Levels, MetricSnapshot, brief_snapshot, snapshot_of
from soak.runner.export.receivers import open_database
from soak.runner.judge.judge import Judge
from soak.runner.judge.samples import Facts
from soak.schemas.errors import UsageError
from soak.schemas.evidence.manifest import TimeseriesExport
from soak.schemas.evidence.verdict import Status, Verdict
from soak.schemas.language.model import Scenario
from soak.schemas.language.outlets import Export, ExportType, Signal
from soak.schemas.stream.block import Block
from soak.schemas.stream.vocabulary import Vocabulary

if TYPE_CHECKING:
    from soak.runner.export.scrape import ScrapePage

GOODBYE_S = 2.0
"""How long a run that is refused or fails waits to export that it has ended."""


@dataclass(slots=True)
class _Destination:
    """A destination, and when its next snapshot is due, on the monotonic clock."""

    export: Export
    way: "Feed[MetricSnapshot] | ScrapePage"
    due: float = 0.0

    def is_due(self, now: float) -> bool:
        if now < self.due:
            return False
        self.due = now + self.export.every_s
        return True

    def begin(self, first: MetricSnapshot) -> None:
        """Send a first snapshot. Raises ExportError."""
        self.way.begin(first, patience_s(self.export))


def patience_s(export: Export) -> float:
    """How long the first request may take, in seconds."""
    return 2 * export.timeout_s + 1


class Exporter:
    """A sink of the engine that keeps what a judge does not, and takes snapshots of the judge between blocks."""

    def __init__(
        self, exports: tuple[Export, ...], scenario: Scenario, vocabulary: Vocabulary, folder: Path, about: About
    ) -> None:
        """`about`: the run; files with secrets are looked up in `folder`. Raises UsageError."""
        self._levels = Levels(scenario)
        self._own, self._speed = about.labels, about.speed
        self._begun = self._ended = False
        self._destinations: list[_Destination] = []
        self._followers: list[Follower] = []
        try:
            for export in exports:
                if not export.type.of_moments and Signal.METRICS in export.signals:
                    self._destinations.append(_Destination(export, _way(export, folder, about)))
                self._followers += followers_of(export, vocabulary, folder, about)
        except UsageError:
            self.abandon()
            raise

    def begin(self, *, strict: bool = True) -> None:
        """Export the start of the run to every receiver. Raises UsageError if a required one fails.

        `strict`: whether `required` applies; a resumed run is not stopped.
        """
        self._begun = True
        now_s = time.time()
        first = brief_snapshot(now_s, self._own, running=True)
        for destination in self._destinations:
            self._check(destination.export, partial(destination.begin, first), strict=strict)
            if not isinstance(destination.way, Feed):
                remark(f"export: {destination.way.url}")
        for follower in self._followers:
            self._check(follower.export, partial(follower.begin, now_s, patience_s(follower.export)), strict=strict)

    def _check(self, export: Export, begin: Callable[[], None], *, strict: bool) -> None:
        try:
            begin()
        except ExportError as error:
            what = f"export {export.name}: {error}"
            if strict and export.required:
                remedy = "fix that, or set `required: false` to run without it"
                raise UsageError(f"{what}; the run was not started ({remedy})") from None
            remark(f"{what} (the run continues, and the export is retried)")

    def append(self, block: Block, facts: Facts) -> None:
        """Process a block."""
        self._levels.append(block, facts)
        for follower in self._followers:
            follower.append(block)

    def look(self, judge: Judge) -> None:
        """Make a snapshot for the destinations that are due, and tell what has happened since."""
        now = time.monotonic()
        due = [destination for destination in self._destinations if destination.is_due(now)]
        if due:
            self._put(self._snapshot(judge), due)
        for follower in self._followers:
            follower.look(judge, now)

    def finished(self, judge: Judge, verdict: Verdict) -> None:
        """Make the last snapshot, and tell what has happened, for all."""
        self._ended = True
        statuses = [each.status for each in verdict.applicable]
        self._put(self._snapshot(judge, verdict.verdict.value, statuses), self._destinations)
        for follower in self._followers:
            follower.finished(judge, verdict)

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
        ways = [*(each.way for each in self._destinations), *(each.way for each in self._followers)]
        for way in ways:
            way.stop(until)
        for way in ways:
            way.join(quietly=quietly)
        self._destinations, self._followers = [], []
        return TimeseriesExport(sum(way.count.exports for way in ways), sum(way.count.errors for way in ways))

    def abandon(self) -> None:
        """Stop after a run without an end, having exported that it is not running."""
        if self._begun and not self._ended:
            now_s = time.time()
            self._put(brief_snapshot(now_s, self._own, running=False), self._destinations)
            for follower in self._followers:
                follower.abandon(now_s)
        self.close(time.monotonic() + (GOODBYE_S if self._begun else 0.0), quietly=True)


def _way(export: Export, folder: Path, about: About) -> "Feed[MetricSnapshot] | ScrapePage":
    if export.type is ExportType.SCRAPE:
        from soak.runner.export.scrape import ScrapePage

        return ScrapePage(export.port)
    return Feed(export.name, open_database(export, folder, about))
