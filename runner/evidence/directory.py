"""The run directory: one run, one directory, every file in its place."""

import contextlib
import hashlib
import io
import os
import re
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from soak.schemas.errors import EvidenceError, OutputError, UsageError, quoted, reason, writing
from soak.schemas.evidence.reviews import BESIDE
from soak.schemas.files import ordinary
from soak.schemas.stream.storage import stream_file

SCENARIO = "scenario.yaml"
TARGET = "target.yaml"
MANIFEST = "run_manifest.json"
METRICS = "metrics.csv"
VERDICT = "verdict.json"
ALERTS = "alerts.json"
CHECKPOINTS = "checkpoints.json"
CHECKS = "checks.json"
TRACE = "trace.json"
INCIDENT = "incident.md"
CHECKSUMS = "SHA256SUMS"
PLOTS = "plots"
EVIDENCE = (
    frozenset(
        {SCENARIO, TARGET, MANIFEST, METRICS, VERDICT, ALERTS, CHECKPOINTS, CHECKS, TRACE, INCIDENT, CHECKSUMS, PLOTS}
    )
    | BESIDE
)
"""Names that no other file of a run may have."""

RUNS, PREDICTIONS = "runs", "predictions"
MOST_OF_A_NAME = 1000


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically: an existing one is unchanged on failure. Raises OutputError.

    A pipe or a device, such as /dev/stdout, is written to; putting a file into its place would take it from everyone.
    """
    partial = path.with_name(f".{path.name}.partial")
    with writing(path):
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(content)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(content)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def refuse_in_run(path: Path) -> None:
    """Raise UsageError for an output path inside a run directory, whose evidence would be changed."""
    for folder in (path, *path.absolute().parents):
        if (folder / CHECKSUMS).exists() and (folder / MANIFEST).exists():
            raise UsageError(
                f"{path}: is inside the run directory {folder}, whose evidence must not change (write to another place)"
            )


class RunDirectory:
    """Paths in a run directory, and writing to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._claim: weakref.finalize[..., RunDirectory] | None = None
        self._made: list[Path] = []

    @classmethod
    def create(
        cls, out: Path | None, scenario_name: str, now: datetime | None = None, *, under: str = RUNS
    ) -> "RunDirectory":
        """A new run directory, for this process alone: `out`, or `<under>/<name>-<UTC time>`, with a number if needed.

        Raises UsageError or OutputError.
        """
        if out is not None:
            return cls._taken(out)
        started = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        return cls.numbered(Path(under) / f"{scenario_name}-{started}")

    @classmethod
    def numbered(cls, first: Path) -> "RunDirectory":
        """Create `first`, or `first-2` and so on if it exists. Raises UsageError or OutputError."""
        for number in range(1, MOST_OF_A_NAME + 1):
            directory = cls(first.with_name(f"{first.name}-{number}") if number > 1 else first)
            # Creating it is atomic: another process may look for a name at the same time.
            if directory._make(alone=True):
                return directory
        raise OutputError(f"{first}: too many directories of this name (choose another with --out)")

    @classmethod
    def _taken(cls, out: Path) -> "RunDirectory":
        directory = cls(out)
        try:
            if out.exists() and not out.is_dir():
                raise _NotEmptyError
            directory._make(alone=False)
            directory.claim()
            if any(out.iterdir()):
                raise _NotEmptyError
        except _NotEmptyError:
            what = "exists already and is not an empty directory (choose another --out)"
            raise UsageError(f"{out}: {what}") from None
        except OSError as error:
            raise UsageError(f"{out}: {reason(error)} (choose another --out)") from None
        return directory

    def _make(self, *, alone: bool) -> bool:
        """Create it if missing; returns False if it exists and must be new (`alone`). Raises UsageError."""
        missing = [path for path in (self.path, *self.path.parents) if not path.exists()]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(exist_ok=not alone)
        except FileExistsError:
            if alone and self.path.exists():
                return False
            raise UsageError(f"{self.path}: a parent is not a directory (choose another --out)") from None
        except OSError as error:
            raise UsageError(f"{self.path}: {reason(error)} (choose another --out)") from None
        if not os.access(self.path, os.W_OK):
            raise UsageError(f"{self.path}: cannot be written to (choose another --out)")
        self._made = missing
        return True

    def close(self) -> None:
        """Release it, and remove it if nothing was written: nothing was run."""
        self.release()
        with contextlib.suppress(OSError):
            for path in self._made:
                path.rmdir()

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """An existing run directory. Raises UsageError if `path` is not one."""
        if not path.is_dir():
            raise UsageError(f"{path}: is not a directory (give a run directory, such as one under runs/)")
        if not (path / SCENARIO).exists() and not (path / MANIFEST).exists():
            raise UsageError(f"{path}: is not a run directory: it has neither {SCENARIO} nor {MANIFEST}")
        return cls(path)

    def claim(self) -> None:
        """Lock this directory for the lifetime of this object. Raises UsageError if another runner uses it."""
        try:
            import fcntl
        except ImportError:
            # A system without locks on directories.
            return
        if self._claim:
            return
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise UsageError(f"{self.path}: {reason(error)}") from None
        self._claim = weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise UsageError(f"{self.path}: another runner is using this run (wait for it, or end it)") from None
        except OSError:
            # A file system without locks.
            self.release()

    def is_claimed(self) -> bool:
        """Whether a runner holds it; False where that cannot be told."""
        try:
            import fcntl
        except ImportError:
            return False
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError:
            return False
        try:
            # A shared lock, released at once: several may look at the same time.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return False

    def release(self) -> None:
        """Release it."""
        if self._claim:
            self._claim()
            self._claim = None

    def file(self, name: str) -> Path:
        """The path of a file in it."""
        return self.path / name

    def stream(self, scenario_name: str) -> Path:
        """The path of its event stream, plain or compressed."""
        return stream_file(self.path, scenario_name)

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file atomically. Raises OutputError."""
        write_whole(self.file(name), content.encode(errors="backslashreplace") if isinstance(content, str) else content)

    @contextmanager
    def append(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """A function that appends to a file, flushed when it returns. Raises OutputError."""
        path = self.file(name)
        with writing(path), path.open("ab", buffering=0) as file:
            yield lambda content: _write_all(file, content)

    def read(self, name: str) -> bytes:
        """A file's content. Raises EvidenceError."""
        try:
            return ordinary(self.file(name)).read_bytes()
        except OSError as error:
            raise EvidenceError(f"{self.file(name)}: {reason(error)} (this evidence is missing)") from None

    def names(self) -> list[str]:
        """The names of all files, as they stand in SHA256SUMS: reviews, which are added later, do not."""
        files = (path for path in self.path.rglob("*") if path.is_file() and not path.name.endswith(".partial"))
        unsealed = {CHECKSUMS, *BESIDE}
        return sorted(name for path in files if (name := path.relative_to(self.path).as_posix()) not in unsealed)

    def write_checksums(self, only: Iterable[str] | None = None) -> None:
        """Write SHA256SUMS of all files; `only` renews the lines of these and leaves the others as they are."""
        sums = {} if only is None else self.read_checksums()
        for name in self.names() if only is None else only:
            sums[name] = self.checksum(name)
        self.write(CHECKSUMS, b"".join(_sum_line(digest, name) for name, digest in sorted(sums.items())))

    def read_checksums(self) -> dict[str, str]:
        """Name to digest. Raises EvidenceError."""
        lines = os.fsdecode(self.read(CHECKSUMS)).split("\n")
        pairs = [_unescaped(line).split("  ", 1) for line in lines if line]
        if any(len(pair) != 2 for pair in pairs):
            raise EvidenceError(f"{self.file(CHECKSUMS)}: is damaged (each line is a digest, two spaces and a name)")
        if foreign := [
            name for _, name in pairs if "\0" in name or ".." in Path(name).parts or Path(name).is_absolute()
        ]:
            raise EvidenceError(f"{self.file(CHECKSUMS)}: names a file outside the run: {quoted(foreign[0])}")
        return {name: digest for digest, name in pairs}

    def checksum(self, name: str) -> str:
        """The SHA-256 of a file. Raises EvidenceError."""
        try:
            with ordinary(self.file(name)).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise EvidenceError(f"{self.file(name)}: {reason(error)} (this evidence is missing)") from None


def _write_all(file: io.RawIOBase, content: bytes) -> None:
    while content:
        content = content[file.write(content) or 0 :]


_ESCAPES = (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"))


def _sum_line(digest: str, name: str) -> bytes:
    """In the format of sha256sum: a name that needs escaping begins with a backslash."""
    escaped = name
    for plain, written in _ESCAPES:
        escaped = escaped.replace(plain, written)
    return os.fsencode(f"{digest}  {name}\n" if escaped == name else f"\\{digest}  {escaped}\n")


def _unescaped(line: str) -> str:
    if not line.startswith("\\"):
        return line
    return re.sub(r"\\([\\nr])", lambda found: {"\\": "\\", "n": "\n", "r": "\r"}[found[1]], line[1:])


class _NotEmptyError(Exception):
    """It exists already."""
