"""Exporting while a run goes on: when a snapshot is made, and who gets it."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.console import remark
from runner.export.database import ExportError
from runner.export.destinations import exports_of, open_database
from runner.export.feed import Feed
from runner.export.metrics import Levels, Snapshot, first_snapshot, run_labels, snapshot_of
from runner.export.scrape import ScrapePage
from runner.judge.judge import Judge
from runner.judge.samples import Facts
from runner.targets.base import Target
from schemas.block import Block
from schemas.errors import UsageError
from schemas.manifest import TimeseriesExport
from schemas.model import Scenario
from schemas.outlets import Export, ExportType
from schemas.verdict import Verdict

PATIENCE_S = 10.0
"""For how long the end of a run waits for exports that are on their way."""


@dataclass(slots=True)
class _Turn:
    """When a destination is to get its next snapshot, on the monotonic clock."""

    every_s: float
    put: Callable[[Snapshot], None]
    due: float = 0.0

    def is_due(self, now: float) -> bool:
        if now < self.due:
            return False
        self.due = now + self.every_s
        return True


class Exporter:
    """A sink of the engine that keeps what a judge does not, and takes snapshots of the judge between blocks."""

    def __init__(self, scenario: Scenario, folder: Path, target: Target, run: str) -> None:
        """`run`: its name, a label of everything; files with secrets are looked up in `folder`. Raises UsageError."""
        self._levels = Levels(scenario)
        self._own = run_labels(scenario.name, target.name, run)
        self._speed = target.speed
        self._feeds: list[tuple[Export, Feed]] = []
        self._pages: list[ScrapePage] = []
        self._turns: list[_Turn] = []
        try:
            for export in exports_of(scenario):
                self._add(export, folder, scenario.name)
        except UsageError:
            self._close_pages()
            raise

    def _add(self, export: Export, folder: Path, scenario: str) -> None:
        if export.type is ExportType.SCRAPE:
            page = ScrapePage(export.port)
            self._pages.append(page)
            self._turns.append(_Turn(export.every_s, page.show))
        else:
            feed = Feed(export.name, open_database(export, folder, scenario))
            self._feeds.append((export, feed))
            self._turns.append(_Turn(export.every_s, feed.put))

    def begin(self, *, strict: bool = True) -> None:
        """Say that the run begins, to every database. Raises UsageError when one that is required does not take it.

        `strict`: whether any is required; a run that goes on is not stopped for one.
        """
        first = first_snapshot(time.time(), self._own, running=True)
        for place, (export, feed) in enumerate(self._feeds):
            try:
                feed.send_first(first)
            except ExportError as error:
                if strict and export.required:
                    self._take_back([earlier for _, earlier in self._feeds[:place]])
                    what = f"export {feed.name}: {error}; nothing was run"
                    raise UsageError(f"{what} (mend that, or set `required: false` to run without it)") from None
                remark(f"export {feed.name}: {error} (the run goes on, it is tried again)")
        for _, feed in self._feeds:
            feed.start()
        for page in self._pages:
            page.show(first)
            remark(f"export: {page.url}")

    def _take_back(self, feeds: list[Feed]) -> None:
        """Say that there is no run after all."""
        for feed in feeds:
            with suppress(ExportError):
                feed.send_first(first_snapshot(time.time(), self._own, running=False))

    def append(self, block: Block, facts: Facts) -> None:
        """Take in what a block says."""
        self._levels.append(block, facts)

    def look(self, judge: Judge) -> None:
        """Make a snapshot for those whose turn it is."""
        now = time.monotonic()
        self._put(judge, [turn for turn in self._turns if turn.is_due(now)])

    def finished(self, judge: Judge, verdict: Verdict) -> None:
        """Make the last snapshot, for all."""
        self._put(judge, self._turns, verdict.verdict.value)

    def _put(self, judge: Judge, turns: list[_Turn], verdict: str = "") -> None:
        if turns:
            snapshot = snapshot_of(
                judge, self._levels, self._own, time_s=time.time(), speed=self._speed, verdict=verdict
            )
            for turn in turns:
                turn.put(snapshot)

    def close(self) -> TimeseriesExport:
        """Wait for what is on its way; returns what got there."""
        until = time.monotonic() + PATIENCE_S
        for _, feed in self._feeds:
            feed.close(until)
        fetched = sum(page.scrapes for page in self._pages)
        self._close_pages()
        counts = [feed.count for _, feed in self._feeds]
        return TimeseriesExport(sum(count.exports for count in counts) + fetched, sum(count.errors for count in counts))

    def abandon(self) -> None:
        """Stop without waiting for anything; after `close` there is nothing left to stop."""
        for _, feed in self._feeds:
            feed.close(time.monotonic())
        self._close_pages()

    def _close_pages(self) -> None:
        while self._pages:
            self._pages.pop().close()
