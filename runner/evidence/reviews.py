"""Adding a review to a run directory, beside its sealed files."""

import getpass
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from soak.reports.reviews import LARGEST_BYTES, read_reviews
from soak.runner.evidence.checksums import check_hashes
from soak.runner.evidence.directory import CHECKSUMS, VERDICT, RunDirectory
from soak.runner.evidence.record import to_json
from soak.schemas.errors import EvidenceError, UsageError, quoted, reason
from soak.schemas.evidence.reviews import (
    FILE,
    SCHEMA_VERSION,
    Note,
    Opinion,
    Review,
    Reviews,
    checksums_hash,
    evidence_hash,
)
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.evidence.versions import decode_evidence
from soak.schemas.language.shape import did_you_mean
from soak.schemas.units import show_duration

LONGEST_NAME, LONGEST_NOTE = 200, 100_000


class Given(Struct, frozen=True):
    """A review as it is given on the command line; `objective` and `at_s` are what its notes are about."""

    by: str
    role: str | None
    decision: Opinion
    notes: Sequence[str]
    objective: str | None = None
    at_s: float | None = None


def add_review(directory: RunDirectory, given: Given, now: datetime | None = None) -> Review:
    """Append a review of the evidence as it is now. Raises UsageError, EvidenceError or OutputError; then nothing is changed.

    An acceptance is refused where a file does not have the hash it was sealed with: it would not be of what is there.
    """
    directory.claim()
    try:
        sums = _sealed(directory)
        earlier = [each.review for each in read_reviews(directory.path)]
        _check(directory, given)
        review = Review(
            by=_line(given.by, "--by"),
            role=_line(given.role, "--role") if given.role is not None else None,
            at=(now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            decision=given.decision,
            evidence_sha256=evidence_hash(sums),
            checksums_sha256=checksums_hash(sums),
            notes=[Note(_note(text), given.objective, given.at_s) for text in given.notes],
        )
        content = to_json(Reviews(SCHEMA_VERSION, [*earlier, review]))
        if len(content) > LARGEST_BYTES:
            raise UsageError(
                f"{directory.file(FILE)}: would be larger than {LARGEST_BYTES:,} bytes (write shorter notes)"
            )
        directory.write(FILE, content)
    finally:
        directory.release()
    return review


def _sealed(directory: RunDirectory) -> bytes:
    if not directory.file(CHECKSUMS).exists():
        what = f"has no {CHECKSUMS}: the run has not ended, or its evidence is incomplete"
        raise EvidenceError(f"{directory.path}: {what} (wait for it, or complete it by `soak resume`)")
    directory.read_checksums()
    return directory.read(CHECKSUMS)


def _check(directory: RunDirectory, given: Given) -> None:
    verdict = decode_evidence(directory.read(VERDICT), Verdict, directory.file(VERDICT))
    names = [each.objective for each in verdict.objectives]
    if given.objective is not None and given.objective not in names:
        what = f"the run has no objective {quoted(given.objective)}"
        raise UsageError(f"--objective: {what} ({did_you_mean(given.objective, names) if names else 'leave it out'})")
    if given.at_s is not None and given.at_s > verdict.ended_s:
        ended = show_duration(verdict.ended_s)
        raise UsageError(f"--at {show_duration(given.at_s)}: the run ended at {ended} (give a moment before)")
    if given.decision is Opinion.ACCEPTED:
        changed = [f"{each.what} {each.problem}" for each in check_hashes(directory) if each.problem]
        if changed:
            more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
            what = f"the evidence is not as it was sealed: {changed[0]}{more}"
            raise EvidenceError(f"{directory.path}: {what} (see `soak verify`; it can be rejected or noted)")


def _line(text: str, option: str) -> str:
    """A name or a role. Raises UsageError."""
    cleaned = " ".join(text.split())
    if not cleaned or len(cleaned) > LONGEST_NAME or not cleaned.isprintable():
        raise UsageError(
            f"{option} {quoted(text)} is not a line of 1 to {LONGEST_NAME} characters (write it like Ann Lee)"
        )
    return cleaned


def _note(text: str) -> str:
    cleaned = text.strip()
    if not cleaned:
        raise UsageError("a note is empty (write what was seen)")
    if len(cleaned) > LONGEST_NOTE:
        what = f"a note of {len(cleaned):,} characters is too long"
        raise UsageError(f"{what} (write at most {LONGEST_NOTE:,}, and where the rest is)")
    return cleaned


def read_note(path: Path) -> str:
    """The text of a note in a file. Raises UsageError."""
    try:
        with path.open("rb") as file:
            content = file.read(4 * LONGEST_NOTE + 1)
        return content.decode()
    except OSError as error:
        raise UsageError(f"{path}: {reason(error)} (give a text file)") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 text, or is too long (give a text file)") from None


def reviewer_name() -> str:
    """The name that git knows, or that of the user of this machine; empty if neither is known."""
    try:
        asked = ["git", "config", "user.name"]
        done = subprocess.run(asked, capture_output=True, text=True, errors="replace", timeout=10, check=False)
        if name := done.stdout.strip():
            return name
    except (OSError, subprocess.TimeoutExpired):
        pass
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
