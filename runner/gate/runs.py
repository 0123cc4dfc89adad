"""The run directories that a gate checks, and whether their evidence is trustworthy."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from soak.runner.evidence.checksums import check_hashes
from soak.runner.evidence.directory import CHECKSUMS, INCIDENT, MANIFEST, SCENARIO, VERDICT, RunDirectory
from soak.runner.incident import empty_fields
from soak.schemas.errors import EvidenceError
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.verdict import Outcome, Status, Verdict
from soak.schemas.evidence.versions import decode_evidence
from soak.schemas.language.gate import Evidence
from soak.schemas.stream.storage import ZSTD, stream_name
from soak.schemas.units import show_duration

T = TypeVar("T")


class Run(Struct, frozen=True):
    """A run directory, read: `name` is its path below the root of the evidence. None: the file cannot be read."""

    name: str
    directory: RunDirectory
    manifest: Manifest | None
    verdict: Verdict | None
    problems: tuple[str, ...]

    @property
    def scenario(self) -> str:
        """The name of its scenario; empty if unknown, or if its files contradict each other."""
        named = {each.scenario for each in (self.manifest, self.verdict) if each}
        streams = {path.name for path in self.directory.path.glob("soak_*.jsonl*")}
        if len(named) != 1 or self.verdict is None:
            return ""
        name = named.pop()
        return name if streams in ({stream_name(name)}, {stream_name(name, ZSTD)}) else ""


def find_runs(root: Path, pattern: str) -> list[Run]:
    """The run directories that match, in the order of their names."""
    signs = (MANIFEST, SCENARIO, VERDICT, CHECKSUMS)
    paths = [path for path in root.glob(pattern) if path.is_dir() and any((path / sign).exists() for sign in signs)]
    return [_read(path.relative_to(root).as_posix(), RunDirectory(path)) for path in sorted(paths)]


def _read(name: str, directory: RunDirectory) -> Run:
    problems: list[str] = []

    def decoded(file: str, kind: type[T]) -> T | None:
        if not directory.file(file).exists():
            problems.append(f"{file} is missing")
            return None
        try:
            return decode_evidence(directory.read(file), kind, file)
        except EvidenceError as error:
            problems.append(str(error))
        except (ValueError, RecursionError) as error:
            problems.append(f"{file} cannot be read: {type(error).__name__}")
        return None

    manifest = decoded(MANIFEST, Manifest)
    verdict = decoded(VERDICT, Verdict)
    if manifest and manifest.verdict is None:
        problems.append("the run is incomplete")
    return Run(name, directory, manifest, verdict, tuple(problems))


def doubts(run: Run, evidence: Evidence, now: datetime) -> Iterator[str]:
    """Problems of the evidence of a run, and broken laws, whatever the scenario requires."""
    yield from run.problems
    try:
        for finding in check_hashes(run.directory):
            if finding.problem:
                yield f"{finding.what} {finding.problem}"
        if evidence.recompute:
            yield from _recomputed(run)
    except (EvidenceError, OSError, ValueError, RecursionError) as error:
        yield f"cannot be read: {type(error).__name__}: {error}"
    if run.manifest:
        yield from _doubts_of_manifest(run.manifest, evidence, now)
    if run.verdict:
        yield from _doubts_of_verdict(run, run.verdict, evidence)


def _recomputed(run: Run) -> Iterator[str]:
    from soak.runner.evidence.verify import check_recomputed

    for finding in check_recomputed(run.directory)[0]:
        if finding.problem:
            remedy = "; evidence: {recompute: false} goes by the hashes" if finding.other_rules else ""
            yield f"{finding.what}: {finding.problem}{remedy}"


def _doubts_of_manifest(manifest: Manifest, evidence: Evidence, now: datetime) -> Iterator[str]:
    try:
        finished = datetime.strptime(manifest.finished_at or "", "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        yield "does not say when it ended"
        return
    if evidence.max_age_s is not None:
        age_s = (now - finished).total_seconds()
        if age_s > evidence.max_age_s:
            yield f"is {show_duration(round(age_s))} old ({show_duration(evidence.max_age_s)} allowed)"
        elif age_s < 0:
            yield "ended in the future, according to this machine's clock"
    if evidence.one_commit and manifest.git is None:
        yield "has no commit (run it in a git work tree, or write evidence: {one_commit: false})"
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
