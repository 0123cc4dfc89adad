"""What a replication is made with: two machines where this is the same make the same of one job."""

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from msgspec.structs import astuple

from soak.schemas.errors import UsageError
from soak.schemas.language.registry import OURS, find

_ROOT = Path(__file__).parents[2]
_SOURCES = (
    "schemas",
    "simulation",
    "runner/judge",
    "runner/replications",
    "runner/engine.py",
    "runner/targets/simulation.py",
)


@cache
def software(system: str = "") -> str:
    """Version and a digest of the sources that replications depend on, and what computes and draws for them.

    system: whose replications; of one of another package the sources count, too.
    """
    computed = f"numpy {_version('numpy')}, Python {platform.python_version()}"
    own = f", system {system} ({_digest_of(system)})" if system and system not in OURS else ""
    return f"soak {_version('soak-runner')} (sources {_digest(_ROOT, _sources())}), {computed}{own}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _sources() -> Iterable[Path]:
    paths = [_ROOT / each for each in _SOURCES]
    return (file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path]))


def _digest_of(system: str) -> str:
    """The sources of the packages that a system's rooms are in."""
    try:
        rooms = astuple(find(system))[1:]
    except UsageError:
        return "not installed"
    sums = []
    for package in sorted({each.partition(":")[0].partition(".")[0] for each in rooms}):
        spec = find_spec(package)
        folders = [Path(each) for each in (spec.submodule_search_locations or ())] if spec else []
        files = [(folder, file) for folder in folders for file in sorted(folder.rglob("*.[jp][sy]*"))]
        sums += [_digest(folder, [file]) for folder, file in files if file.suffix in {".py", ".json"}]
    return f"sources {hashlib.sha256(''.join(sums).encode()).hexdigest()[:12]}"


def _digest(root: Path, files: Iterable[Path]) -> str:
    sums = hashlib.sha256()
    for file in files:
        sums.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return sums.hexdigest()[:12]
