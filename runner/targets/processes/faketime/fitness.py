"""Programs on which a faster clock has no effect: said before they are started where their files show it, or once they run."""

import mmap
import os
import re
import shlex
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from soak.runner.targets.processes.faketime.clock import unable
from soak.runner.targets.processes.launch import Launcher
from soak.runner.targets.processes.prepared import is_below, own_names, places
from soak.schemas.errors import Problem
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.templates import expand

_ELF, _SCRIPT, _GO = b"\x7fELF", b"#!", b"\xff Go buildinf:"
_INTERPRETER = re.compile(rb"/[\w./+-]*ld-(?:linux|musl)[\w.-]*\.so[\w.]*\0")
_HEAD = 4096
_DEEP = 4
"""How many scripts may stand for one another."""


def unfit(command: str, path: str | None, folder: Path) -> str:
    """Why a command cannot run on a faster clock, as far as its file shows; empty if nothing is known against it.

    path: where commands without a slash are looked for.
    """
    found = _file_of(shlex.split(command), path, folder)
    return unfit_file(found) if found else ""


def unfit_file(path: Path) -> str:
    """Why an executable file cannot run on a faster clock; empty if nothing is known against it."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if not head.startswith(_ELF):
                return ""
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
                return _unfit_program(path, whole)
    except (OSError, ValueError):
        return ""


def _unfit_program(path: Path, whole: mmap.mmap) -> str:
    name, found = path.name, _INTERPRETER.search(whole, 0, min(len(whole), 64 * _HEAD))
    if whole.find(_GO) >= 0:
        return f"{name} is written in Go, which asks the kernel for the time, past every library"
    if found is None:
        return f"{name} is statically linked, so that no library can be loaded before it"
    if b"musl" in found[0]:
        return f"{name} is built for another C library (musl)"
    info = path.stat()
    of_others = (info.st_mode & stat.S_ISUID and info.st_uid != os.geteuid()) or (
        info.st_mode & stat.S_ISGID and info.st_gid != os.getegid()
    )
    if of_others:
        return f"{name} runs with the rights of another user (setuid), for which the system loads no library of ours"
    return ""


def _file_of(words: list[str], path: str | None, folder: Path, deep: int = _DEEP) -> Path | None:
    """The program that a command line starts: a script's interpreter in its place."""
    if not words:
        return None
    command = words[0]
    found = folder / command if "/" in command else shutil.which(command, path=path)
    if found is None or not Path(found).is_file():
        return None
    try:
        with Path(found).open("rb") as file:
            line = file.readline(_HEAD) if file.read(2) == _SCRIPT else b""
    except OSError:
        return None
    if not line or not deep:
        return Path(found)
    after = line.decode(errors="replace").split()
    if after and Path(after[0]).name == "env":
        after = [each for each in after[1:] if not each.startswith("-") and "=" not in each]
    return _file_of(after, path, folder, deep - 1)


def off_the_clock(pids: Mapping[str, int], library: Path) -> Iterator[tuple[str, str]]:
    """Processes that run without the library, or past it, by name, each with why. Those that cannot be looked at are left out."""
    for name, pid in pids.items():
        if why := _why_off(pid, library):
            yield name, why


def _why_off(pid: int, library: Path) -> str:
    folder = Path("/proc") / str(pid)
    try:
        maps, program = (folder / "maps").read_text(errors="replace"), (folder / "exe").readlink()
        environment = (folder / "environ").read_bytes()
    except OSError:
        return ""
    why, loaded = unfit_file(folder / "exe"), str(library) in maps
    if loaded and not why:
        return ""
    if why:
        return why.replace("exe", program.name, 1)
    if not maps:
        return ""
    if b"LD_PRELOAD=" not in environment:
        return f"{program.name} was started without the variables of soak (LD_PRELOAD)"
    return f"{program.name} did not load the library of the clock"


def unclocked(loaded: LoadedTarget) -> Iterator[Problem]:
    """What of a target file with a faster clock cannot have one, as far as it shows before anything is started."""
    if loaded.file.faketime is None:
        return
    if why := unable():
        yield loaded.document.problem(("clock",), why, "remove clock:", at_key=True)
    file = expand(loaded.file, own_names(loaded))
    launcher = Launcher(Path(), loaded.folder.resolve(), file.environment)
    for where, program in places(loaded, file):
        path = launcher.environment_of(program).get("PATH")
        if not is_below(program) and (why := unfit(program.command, path, launcher.folder_of(program))):
            key = "process" if (*where, "process") in loaded.document.keys else "command"
            yield loaded.document.problem((*where, key), f"cannot run with clock: faketime: {why}", "remove clock:")
