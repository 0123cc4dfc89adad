"""What a replication is made with: two machines where this is the same make the same of one job."""

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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
def software() -> str:
    """Version and a digest of the sources that replications depend on, and what computes and draws for them."""
    return f"soak {_version('soak-runner')} (sources {_digest()}), numpy {_version('numpy')}, Python {platform.python_version()}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _digest() -> str:
    paths = [_ROOT / each for each in _SOURCES]
    files = [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    sums = hashlib.sha256()
    for file in files:
        sums.update(f"{file.relative_to(_ROOT).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return sums.hexdigest()[:12]
