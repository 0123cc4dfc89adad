"""Which process it is: a process id alone is used again, together with the start of the process it is not."""

import os
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

_PROC = Path("/proc")
_LISTS_CHILDREN = (_PROC / "self" / "task" / str(os.getpid()) / "children").exists()
_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_STATE, _PARENT, _GROUP, _SESSION, _STARTED = 0, 1, 2, 3, 19
"""Fields of /proc/PID/stat after the name."""

_LONGEST_STAT = 4096
"""More bytes than it can have: 52 numbers and a name of at most 64 bytes."""


class ProcessId(Struct, frozen=True):
    """One process: its id, and when it started, in clock ticks since the machine did."""

    pid: int
    started_ticks: int

    @property
    def started_s(self) -> float:
        """When it started, in seconds since the machine did: as CLOCK_BOOTTIME counts, to a hundredth of a second."""
        return self.started_ticks / _TICKS_PER_S

    def is_alive(self) -> bool:
        """Whether it still runs; one that has ended and was not waited for does not."""
        found = stat(self.pid)
        return found is not None and not found.ended and found.id == self


class Stat(Struct, frozen=True):
    """What the kernel knows of a process at an instant.

    ended: it is a zombie, or on its way out. stopped: by a signal, until it is continued.
    """

    id: ProcessId
    name: str
    parent: int
    group: int
    session: int
    ended: bool
    stopped: bool


def stat(pid: int) -> Stat | None:
    """The process of an id; None when there is none."""
    try:
        # As few calls as can be: this is read for every attempt of some systems.
        handle = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(handle, _LONGEST_STAT).decode(errors="replace")
        finally:
            os.close(handle)
    except (OSError, ValueError):
        return None
    before, _, after = text.rpartition(")")
    fields = after.split()
    return Stat(
        id=ProcessId(pid, int(fields[_STARTED])),
        name=before.partition("(")[2],
        parent=int(fields[_PARENT]),
        group=int(fields[_GROUP]),
        session=int(fields[_SESSION]),
        ended=fields[_STATE] in "ZX",
        stopped=fields[_STATE] in "Tt",
    )


def process_id(pid: int) -> ProcessId | None:
    """The process that runs under an id now; None when it has ended."""
    found = stat(pid)
    return None if found is None or found.ended else found.id


def all_processes() -> dict[int, Stat]:
    """Every process that runs now, by its id."""
    found = (stat(int(path.name)) for path in _PROC.iterdir() if path.name.isdigit())
    return {each.id.pid: each for each in found if each is not None and not each.ended}


def command_line(pid: int) -> str:
    """The command line of a process, its words with a space in between; empty when it has ended."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def tree(root: int, processes: dict[int, Stat] | None = None) -> list[ProcessId]:
    """A process and all that descends from it, parents first. What lost its parent is not found: see `orphans`.

    processes: all that run, where they are known; a kernel that lists children is asked for these alone.
    """
    if processes is None and _LISTS_CHILDREN:
        return _tree_by_lists(root)
    processes = all_processes() if processes is None else processes
    children: dict[int, list[int]] = {}
    for pid, each in processes.items():
        children.setdefault(each.parent, []).append(pid)
    found, left = [], [root]
    while left:
        pid = left.pop(0)
        if pid in processes:
            found.append(processes[pid].id)
        left += children.get(pid, [])
    return found


def _tree_by_lists(root: int) -> list[ProcessId]:
    """As the kernel lists the children of each thread (CONFIG_PROC_CHILDREN): of processes that are stopped, all of them."""
    found, left = [], [root]
    while left:
        pid = left.pop(0)
        if process := process_id(pid):
            found.append(process)
        left += _children(pid)
    return found


def _children(pid: int) -> list[int]:
    lists = []
    with suppress(OSError):
        for thread in (_PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                lists.append((thread / "children").read_text())
    return [int(word) for text in lists for word in text.split()]


def ancestors(pid: int, processes: dict[int, Stat] | None = None) -> set[int]:
    """A process and those that it descends from. processes: all that run, where they are known."""
    found, each = set[int](), _stat_of(pid, processes)
    while each is not None and each.id.pid not in found:
        found.add(each.id.pid)
        each = _stat_of(each.parent, processes)
    return found


def _stat_of(pid: int, processes: dict[int, Stat] | None) -> Stat | None:
    if processes is not None:
        return processes.get(pid)
    each = stat(pid)
    return None if each is None or each.ended else each


def since_boot_s() -> float:
    """Now, on the clock of `ProcessId.started_s`."""
    import time

    return time.clock_gettime(time.CLOCK_BOOTTIME)
