"""Reviews of a run, with whether each is of the evidence that is there."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from soak.schemas.errors import EvidenceError, reason
from soak.schemas.evidence.reviews import FILE, Note, Review, Reviews, Standing, standing
from soak.schemas.evidence.versions import decode_evidence
from soak.schemas.files import ordinary
from soak.schemas.units import show_duration

SUMS = "SHA256SUMS"
TIME = "%Y-%m-%dT%H:%M:%S%z"
MOST_SHOWN = 20
"""Reviews that a report shows, and notes of each."""
LARGEST_BYTES = 10_000_000
"""A larger reviews.json is not read: nobody writes that much."""


class Reviewed(Struct, frozen=True):
    """A review, and whether it is of the evidence that is there."""

    review: Review
    standing: Standing

    @property
    def counts(self) -> bool:
        """Whether it is of this evidence."""
        return self.standing is not Standing.OTHER

    @property
    def problem(self) -> str:
        """What is to be said where it is of other evidence; otherwise empty."""
        return "" if self.counts else f"review by {self.review.who} of {self.review.at} is of other evidence"


class Shown(Struct, frozen=True):
    """What a report shows of reviews; `problem`: why they cannot be read, otherwise empty."""

    rows: Sequence[Reviewed] = ()
    problem: str = ""

    @property
    def latest(self) -> list[Reviewed]:
        """Those that are shown, the latest first."""
        return [*self.rows[-MOST_SHOWN:]][::-1]

    @property
    def earlier(self) -> int:
        """How many are not."""
        return max(0, len(self.rows) - MOST_SHOWN)


def read_reviews(directory: Path) -> list[Reviewed]:
    """The reviews in a run directory, in the order in which they were given; none without the file.

    Raises EvidenceError for a damaged file. Without SHA256SUMS they are of other evidence: nothing says what they are of.
    """
    path = directory / FILE
    if not path.exists() and not path.is_symlink():
        return []
    try:
        if ordinary(path).stat().st_size > LARGEST_BYTES:
            raise EvidenceError(f"{path}: is larger than {LARGEST_BYTES:,} bytes (this file is damaged)")
        found = decode_evidence(path.read_bytes(), Reviews, path)
        sums = ordinary(directory / SUMS).read_bytes() if (directory / SUMS).exists() else None
    except OSError as error:
        raise EvidenceError(f"{path}: {reason(error)} (this file cannot be read)") from None
    for review in found.reviews:
        when_of(review, path)
    return [Reviewed(review, Standing.OTHER if sums is None else standing(review, sums)) for review in found.reviews]


def when_of(review: Review, path: object = FILE) -> datetime:
    """When a review was given. Raises EvidenceError."""
    try:
        return datetime.strptime(review.at, TIME)
    except ValueError:
        raise EvidenceError(f"{path}: the review by {review.who} has no valid time (this file is damaged)") from None


def shown_reviews(directory: Path) -> Shown:
    """The reviews for a report, which is made whatever is wrong with them."""
    try:
        return Shown(read_reviews(directory))
    except EvidenceError as error:
        return Shown(problem=str(error))


def about(note: Note) -> str:
    """What a note is about: an objective, a moment or both; empty for the whole run."""
    moment = "" if note.at_s is None else f"at {show_duration(note.at_s)}"
    return ", ".join(part for part in (note.objective, moment) if part)
