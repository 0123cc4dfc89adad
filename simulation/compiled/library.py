"""Shared libraries of C sources of ours, built with the machine's compiler when they are first asked for, and kept.

A library is kept under a name that holds a hash of its source, of the compiler's flags and of the machine, so that one of
another version or architecture is never taken for it, and a hash of what is in the file, so that a damaged one is never
loaded: that could end the process. It is written under another name first and moved into its place: an interrupted
compilation leaves nothing that could be loaded.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from soak.schemas.errors import printable, reason

CACHE_VARIABLE = "SOAK_CACHE"
"""The environment variable that names the folder in which libraries are kept."""

COMPILERS = ("cc", "gcc", "clang")

FLAGS = ("-std=c11", "-O2", "-fPIC", "-shared", "-fno-fast-math", "-ffp-contract=off", "-fno-math-errno")
"""No flag may change the last bit of a figure: multiplications and additions are not contracted, even where a machine could."""

BUILT_WITHIN_S = 30.0
"""Seconds a compiler has for one source; it takes less than one."""

_STUCK: set[str] = set()
"""Compilers that did not end in time: this process does not wait for them again, for another source."""

_DIGEST = 20
_SCRATCH = "building-"
_PREFIX = "soak_version_"
"""Each library has a function of this name and its digest: what is loaded is what was asked for."""


class Unavailable(Exception):  # noqa: N818 - no error: what is compiled is only faster
    """A compiled part cannot be had here; the message is the reason, in one line, and names no path: it goes into evidence."""


def load(source: Path) -> ctypes.CDLL:
    """The library of a C source, looked for once for each process. Raises Unavailable.

    The GIL is released while its functions run.
    """
    found = outcome(source)
    if isinstance(found, str):
        raise Unavailable(found)
    return found


@cache
def outcome(source: Path) -> ctypes.CDLL | str:
    """What `load` gives or, in its message, raises: a compiler that fails is not started again for each replication."""
    try:
        return _opened(find(source))
    except Unavailable as why:
        return str(why)


def find(source: Path) -> Path:
    """Where the library of a C source is: beside it, in the cache, or built there now. Raises Unavailable."""
    digest = _digest_here(source)
    if shipped := _whole(source, source.parent, digest):
        return shipped
    cached = cache_folder()
    _make_own(cached)
    return _whole(source, cached, digest) or build(source, cached)


def _whole(source: Path, folder: Path, digest: str) -> Path | None:
    """A library of this source in a folder that can be loaded."""
    for path in sorted(folder.glob(f"{source.stem}-{digest}-*.so")):
        with suppress(Unavailable):
            _opened(path)
            return path
    return None


def build(source: Path, folder: Path) -> Path:
    """Build the library of a C source in a folder, in place of those of other versions. Raises Unavailable.

    What is there already stays as long as it is whole: another process may have it loaded.
    """
    digest = _digest_here(source)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=_SCRATCH) as scratch:
            _remove_left_over(folder, Path(scratch))
            built = Path(scratch, "built.so")
            _compile(source, digest, built)
            whole = built.replace(built.with_name(f"{source.stem}-{digest}-{_hash_of(built.read_bytes())}.so"))
            _opened(whole)  # what cannot be loaded is not kept
            return whole.replace(folder / whole.name)
    except OSError as error:
        raise Unavailable(_unwritable(error)) from None


def _digest_here(source: Path) -> str:
    if not hasattr(os, "geteuid") or sys.maxsize < 1 << 62:
        raise Unavailable("compiled parts need 64-bit Linux or macOS")
    return digest_of(source)


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
    """Where libraries are kept: $SOAK_CACHE, or the user's folder of caches. Raises Unavailable where there is neither."""
    if own := os.environ.get(CACHE_VARIABLE):
        try:
            # A name without a folder would be looked for where the system keeps its libraries.
            return Path(own).expanduser().absolute()
        except RuntimeError:
            raise Unavailable(
                f"there is no home folder like that of {CACHE_VARIABLE} (name the folder in full)"
            ) from None
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base, "soak-runner").absolute()
    try:
        return Path("~/.cache/soak-runner").expanduser()
    except RuntimeError:
        raise Unavailable(f"there is no home folder to keep compiled parts in (set {CACHE_VARIABLE})") from None


def _includes() -> list[Path]:
    return list(Path(__file__).parent.glob("*.h"))


def _hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGEST]


def _make_own(folder: Path) -> None:
    """Make the cache folder. Raises Unavailable, also if somebody else could put code into it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        states = [os.lstat(folder), folder.stat()]  # a link, too, must be one's own
    except OSError as error:
        raise Unavailable(_unwritable(error)) from None
    if any(state.st_uid not in {os.geteuid(), 0} for state in states):
        raise Unavailable(f"the cache folder belongs to somebody else (set {CACHE_VARIABLE} to one of your own)")
    if states[1].st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Unavailable(f"others can write to the cache folder (chmod go-w, or set {CACHE_VARIABLE})")


def _unwritable(error: OSError) -> str:
    return f"the cache folder cannot be written: {reason(error)} (set {CACHE_VARIABLE})"


def _opened(path: Path) -> ctypes.CDLL:
    digest, content = path.stem.split("-")[-2:]
    try:
        if _hash_of(path.read_bytes()) != content:
            raise Unavailable(f"{path.name} is damaged")
        library = ctypes.CDLL(str(path))
        library[f"{_PREFIX}{digest}"]
    except (OSError, AttributeError):
        what = "it was built for another machine, or its folder forbids execution"
        raise Unavailable(f"{path.name} cannot be loaded: {what} (set {CACHE_VARIABLE})") from None
    return library


def _remove_left_over(folder: Path, scratch: Path) -> None:
    """What processes left that were killed while they built: scratch folders well before this one."""
    now = scratch.stat().st_mtime
    for each in folder.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if each.stat().st_mtime < now - 10 * BUILT_WITHIN_S:
                shutil.rmtree(each, ignore_errors=True)


def _compile(source: Path, digest: str, built: Path) -> None:
    compiler = next((found for each in COMPILERS if (found := shutil.which(each))), None)
    if compiler is None:
        raise Unavailable("there is no C compiler (install gcc or clang)")
    version = f"-DSOAK_VERSION={_PREFIX}{digest}"
    include = f"-I{Path(__file__).parent}"
    command = [compiler, *FLAGS, version, include, "-o", str(built), str(source), "-lm"]
    code, said = _run(command, built.parent)
    lines = [line for line in said.splitlines() if line.strip()]
    if code or not built.is_file():
        why = next((line for line in lines if "error" in line), lines[-1] if lines else f"exit code {code}")
        why = why.replace(f"{built.parent}/:", "the cache folder:")
        for folder in (source.parent, Path(__file__).parent, built.parent):
            why = why.replace(f"{folder}/", "")
        raise Unavailable(f"{source.name} cannot be compiled: {printable(why)}")


def _run(command: list[str], scratch: Path) -> tuple[int, str]:
    """The exit code of a compiler, and what it said. No process of it is left behind, whatever ends this one."""
    environment = {**os.environ, "TMPDIR": str(scratch), "LC_ALL": "C"}
    late = f"the C compiler did not end within {BUILT_WITHIN_S:g} s"
    if command[0] in _STUCK:
        raise Unavailable(late)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,  # no file: the disk may be full, and then that is what it says
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"the C compiler cannot be started: {reason(error)}") from None
    try:
        said = process.communicate(timeout=BUILT_WITHIN_S)[1]
        return process.returncode, said.decode(errors="replace")
    except subprocess.TimeoutExpired:
        _STUCK.add(command[0])
        raise Unavailable(late) from None
    finally:
        if process.poll() is None:
            # With the processes that it has started.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert process.stderr
        process.stderr.close()
