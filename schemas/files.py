"""Files that are read: the schemas, and those that a scenario is made of. Each of those is read once and kept."""

from collections.abc import Sequence
from pathlib import Path

from soak.schemas.errors import EvidenceError, printable, reason, shortened

DIRECTORY = Path(__file__).parent
MAX_VALUES_BYTES = 10_000_000


STDIN = Path("-")
"""What stands for standard input on the command line."""

_DESCRIPTORS = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))


def folder_of(path: Path) -> Path:
    """The folder that files named in `path` are looked up from: its own, or the current one for what comes through a pipe."""
    own = path != STDIN and path.is_file() and path.parent not in _DESCRIPTORS
    return path.parent if own else Path()


def ordinary(path: Path) -> Path:
    """`path`, to be read. Raises EvidenceError for anything but a regular file: reading a pipe would block."""
    if path.exists() and not path.is_file():
        raise EvidenceError(f"{path}: is not a regular file (this evidence is damaged)")
    return path


def file_name(path: Path) -> str:
    """The name of a file for evidence and messages; bytes that are not UTF-8 are replaced."""
    return "stdin" if path == STDIN else printable(path.name)


class Folders:
    """Where the files that a scenario names are looked up: beside each of its overlays, the last one first, and beside itself.

    File contents are kept, so that what is stored with the evidence is what was run.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._read: dict[str, bytes] = {}

    @property
    def last(self) -> "Folders":
        """The last of them alone: that of the scenario itself."""
        return Folders(self._paths[-1:]) if len(self._paths) > 1 else self

    def read(self, name: str) -> bytes:
        """The file `name` in the first folder that has it. Raises ValueError, which explains the problem."""
        if name not in self._read:
            try:
                self._read[name] = _content(self.find(name))
            except OSError as error:
                raise ValueError(f"{shortened(Path(name).name)}: {reason(error)}") from None
            except UnicodeEncodeError:
                what = "its name cannot be written in this locale (set PYTHONUTF8=1)"
                raise ValueError(f"{shortened(Path(name).name)}: {what}") from None
        return self._read[name]

    def find(self, name: str) -> Path:
        """Where it should be, in the last folder, if none has it."""
        paths = [folder / name for folder in self._paths]
        return next((path for path in paths if path.exists()), paths[-1])


def _content(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise ValueError(f"{path.name}: is not a file")
    with path.open("rb") as file:
        content = file.read(MAX_VALUES_BYTES + 1)
    if len(content) > MAX_VALUES_BYTES:
        raise ValueError(f"{path.name}: is larger than {MAX_VALUES_BYTES:,} bytes")
    return content
