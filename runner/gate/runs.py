"""The run directories that a gate looks at, and whether their evidence can be believed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from runner.evidence.checksums import check_hashes
from runner.evidence.directory import INCIDENT, MANIFEST, SCENARIO, VERDICT, RunDirectory
from runner.incident import empty_fields
from schemas import manifest as manifests
from schemas import verdict as verdicts
from schemas.errors import EvidenceError
from schemas.gate import Evidence
from schemas.manifest import Manifest
from schemas.units import show_duration
from schemas.verdict import Outcome, Status, Verdict
from schemas.versions import decode_evidence

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory, read: `name` is its path below the root of the evidence. None: its file cannot be read."""

    name: str
    directory: RunDirectory
    manifest: Manifest | None
    verdict: Verdict | None
    problems: tuple[str, ...]

    @property
    def scenario(self) -> str:
        """The name of its scenario; empty where that is not known."""
        return self.manifest.scenario if self.manifest else ""


def find_runs(root: Path, pattern: str) -> list[Run]:
    """The run directories that match, in the order of their names."""
    paths = sorted(path for path in root.glob(pattern) if (path / MANIFEST).exists() or (path / SCENARIO).exists())
    return [_read(path.relative_to(root).as_posix(), RunDirectory(path)) for path in paths if path.is_dir()]


def _read(name: str, directory: RunDirectory) -> Run:
    problems: list[str] = []

    def decoded(file: str, kind: type[T], version: int) -> T | None:
        if not directory.file(file).exists():
            problems.append(f"{file} is missing")
            return None
        try:
            return decode_evidence(directory.read(file), kind, version, file)
        except EvidenceError as error:
            problems.append(str(error))
            return None

    manifest = decoded(MANIFEST, Manifest, manifests.SCHEMA_VERSION)
    verdict = decoded(VERDICT, Verdict, verdicts.SCHEMA_VERSION)
    if manifest and manifest.verdict is None:
        problems.append("the run did not come to an end")
    return Run(name, directory, manifest, verdict, tuple(problems))


def doubts(run: Run, evidence: Evidence, now: datetime) -> Iterator[str]:
    """What speaks against believing a run, or against the system whatever the scenario asked for."""
    yield from run.problems
    for finding in check_hashes(run.directory):
        if finding.problem:
            yield f"{finding.what} {finding.problem}"
    if evidence.recompute:
        yield from _recomputed(run)
    if run.manifest:
        yield from _doubts_of_manifest(run.manifest, evidence, now)
    if run.verdict:
        yield from _doubts_of_verdict(run, run.verdict, evidence)


def _recomputed(run: Run) -> Iterator[str]:
    from runner.evidence.verify import check_recomputed

    try:
        for finding in check_recomputed(run.directory)[0]:
            if finding.problem:
                yield f"{finding.what}: {finding.problem}"
    except EvidenceError as error:
        yield str(error)


def _doubts_of_manifest(manifest: Manifest, evidence: Evidence, now: datetime) -> Iterator[str]:
    if manifest.finished_at and evidence.max_age_s is not None:
        age_s = (now - datetime.fromisoformat(manifest.finished_at)).total_seconds()
        if age_s > evidence.max_age_s:
            yield f"is {show_duration(round(age_s))} old ({show_duration(evidence.max_age_s)} allowed)"
        elif age_s < 0:
            yield "ended in the future, by this machine's clock"
    if evidence.one_commit and manifest.git is None:
        yield "does not say which commit it was made from"
    if evidence.clean_tree and manifest.git and manifest.git.dirty:
        yield "was made with uncommitted changes"


def _doubts_of_verdict(run: Run, verdict: Verdict, evidence: Evidence) -> Iterator[str]:
    if evidence.laws:
        for law in verdict.laws:
            if law.status is Status.FAIL:
                yield f"breaks the law {law.law}: {law.detail or law.description}"
    if verdict.verdict is Outcome.ABORTED:
        try:
            empty = empty_fields(run.directory.read(INCIDENT).decode(errors="replace"))
        except EvidenceError:
            yield f"was aborted, and {INCIDENT} is missing"
        else:
            if empty:
                yield f"{INCIDENT} is not filled in: {', '.join(empty)}"
