"""Reading a JSON file of the evidence: damaged, or only of another version?"""

from typing import TypeVar

import msgspec

from soak.schemas.errors import EvidenceError

T = TypeVar("T")

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Exceptions of decoding anything that is not JSON, not UTF-8, or nested too deeply."""


class _Versioned(msgspec.Struct):
    schema_version: int


def decode_evidence(content: bytes, kind: type[T], version: int, path: object) -> T:
    """The content of a file as a struct. Raises EvidenceError, which tells a file of another version from a damaged one."""
    try:
        found = msgspec.json.decode(content, type=_Versioned).schema_version
        if found == version:
            return msgspec.json.decode(content, type=kind)
    except UNDECODABLE as error:
        what = f"{error} (this evidence is damaged; `soak verify` says what the stream gives)"
        raise EvidenceError(f"{path}: {what}") from None
    age = "a newer" if found > version else "an older"
    raise EvidenceError(
        f"{path}: is of version {found}, made by {age} release (this one reads version {version}: use that release)"
    )
