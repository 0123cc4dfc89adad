"""Files of another version than today's that one command came across."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Age(StrEnum):
    """How a file compares with what this release writes: a newer release made it, or an older one and it was upgraded."""

    NEWER = "newer"
    UPGRADED = "upgraded"


@dataclass(frozen=True, slots=True)
class Seen:
    """A file of another version; kind: what it is, such as `Verdict`."""

    age: Age
    kind: str
    found: int
    known: int


_seen: ContextVar[dict[Seen, None] | None] = ContextVar("versions_seen", default=None)


def note_version(age: Age, kind: str, found: int, known: int) -> None:
    """Note a file, where somebody asks for it."""
    seen = _seen.get()
    if seen is not None:
        seen[Seen(age, kind, found, known)] = None


@contextmanager
def versions_seen() -> Iterator[dict[Seen, None]]:
    """The files that are come across meanwhile, in that order."""
    seen: dict[Seen, None] = {}
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)
