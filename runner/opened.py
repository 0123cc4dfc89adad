"""A run directory, opened: its files as typed data."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from soak.runner.evidence.checksums import Finding
from soak.runner.evidence.directory import METRICS, VERDICT, RunDirectory
from soak.runner.evidence.manifest import read_manifest
from soak.runner.frames.events import Event, Events
from soak.runner.frames.frame import about
from soak.runner.frames.objectives import Objectives
from soak.runner.frames.series import Series
from soak.runner.notebook import run_html
from soak.schemas.errors import EvidenceError
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.evidence.versions import decode_evidence
from soak.schemas.stream.storage import stream_file

__all__ = ["Event", "Events", "Objectives", "Run", "Series"]

if TYPE_CHECKING:
    from soak.reports.data import Metrics


@dataclass(frozen=True)
class Run:
    """A run directory. What is asked for is read then, and raises EvidenceError where it is missing or damaged."""

    path: Path

    @property
    def _directory(self) -> RunDirectory:
        return RunDirectory(self.path)

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict, with every objective and its margin."""
        found = self._directory.read(VERDICT)
        return decode_evidence(found, Verdict, self.path / VERDICT)

    @cached_property
    def manifest(self) -> Manifest:
        """Who ran what, where, when and with which versions."""
        return read_manifest(self._directory)

    @cached_property
    def metrics(self) -> "Metrics":
        """The per-minute series, as arrays of one length by name."""
        from soak.reports.data import read_metrics

        return read_metrics(self.path / METRICS)

    @cached_property
    def events(self) -> Events:
        """The event stream: `run.events()` event by event in time order, `run.events.arrow()` and others as a table."""
        return Events(stream_file(self.path, self.manifest.scenario), about(self.manifest))

    @cached_property
    def series(self) -> Series:
        """The per-minute series: NumPy arrays by name, `run.series.pandas()` and others as a table."""
        return Series(self.metrics.columns, about(self.manifest))

    @cached_property
    def objectives(self) -> Objectives:
        """The objectives of the verdict, in its order; `run.objectives.pandas()` and others as a table."""
        return Objectives(self.verdict, about(self.manifest))

    def verify(self) -> list[Finding]:
        """What `soak verify` checks: a finding for each, with a `problem` where something differs."""
        from soak.runner.evidence.verify import verify

        return verify(self._directory)[0]

    def __repr__(self) -> str:
        return f"<soak.Run {str(self.path)!r}: {self._in_words()}>"

    def _repr_html_(self) -> str | None:
        try:
            return run_html(self.verdict, str(self.path))
        except EvidenceError:
            # Its plain text says so.
            return None

    def _in_words(self) -> str:
        try:
            return f"{self.verdict.headline}, {self.verdict.scenario}, {self.verdict.target}, seed {self.verdict.seed}"
        except EvidenceError:
            return "without a verdict that can be read"
