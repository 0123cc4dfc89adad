"""Does every file of a run directory still have the hash it was sealed with?"""

from collections.abc import Iterator
from dataclasses import dataclass

from soak.runner.evidence.directory import CHECKSUMS, INCIDENT, RunDirectory
from soak.runner.incident import is_unchanged
from soak.schemas.errors import EvidenceError, SoakError


@dataclass(frozen=True, slots=True)
class Finding:
    """One check; `problem` is empty if it agrees."""

    what: str
    problem: str


def check_hashes(directory: RunDirectory) -> Iterator[Finding]:
    """One finding per file. An incident may have been filled in since, in its fields only."""
    try:
        sums = directory.read_checksums()
    except EvidenceError as error:
        yield Finding(CHECKSUMS, str(error))
        return
    for name, digest in sums.items():
        try:
            changed = directory.checksum(name) != digest
        except EvidenceError:
            yield Finding(name, "is missing")
            continue
        problem = _changed_incident(directory) if name == INCIDENT else "was changed: its hash differs"
        yield Finding(name, problem if changed else "")
    for name in directory.names():
        if name not in sums:
            yield Finding(name, f"is not listed in {CHECKSUMS}")


def _changed_incident(directory: RunDirectory) -> str:
    """The problem of a changed incident."""
    from soak.reports.data import read_run
    from soak.reports.summary import render_incident

    try:
        made = render_incident(read_run(directory.path), directory.path)
    except SoakError:
        return "was changed, and cannot be rendered again to see where"
    now = directory.read(INCIDENT).decode("utf-8", errors="replace")
    return "" if is_unchanged(now, made) else "was changed outside its fields"
