"""The typed contents of a run directory."""

import csv
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from soak.schemas.errors import EvidenceError, ScenarioError, quoted, reason
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.verdict import AbortResult, Checkpoints, Verdict
from soak.schemas.evidence.versions import decode_evidence
from soak.schemas.files import ordinary
from soak.schemas.language.conditions import Condition
from soak.schemas.language.expression import Unit
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.language.room import TaskWords, Work
from soak.schemas.stream.block import Floats
from soak.schemas.stream.processes import COLUMNS, TABLE

T = TypeVar("T")

MINUTE_S = 60.0


class Metrics(Struct, frozen=True):
    """The per-minute series; each row covers the minute that ends at `t_s`."""

    columns: dict[str, Floats]

    @property
    def t_s(self) -> Floats:
        """The end of each minute."""
        return self.columns["t_s"]

    @property
    def sampled(self) -> bool:
        """Whether an earlier release wrote it: `queue_depth` and `busy_workers` are samples, and the peaks are not known."""
        return "queue_depth" in self.columns and "queue_depth_max" not in self.columns

    def get(self, name: str) -> Floats:
        """A series by name; zeros if the run does not have it, NaN if an earlier release did not record it."""
        unknown = np.nan if self.sampled and name == "queue_depth_max" else 0.0
        return self.columns.get(name, np.full(len(self.t_s), unknown))

    def named(self, prefix: str) -> dict[str, Floats]:
        """The series whose names start with `prefix:`, by the rest of the name."""
        return {
            name.removeprefix(f"{prefix}:"): values
            for name, values in self.columns.items()
            if name.startswith(f"{prefix}:")
        }


class ProcessSamples(Struct, frozen=True):
    """Resource usage of one process of a real run: arrays of equal length, in time order; see `schemas.stream.processes`.

    A restarted process keeps its name, with CPU time from 0.
    """

    t_s: Floats
    rss_bytes: Floats
    cpu_s: Floats
    open_files: Floats


class RunData(Struct, frozen=True):
    """The input of a report."""

    scenario: Scenario
    verdict: Verdict
    manifest: Manifest
    checkpoints: Checkpoints
    metrics: Metrics
    processes: dict[str, ProcessSamples]
    """By process name; empty for a simulation."""
    directory: Path = Path()
    """Where they are."""
    left_out: tuple[str, ...] = ()
    """Sentences on what of very long lists is not shown; see `soak.reports.bounds`."""
    caveats_in_all: int | None = None
    """How many caveats there are, where not all are shown."""

    @property
    def caveat_count(self) -> int:
        """The number of objectives on thin evidence."""
        return len(self.verdict.caveats) if self.caveats_in_all is None else self.caveats_in_all

    def aborts_of(self, sli: str) -> list[AbortResult]:
        """The abort conditions that watch an SLI by itself, in the order of the scenario."""
        names = {
            each.name
            for each in self.scenario.aborts
            if isinstance(each, Condition) and each.comparison.sli.name == sli
        }
        return [each for each in self.verdict.aborts if each.name in names]

    @property
    def work(self) -> Work | None:
        """What the system works on, if not on tasks."""
        return language_of(self.scenario.system).work

    @property
    def task_words(self) -> TaskWords | None:
        """What tasks are called, if each has exactly one attempt."""
        return language_of(self.scenario.system).tasks

    def has(self, *slis: str) -> bool:
        """Whether the system has any of these SLIs."""
        return any(name in self.scenario.slis for name in slis)


def read_run(directory: Path) -> RunData:
    """Read the run in `directory`. Raises EvidenceError, which names the missing or damaged file."""
    try:
        scenario = load(ordinary(directory / "scenario.yaml")).scenario
    except ScenarioError as error:
        raise EvidenceError(f"{directory / 'scenario.yaml'}: cannot be loaded any more:\n{error}") from None
    verdict = _possible(_decode(directory / "verdict.json", Verdict), scenario, directory / "verdict.json")
    metrics = read_metrics(directory / "metrics.csv")
    return RunData(
        scenario=scenario,
        # An SLI that came with a later release is not known of this run.
        verdict=msgspec.structs.replace(verdict, slis={**dict.fromkeys(scenario.slis), **verdict.slis}),
        manifest=_manifest(directory / "run_manifest.json"),
        checkpoints=_decode(directory / "checkpoints.json", Checkpoints),
        metrics=metrics,
        processes=read_processes(directory / TABLE) or read_processes(directory / "system" / TABLE),
        directory=directory,
    )


_LONGER = 10.0
"""How many times as long as its scenario a run may be before its evidence is damaged."""
_SPEEDS = 1e-6, 1e9
_UNITS = frozenset(unit.value for unit in Unit)


def _possible(verdict: Verdict, scenario: Scenario, path: Path) -> Verdict:
    """The verdict, if its times can be those of a run. Raises EvidenceError."""
    longest_s = _LONGER * (scenario.horizon_s + MINUTE_S)
    for name, value in (("duration_s", verdict.duration_s), ("ended_s", verdict.ended_s)):
        if not 0 <= value <= longest_s:
            raise EvidenceError(
                f"{path}: {name} is {value:g}, which no run of this scenario has (this evidence is damaged)"
            )
    units = {each.unit for each in verdict.objectives} | {each.unit for each in verdict.growths}
    for unit in sorted(units - _UNITS):
        raise EvidenceError(f"{path}: no indicator has the unit {quoted(unit)} (this evidence is damaged)")
    return verdict


def _manifest(path: Path) -> Manifest:
    found = _decode(path, Manifest)
    try:
        timed = datetime.fromisoformat(found.started_at).tzinfo is not None
    except ValueError:
        timed = False
    if not timed or not _SPEEDS[0] <= found.speed <= _SPEEDS[1]:
        raise EvidenceError(f"{path}: started_at or speed is invalid (this evidence is damaged)")
    return found


def _decode(path: Path, kind: type[T]) -> T:
    try:
        content = ordinary(path).read_bytes()
    except OSError as error:
        raise EvidenceError(f"{path}: {reason(error)} (this evidence is missing)") from None
    return decode_evidence(content, kind, path)


def read_metrics(path: Path) -> Metrics:
    """The series in metrics.csv. Raises EvidenceError."""
    try:
        with ordinary(path).open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if "t_s" not in header:
                raise ValueError("has no column t_s")
            # A row at a time: their text takes ten times the memory of the numbers.
            numbers = (tuple(float(cell) if cell else np.nan for cell in row) for row in rows)
            cells = np.fromiter(numbers, dtype=[(f"column {place}", np.float64) for place in range(len(header))])
        table: Floats = cells.view(np.float64).reshape(-1, len(header))
    except OSError as error:
        raise EvidenceError(f"{path}: {reason(error)} (this evidence is missing)") from None
    except (ValueError, csv.Error) as error:
        raise EvidenceError(f"{path}: {error} (this evidence is damaged)") from None
    return Metrics({name: table[:, index] for index, name in enumerate(header)})


def read_processes(path: Path) -> dict[str, ProcessSamples]:
    """The samples of each process; none without the file. Raises EvidenceError for a damaged file."""
    if not path.exists():
        return {}
    rows: dict[str, list[tuple[float, ...]]] = {}
    try:
        with ordinary(path).open(encoding="utf-8", newline="") as table:
            for row in csv.DictReader(table):
                numbers = tuple(float(row[name]) for name in COLUMNS if name != "process")
                rows.setdefault(row["process"], []).append(numbers)
    except (OSError, ValueError, KeyError, TypeError, csv.Error, UnicodeDecodeError) as error:
        raise EvidenceError(f"{path}: {error} (this evidence is damaged)") from None
    return {name: _samples(np.array(numbers)) for name, numbers in rows.items()}


def _samples(table: Floats) -> ProcessSamples:
    t_s, _, rss_bytes, cpu_s, _, open_files = table.T
    return ProcessSamples(t_s, rss_bytes, cpu_s, open_files)
