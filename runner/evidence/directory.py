"""The run directory: one run, one directory, every file in its place."""

import fcntl
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from schemas.errors import EvidenceError, OutputError, UsageError, quoted, reason

SCENARIO = "scenario.yaml"
MANIFEST = "run_manifest.json"
METRICS = "metrics.csv"
VERDICT = "verdict.json"
ALERTS = "alerts.json"
CHECKPOINTS = "checkpoints.json"
SUMMARY = "soak_summary.md"
INCIDENT = "incident.md"
CHECKSUMS = "SHA256SUMS"
PLOTS = "plots"
RUNS, PREDICTIONS = "runs", "predictions"


def stream_name(scenario_name: str) -> str:
    """The file name of the event stream."""
    return f"soak_{scenario_name}.jsonl"


def choose_directory(out: Path | None, scenario_name: str, now: datetime, under: str = RUNS) -> Path:
    """Where to keep a run that starts now: `out`, or `<under>/<name>-<UTC time>`. Raises UsageError or OutputError."""
    if out is not None:
        try:
            taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
        except OSError as error:
            raise UsageError(f"{out}: {reason(error)} (choose another --out)") from None
        if taken:
            raise UsageError(f"{out}: exists already and is not an empty directory (choose another --out)")
        return out
    first = Path(under) / f"{scenario_name}-{now.strftime('%Y%m%dT%H%M%SZ')}"
    for number in range(1, 1000):
        path = first.with_name(f"{first.name}-{number}") if number > 1 else first
        if not path.exists():
            return path
    raise OutputError(f"{first}: too many {under} in one second")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: one that is there stays as it is when that fails. Raises OutputError."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(content)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError.of(path, error) from None


def refuse_in_run(path: Path) -> None:
    """Raise UsageError for a place to write to that lies in a run directory: its evidence would be changed."""
    for folder in (path, *path.absolute().parents):
        if (folder / CHECKSUMS).exists() and (folder / MANIFEST).exists():
            raise UsageError(f"{path}: lies in the run directory {folder} (write to another place: it is evidence)")


class RunDirectory:
    """Paths in a run directory, and writing to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._claim: int | None = None

    @classmethod
    def create(
        cls, out: Path | None, scenario_name: str, now: datetime | None = None, *, under: str = RUNS
    ) -> "RunDirectory":
        """A new run directory: see `choose_directory`. Raises UsageError or OutputError."""
        return cls(_made(choose_directory(out, scenario_name, now or datetime.now(UTC), under)))

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """An existing run directory. Raises UsageError when `path` is none."""
        if not path.is_dir():
            raise UsageError(f"{path}: is not a directory (name a run directory, such as one under runs/)")
        if not (path / SCENARIO).exists() and not (path / MANIFEST).exists():
            raise UsageError(f"{path}: is not a run directory: it holds neither {SCENARIO} nor {MANIFEST}")
        return cls(path)

    def claim(self) -> None:
        """Let no other runner use this directory as long as this process lives. Raises UsageError when one does."""
        self._claim = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"{self.path}: another runner is at work on this run (wait for it, or end it)") from None

    def release(self) -> None:
        """Let others use it."""
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def file(self, name: str) -> Path:
        """The path of a file in it."""
        return self.path / name

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file whole or not at all. Raises OutputError."""
        write_whole(self.file(name), content.encode() if isinstance(content, str) else content)

    @contextmanager
    def append(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """A function that appends to a file; what it was given is with the system when it returns. Raises OutputError."""
        path = self.file(name)
        try:
            with path.open("ab", buffering=0) as file:
                yield lambda content: _write_all(file, content)
        except OSError as error:
            raise OutputError.of(path, error) from None

    def read(self, name: str) -> bytes:
        """A file's content. Raises EvidenceError."""
        self._refuse_special(name)
        try:
            return self.file(name).read_bytes()
        except OSError as error:
            raise EvidenceError(f"{self.file(name)}: {reason(error)} (this evidence is missing)") from None

    def names(self) -> list[str]:
        """The names of all files, as they stand in SHA256SUMS."""
        files = (path for path in self.path.rglob("*") if path.is_file() and not path.name.endswith(".partial"))
        return sorted(name for path in files if (name := path.relative_to(self.path).as_posix()) != CHECKSUMS)

    def write_checksums(self, only: Iterable[str] | None = None) -> None:
        """Write SHA256SUMS of all files; `only` renews the lines of these and leaves the others as they are."""
        sums = {} if only is None else self.read_checksums()
        for name in self.names() if only is None else only:
            sums[name] = self.checksum(name)
        self.write(CHECKSUMS, "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))

    def read_checksums(self) -> dict[str, str]:
        """Name to digest. Raises EvidenceError."""
        lines = self.read(CHECKSUMS).decode(errors="replace").splitlines()
        pairs = [line.split("  ", 1) for line in lines if line]
        if any(len(pair) != 2 for pair in pairs):
            raise EvidenceError(f"{self.file(CHECKSUMS)}: is damaged (each line is a digest, two spaces and a name)")
        if foreign := [
            name for _, name in pairs if "\0" in name or ".." in Path(name).parts or Path(name).is_absolute()
        ]:
            raise EvidenceError(f"{self.file(CHECKSUMS)}: names a file outside of the run: {quoted(foreign[0])}")
        return {name: digest for digest, name in pairs}

    def _refuse_special(self, name: str) -> None:
        path = self.file(name)
        if path.exists() and not path.is_file():
            raise EvidenceError(f"{path}: is no ordinary file (this evidence is damaged)")

    def checksum(self, name: str) -> str:
        """The SHA-256 of a file. Raises EvidenceError."""
        self._refuse_special(name)
        try:
            with self.file(name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise EvidenceError(f"{self.file(name)}: {reason(error)} (this evidence is missing)") from None


def _write_all(file: io.RawIOBase, content: bytes) -> None:
    while content:
        content = content[file.write(content) or 0 :]


def _made(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: {reason(error)} (choose another --out)") from None
    if not os.access(path, os.W_OK):
        raise UsageError(f"{path}: cannot be written to (choose another --out)")
    return path
