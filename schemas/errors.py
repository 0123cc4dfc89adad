"""Errors with a remedy. They are printed by the command line only."""

import errno
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

PUBLIC = "soak"
"""The module whose names these errors have for users, in tracebacks too."""


class SoakError(Exception):
    """Base of every expected error: one message, and the exit code the command ends with."""

    __module__ = PUBLIC
    exit_code = 1


class UsageError(SoakError):
    """Wrong usage or impossible request: nothing was run."""

    __module__ = PUBLIC
    exit_code = 2


class EvidenceError(SoakError):
    """Evidence is missing, damaged or cannot be written."""

    __module__ = PUBLIC
    exit_code = 5


class WordingError(ValueError):
    """A text that does not say what it is to say: what is wrong with it, and what to write."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(f"{what} ({remedy})")


_REASONS: Mapping[int | None, str] = {
    errno.EPERM: "Operation not permitted",
    errno.ENOENT: "No such file or directory",
    errno.EIO: "Input/output error",
    errno.ENXIO: "No such device or address",
    errno.EBADF: "Bad file descriptor",
    errno.EACCES: "Permission denied",
    errno.EEXIST: "File exists",
    errno.ENOTDIR: "Not a directory",
    errno.EISDIR: "Is a directory",
    errno.ENFILE: "Too many open files in system",
    errno.EMFILE: "Too many open files",
    errno.EFBIG: "File too large",
    errno.ENOSPC: "No space left on device",
    errno.EROFS: "Read-only file system",
    errno.EPIPE: "Broken pipe",
    errno.ENAMETOOLONG: "File name too long",
    errno.ELOOP: "Too many levels of symbolic links",
    errno.EDQUOT: "Disk quota exceeded",
    errno.EADDRINUSE: "Address already in use",
    errno.EADDRNOTAVAIL: "Cannot assign requested address",
    errno.ENETUNREACH: "Network is unreachable",
    errno.ECONNRESET: "Connection reset by peer",
    errno.ETIMEDOUT: "Connection timed out",
    errno.ECONNREFUSED: "Connection refused",
    errno.EHOSTUNREACH: "No route to host",
}


def reason(error: OSError) -> str:
    """The reason of an operating system error, independent of platform and locale."""
    return _REASONS.get(error.errno) or error.strerror or str(error)


class VersionError(EvidenceError):
    """Evidence that is whole, but of a version that this release does not read."""

    __module__ = PUBLIC


class OutputError(SoakError):
    """A file could not be written; what was written before is kept."""

    __module__ = PUBLIC
    exit_code = 1

    @classmethod
    def of(cls, path: object, error: OSError) -> "OutputError":
        """The error for `path`, with the system's reason and what to do."""
        kept = "what was written before is kept (make it writable or free some space)"
        return cls(f"{path}: {reason(error)}; {kept}")


@contextmanager
def writing(path: object) -> Iterator[None]:
    """Context in which an OSError of writing becomes an OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError.of(path, error) from None


Where: TypeAlias = tuple[str | int, ...]


def failure_words(error: BaseException | None) -> str:
    """What ended a command; operating system errors are not internal errors."""
    if isinstance(error, SoakError):
        return str(error)
    if isinstance(error, OSError):
        where = error.filename if isinstance(error.filename, str) else "a file or a standard stream"
        return f"{printable(where)}: {reason(error)}"
    named = (words for name_culprit in culprits if error and (words := name_culprit(error)))
    return next(named, f"internal error: {type(error).__name__}: {error}")


culprits: list[Callable[[BaseException], str]] = []
"""Functions that name what of another package raised an error, in one line; empty if none of it did."""


LONGEST_QUOTE = 60
_NUMBER = re.compile(r"([0-9]+)")
_PLAIN_WORD = re.compile(r"[\w<-]+")


def shortened(text: str) -> str:
    """`text` for a message: on one line, and truncated if long."""
    return printable(_cut(text))


def printable(text: str) -> str:
    """`text` without terminal control characters."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def shown(value: object) -> str:
    """`repr` of anything, for a message; a value whose own fails is named by its type."""
    try:
        return shortened(repr(value))
    except Exception:
        return f"<{type(value).__name__}>"


def quoted(text: str) -> str:
    """`text` in quotes for a message: on one line, and cut short."""
    return repr(_cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a scenario: its place, what is wrong and what to write instead."""

    source: str
    line: int
    column: int
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        where = f" {self.where}:" if self.where else ""
        return f"{place}:{where} {self.what} ({self.remedy})"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a source: a file or a `--set`; line and column count from 1 (0: the source has no lines).

    `note` says, at the beginning of a message, where the value comes from if not from the source itself.
    """

    source: str
    line: int = 0
    column: int = 0
    note: str = ""

    def problem(self, where: Where, what: str, remedy: str) -> Problem:
        """A problem at this place."""
        return Problem(self.source, self.line, self.column, show_path(where), f"{self.note}{what}", remedy)


def show_path(where: Where) -> str:
    """`('slos', 2, 'objective')` as written in a message: `slos[2].objective`."""
    text = ""
    for step in where:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            word = shortened(step) if _PLAIN_WORD.fullmatch(step) else quoted(step)
            text += f".{word}" if text else word
    return text


def _counted(text: str) -> list[tuple[int, str]]:
    """What sorts texts by the numbers in them: line 5 of a file before its line 12."""
    digits = (part.lstrip("0") if number % 2 else part for number, part in enumerate(_NUMBER.split(text)))
    return [(len(part) if number % 2 else 0, part) for number, part in enumerate(digits)]


class FileError(UsageError):
    """A file that cannot be read as what it is to be: `problem` says which, what is wrong and what to do."""

    __module__ = PUBLIC

    def __init__(self, path: object, what: str, remedy: str) -> None:
        self.problem = Problem(str(path), 0, 0, "", what, remedy)
        super().__init__(str(self.problem))


class ScenarioError(SoakError):
    """A scenario that cannot be run; `problems` are all its problems, in file order.

    A mistake repeated by an alias is reported once.
    """

    __module__ = PUBLIC
    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        ordered = sorted(problems, key=lambda p: (p.source, p.line, p.column, p.where, _counted(p.what), p.remedy))
        unique: dict[tuple[object, ...], Problem] = {}
        for p in ordered:
            unique.setdefault((p.source, p.line, p.column, "" if p.line else p.where, p.what, p.remedy), p)
        self.problems = tuple(unique.values())
        super().__init__("\n".join(map(str, self.problems)))
