"""A process that somebody else started, by what a target file says: its pid file, its command line or its port."""

import os
import re
import time
from pathlib import Path

from soak.runner.targets.processes.identity import (
    ProcessId,
    Stat,
    all_processes,
    ancestors,
    command_line,
    process_id,
    since_boot_s,
)
from soak.runner.targets.processes.ports import listeners, listens
from soak.schemas.errors import SoakError, quoted
from soak.schemas.target.model import Find

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "busybox"})
"""What only starts what a command line means."""

_SLACK_S = 2.0
"""A process that started so much later than its pid file was written is another one, under an id that is used again."""


class AmbiguousError(SoakError):
    """Several processes are as a target file says, and none of them started the others."""


def find(how: Find) -> ProcessId | None:
    """The process that a target file means, with the names in its texts replaced; None when it is not there.

    Of processes that started each other it is the first that is not a shell. One that is older than soak's own process is
    nobody that this run has started, so that it is never taken for one: it would be measured, struck and ended. Raises
    AmbiguousError.
    """
    if how.pid_file is not None:
        return of_pid_file(Path(how.pid_file))
    if how.command_line is not None:
        return of_command_line(how.command_line)
    return of_port(int(how.port or 0))


def is_still(how: Find, process: ProcessId) -> bool:
    """Whether a process that is alive, and was found before, is still the one that is meant, as far as that is seen cheaply.

    That another one is meant as well by now is not seen.
    """
    if how.pid_file is not None:
        return of_pid_file(Path(how.pid_file)) == process
    if how.command_line is not None:
        return re.search(how.command_line, command_line(process.pid)) is not None
    return listens(process.pid, int(how.port or 0))


def of_pid_file(path: Path) -> ProcessId | None:
    """The process whose id is in a file.

    None for one that has ended, a file that is half written, an id used again, and what soak itself descends from.
    """
    try:
        text, written = path.read_text(errors="replace").strip(), path.stat().st_mtime
    except OSError:
        return None
    if not (text.isascii() and text.isdigit()):
        return None
    found = process_id(int(text))
    if found is None or found.pid in ancestors(os.getpid()) or _is_older(found):
        return None
    started = time.time() - (since_boot_s() - found.started_s)
    return None if started > written + _SLACK_S else found


def of_command_line(pattern: str) -> ProcessId | None:
    """The process in whose command line a regular expression is found. Raises AmbiguousError."""
    wanted = re.compile(pattern)
    processes = all_processes()
    own = ancestors(os.getpid(), processes)
    younger = {pid: each for pid, each in processes.items() if pid not in own and not _is_older(each.id)}
    matching = {pid: each for pid, each in younger.items() if wanted.search(command_line(pid))}
    return _first(matching, processes, f"a command line that matches {quoted(pattern)}")


def of_port(port: int) -> ProcessId | None:
    """The process that listens on a port, other than soak itself, which may keep it from others. Raises AmbiguousError."""
    found = {each.id.pid: each for each in listeners(port) if each.id.pid != os.getpid() and not _is_older(each.id)}
    return _first(found, all_processes() if len(found) > 1 else found, f"port {port}")


def _is_older(process: ProcessId) -> bool:
    """Whether a process started before soak's own did."""
    own = process_id(os.getpid())
    return own is not None and process.started_ticks < own.started_ticks


def _first(matching: dict[int, Stat], processes: dict[int, Stat], what: str) -> ProcessId | None:
    others = {pid: each for pid, each in matching.items() if each.name not in _SHELLS} or matching
    first = [each for each in others.values() if not (ancestors(each.parent, processes) & others.keys())]
    if len(first) > 1:
        listed = ", ".join(f"{each.name} {each.id.pid}" for each in sorted(first, key=lambda each: each.id.pid)[:5])
        remedy = "write a narrower pattern, or a pid_file"
        raise AmbiguousError(f"{len(first)} processes have {what}: {listed} ({remedy})")
    return first[0].id if first else None
