"""The clock that programs of a run share: `factor` times as fast as ours, from the moment it is made.

Each program reads it in a file of seven numbers that `clock.c` maps; see there.
"""

import mmap
import os
import platform
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from soak.schemas.errors import UsageError, quoted, reason, writing
from soak.schemas.target.model import TargetFile

SOURCE = Path(__file__).with_name("clock.c")
LIBRARY, STATE = "soak_clock.so", "soak_clock"
COMPILERS = ("cc", "gcc", "clang")
INSTALL = "on Debian, apt-get install gcc libc6-dev"

_MAGIC, _MILLION = 0x31303063616F73, 1_000_000
_JUMP = 6
"""The place of the jump among the numbers."""

_WORLD, _BUILT_WITHIN_S = 0o755, 60.0
_LEAST_GLIBC = (2, 30)
"""The first with waits on a clock of choice (`sem_clockwait`)."""


class FakeClockError(UsageError):
    """This machine cannot give programs a faster clock."""


class FakeClock:
    """A clock of programs. Raises FakeClockError where it cannot be built; `close` it when all programs have ended.

    factor: 1 or more, to a millionth. directory: where the library and the state are kept; it may be that of the run.
    """

    def __init__(self, factor: float, directory: Path) -> None:
        if why := unable():
            raise FakeClockError(f"{why} (or remove clock:)")
        self.factor = round(factor * _MILLION) / _MILLION
        self._own = None if _is_open_to_all(directory) else tempfile.mkdtemp(prefix=f"soak-{os.getpid()}-clock-")
        self.directory = Path(self._own or directory).resolve()
        if self._own:
            self.directory.chmod(_WORLD)
        self.library = build(self.directory)
        path = self.directory / STATE
        clocks = (time.CLOCK_MONOTONIC, time.CLOCK_REALTIME, time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC_RAW)
        self._began = [time.clock_gettime_ns(each) for each in clocks]
        with writing(path.name):
            path.write_bytes(struct.pack("=7q", _MAGIC, round(self.factor * _MILLION), *self._began, 0))
            with path.open("r+b") as file:
                self._state = mmap.mmap(file.fileno(), 0)
        self._numbers = memoryview(self._state).cast("q")

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of every program that is to have this clock."""
        others = os.environ.get("LD_PRELOAD")
        preload = f"{self.library}:{others}" if others else str(self.library)
        state = str(self.directory / STATE)
        return {"LD_PRELOAD": preload, "SOAK_CLOCK": state, "SOAK_CLOCK_FACTOR": f"{self.factor:g}"}

    def now(self) -> float:
        """What the programs' clock shows, in seconds since the epoch."""
        real_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC) - self._began[0]
        return (self._began[1] + real_ns * self.factor + self._numbers[_JUMP]) / 1e9

    def jump(self, by_s: float) -> None:
        """Set the programs' clock forward, or back, at once; not their monotonic clocks, nor waits that have begun."""
        self._numbers[_JUMP] += round(by_s * 1e9)

    def close(self) -> None:
        """Forget it; programs that still run keep it."""
        self._numbers.release()
        self._state.close()
        if self._own:
            shutil.rmtree(self._own, ignore_errors=True)


def fake_clock_of(file: TargetFile, directory: Path) -> FakeClock | None:
    """The clock that a target file asks for; None where programs have ours. Raises FakeClockError."""
    return None if file.faketime is None else FakeClock(file.faketime, directory)


def unable() -> str:
    """Why no program of this machine can be given a faster clock; empty if it can."""
    kind, version = platform.libc_ver()
    known = [int(each) for each in version.split(".")[:2] if each.isdigit()]
    if sys.platform != "linux" or sys.maxsize < 1 << 62:
        return "a faster clock needs 64-bit Linux"
    if kind != "glibc" or tuple(known) < _LEAST_GLIBC:
        return "a faster clock needs glibc 2.30 or newer"
    if compiler() is None:
        return f"a faster clock needs a C compiler, and there is none: {INSTALL}"
    return ""


def compiler() -> str | None:
    """The machine's C compiler."""
    return next((found for each in COMPILERS if (found := shutil.which(each))), None)


def build(directory: Path) -> Path:
    """Build the library into a directory. Raises FakeClockError with what the compiler said."""
    found, library = compiler(), directory / LIBRARY
    assert found
    command = [found, "-std=gnu11", "-O2", "-w", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_BUILT_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        why = f"it did not end within {_BUILT_WITHIN_S:g} s"
    except OSError as error:
        why = reason(error)
    else:
        if done.returncode == 0:
            library.chmod(_WORLD)
            return library
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        why = next(
            (line for line in lines if "error" in line), lines[-1] if lines else f"it exited with {done.returncode}"
        )
    what = f"the library of the faster clock cannot be built with {quoted(found)}: {why}"
    raise FakeClockError(f"{what} ({INSTALL})")


def _is_open_to_all(directory: Path) -> bool:
    """Whether programs of any user can load a library from there, and its path can be a word of LD_PRELOAD."""
    path = directory.resolve()
    if any(each in str(path) for each in " :;"):
        return False
    folders = (path, *path.parents)
    return all(each.stat().st_mode & stat.S_IXOTH for each in folders)
