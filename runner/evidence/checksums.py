"""Does every file of a run directory still have the hash it was sealed with?"""

from collections.abc import Iterator
from dataclasses import dataclass

from runner.evidence.directory import CHECKSUMS, INCIDENT, RunDirectory
from schemas.errors import EvidenceError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked; `problem` is empty when it agrees."""

    what: str
    problem: str


def check_hashes(directory: RunDirectory) -> Iterator[Finding]:
    """One finding for each file. An incident may have been written into since: people fill it in."""
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
        yield Finding(name, "was changed: its hash differs" if changed and name != INCIDENT else "")
    for name in directory.names():
        if name not in sums:
            yield Finding(name, f"is not listed in {CHECKSUMS}")
