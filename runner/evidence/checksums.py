"""Does every file of a run directory still have the hash it was sealed with?"""

import hashlib
from collections.abc import Iterator

from msgspec import Struct

from soak.runner.evidence.directory import CHECKSUMS, INCIDENT, RunDirectory
from soak.runner.evidence.report import UNDRAWABLE
from soak.runner.incident import emptied, generated_part
from soak.schemas.errors import EvidenceError, SoakError


class Finding(Struct, frozen=True):
    """One check; `problem` is empty if it agrees.

    `other_rules`: the release that made the run judged by other rules, or this one cannot follow them: it is neither confirmed
    nor refuted.
    """

    what: str
    problem: str
    other_rules: bool = False


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
        problem = _changed_incident(directory, digest) if name == INCIDENT else "was changed: its hash differs"
        yield Finding(name, problem if changed else "")
    for name in directory.names():
        if name not in sums:
            yield Finding(name, f"is not listed in {CHECKSUMS}")


def _changed_incident(directory: RunDirectory, digest: str) -> str:
    """The problem of an incident that is not as it was when it had this hash."""
    now = directory.read(INCIDENT).decode("utf-8", errors="replace")
    if hashlib.sha256(emptied(now).encode()).hexdigest() == digest:
        return ""
    from soak.reports.bounds import read_shown
    from soak.reports.summary import render_incident

    try:
        made = render_incident(read_shown(directory.path, markdown=True), directory.path)
    except (SoakError, *UNDRAWABLE):
        return "was changed, and cannot be rendered again to see where"
    return "" if generated_part(now) == generated_part(made) else "was changed outside its fields"
