"""Shared libraries of C sources of ours, built with the machine's compiler when they are first asked for, and kept.

A library is kept under a name that holds a hash of its source, of the compiler's flags and of the machine, so that one of
another version or architecture is never taken for it. It is written under another name first and moved into its place:
an interrupted compilation leaves nothing that could be loaded.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from soak.schemas.errors import reason

CACHE_VARIABLE = "SOAK_CACHE"
"""The environment variable that names the folder in which libraries are kept."""

COMPILERS = ("cc", "gcc", "clang")

FLAGS = ("-std=c11", "-O2", "-fPIC", "-shared", "-fno-fast-math", "-ffp-contract=off", "-fno-math-errno")
"""No flag may change the last bit of a figure: multiplications and additions are not contracted, even where a machine could."""

_BUILT_WITHIN_S = 120.0
_DIGEST = 20
_PREFIX = "soak_version_"
"""Each library has a function of this name and its digest: what is loaded is what was asked for."""


class Unavailable(Exception):  # noqa: N818 - no error: what is compiled is only faster
    """A compiled part cannot be had here; the message is the reason, in one line."""


@cache
def load(source: Path) -> ctypes.CDLL:
    """The library of a C source, loaded once for each process. Raises Unavailable.

    The GIL is released while its functions run.
    """
    if os.name != "posix" or sys.maxsize < 1 << 62:
        raise Unavailable("compiled parts need 64-bit Linux or macOS")
    digest = digest_of(source)
    beside = source.with_name(_name(source, digest))
    if beside.is_file():
        return _opened(beside, digest)
    path = cache_folder() / _name(source, digest)
    if path.is_file():
        try:
            return _opened(path, digest)
        except Unavailable:
            # Damaged, or of another machine that shares the folder: once more, from the source.
            pass
    _build(source, digest, path)
    return _opened(path, digest)


def digest_of(source: Path) -> str:
    """The hash of a source with what it includes, the flags and the machine. Raises Unavailable if it cannot be read."""
    machine = f"{sys.platform} {platform.machine()} {ctypes.sizeof(ctypes.c_void_p)}"
    known = hashlib.sha256(" ".join((*FLAGS, machine)).encode())
    try:
        for each in (source, *sorted(_includes())):
            known.update(each.read_bytes())
    except OSError as error:
        raise Unavailable(f"{source.name} cannot be read: {reason(error)}") from None
    return known.hexdigest()[:_DIGEST]


def cache_folder() -> Path:
    """Where libraries are kept: $SOAK_CACHE, or the user's folder of caches."""
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(base, "soak-runner")


def _includes() -> list[Path]:
    return list(Path(__file__).parent.glob("*.h"))


def _name(source: Path, digest: str) -> str:
    return f"{source.stem}-{digest}.so"


def _opened(path: Path, digest: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
        library[f"{_PREFIX}{digest}"]
    except (OSError, AttributeError):
        raise Unavailable(f"{path.name} cannot be loaded: it is damaged, or was built for another machine") from None
    return library


def _build(source: Path, digest: str, path: Path) -> None:
    """Build a library at `path`. Raises Unavailable."""
    compiler = next((found for each in COMPILERS if (found := shutil.which(each))), None)
    if compiler is None:
        raise Unavailable("there is no C compiler (install gcc or clang)")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=path.parent, prefix="building-")
    except OSError as error:
        raise Unavailable(f"the cache folder cannot be written: {reason(error)} (set {CACHE_VARIABLE})") from None
    with scratch as folder:
        built = Path(folder, path.name)
        _compile(compiler, source, digest, built)
        try:
            built.replace(path)
        except OSError as error:
            raise Unavailable(f"the cache folder cannot be written: {reason(error)} (set {CACHE_VARIABLE})") from None


def _compile(compiler: str, source: Path, digest: str, built: Path) -> None:
    version = f"-DSOAK_VERSION={_PREFIX}{digest}"
    include = f"-I{Path(__file__).parent}"
    command = [compiler, *FLAGS, version, include, "-o", str(built), str(source), "-lm"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_BUILT_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"compiling {source.name} did not end within {_BUILT_WITHIN_S:g} s") from None
    except OSError as error:
        raise Unavailable(f"the C compiler cannot be started: {reason(error)}") from None
    if done.returncode:
        said = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        why = next((line for line in said if "error" in line), said[-1] if said else f"exit code {done.returncode}")
        raise Unavailable(f"{source.name} cannot be compiled: {why}")
