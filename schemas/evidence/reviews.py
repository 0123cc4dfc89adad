"""What people say of a run, as data: reviews.json, which lies beside the sealed files of the run and is not one of them."""

import hashlib
import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec

SCHEMA_VERSION = 1
FILE = "reviews.json"
BESIDE = frozenset({FILE, f"{FILE}.asc", f"{FILE}.sig", f"{FILE}.minisig"})
"""Files that may be put into a run directory after it was sealed: the reviews, and signatures of this file."""

_DRAWN = re.compile(rb"  (plots/.*|.*\.(md|html))$")
"""A line of SHA256SUMS for a file of the report, which `soak report` renders again from the others."""


class Opinion(StrEnum):
    """What a reviewer decided."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NOTED = "noted"


class Note(msgspec.Struct, frozen=True):
    """A note in a review; `objective` and `at_s` (scenario time) say what it is about, if not the whole run."""

    text: str
    objective: str | None = None
    at_s: float | None = None


class Review(msgspec.Struct, frozen=True):
    """A review by one person, of the evidence with this hash; `at`: when, in UTC.

    `evidence_sha256` is that of the evidence without its report, `checksums_sha256` that of the whole SHA256SUMS.
    """

    by: str
    role: str | None
    at: str
    decision: Opinion
    evidence_sha256: str
    checksums_sha256: str
    notes: list[Note]

    @property
    def who(self) -> str:
        """The reviewer, with the role."""
        return f"{self.by} ({self.role})" if self.role else self.by


class Reviews(msgspec.Struct, frozen=True):
    """reviews.json, in the order in which they were given."""

    schema_version: int
    reviews: list[Review]


class Standing(StrEnum):
    """Whether a review is of the evidence that is there."""

    EXACT = "of this evidence"
    RENDERED = "of this evidence, whose report was rendered again since"
    OTHER = "of other evidence"


def evidence_hash(checksums: bytes) -> str:
    """The SHA-256 of the lines of SHA256SUMS but those of the report: rendering it again makes no other evidence.

    The same by hand: `grep -vE '  (plots/.*|.*\\.(md|html))$' SHA256SUMS | sha256sum`.
    """
    lines = [line for line in checksums.split(b"\n") if line and not _DRAWN.search(line)]
    return hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()


def checksums_hash(checksums: bytes) -> str:
    """The SHA-256 of SHA256SUMS as it is."""
    return hashlib.sha256(checksums).hexdigest()


def standing(review: Review, checksums: bytes) -> Standing:
    """Whether a review is of the evidence that has this SHA256SUMS."""
    if review.evidence_sha256 != evidence_hash(checksums):
        return Standing.OTHER
    return Standing.EXACT if review.checksums_sha256 == checksums_hash(checksums) else Standing.RENDERED


def same_person(name: str) -> str:
    """A name by which reviews of one person are found: letter case and spaces do not matter."""
    return " ".join(name.split()).casefold()


def latest_decisions(reviews: Iterable[Review]) -> list[Review]:
    """The last acceptance or rejection of each person, in the order in which they were given: notes do not change it."""
    found: dict[str, Review] = {}
    for review in reviews:
        if review.decision is not Opinion.NOTED:
            found.pop(same_person(review.by), None)
            found[same_person(review.by)] = review
    return list(found.values())
