"""Reading a JSON file of the evidence: damaged, of an earlier version, or of one that cannot be read?"""

from pathlib import PurePath
from typing import Any, TypeVar

import msgspec

from soak.schemas.errors import EvidenceError, VersionError, printable
from soak.schemas.evidence.upgrades import FORMATS, Document, Format, TooOldError
from soak.schemas.versions_seen import Age, note_version

T = TypeVar("T")

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Exceptions of decoding anything that is not JSON, not UTF-8, or nested too deeply."""

_LONGEST = 300
"""Characters of what a decoder says: it may quote the whole file."""

_MISMADE = (KeyError, TypeError, AttributeError, ValueError)
"""What a step raises of a document that is not what its version says."""


class _Versioned(msgspec.Struct):
    schema_version: int


def decode_evidence(content: bytes, kind: type[T], path: object) -> T:
    """The content of a file as a struct; what an earlier release wrote is brought up to today's version.

    Raises EvidenceError for a damaged file, and VersionError for one of a version that this release does not read.
    """
    try:
        found = version_of(content)
        if found == FORMATS[kind].version:
            return msgspec.json.decode(content, type=kind)
        return msgspec.convert(brought_up(msgspec.json.decode(content), FORMATS[kind], path), kind)
    except UNDECODABLE as error:
        what = (
            f"{printable(str(error)[:_LONGEST])} (this evidence is damaged; `soak verify` says what the stream gives)"
        )
        raise EvidenceError(f"{path}: {what}") from None


def _name(path: object) -> str:
    return PurePath(str(path)).name


def version_of(content: bytes) -> int:
    """The version that a JSON file, or a line of one, says it is of. Raises one of UNDECODABLE."""
    return msgspec.json.decode(content, type=_Versioned).schema_version


def brought_up(document: Any, form: Format, path: object) -> Document:
    """A decoded document of today's version. Raises VersionError, or msgspec.ValidationError for a damaged one."""
    try:
        found = document["schema_version"]
        if 1 <= found <= form.version:
            upgraded = form.upgraded(document)
            if found < form.version:
                note_version(Age.UPGRADED, _name(path), found, form.version)
            return upgraded
    except TooOldError as error:
        what = f"is of version {found}, made by an older release, and cannot be brought up: {error} (use that release)"
        raise VersionError(f"{path}: {what}") from None
    except _MISMADE as error:
        raise msgspec.ValidationError(f"is not of the version it says: {type(error).__name__} {error}") from None
    if isinstance(found, int) and found > form.version:
        note_version(Age.NEWER, _name(path), found, form.version)
    age = "a newer" if found > form.version else "an older"
    reads = f"versions {min(form.steps)} to {form.version}" if form.steps else f"version {form.version}"
    what = f"is of version {found}, made by {age} release (this one reads {reads}: use that release)"
    raise VersionError(f"{path}: {what}")
