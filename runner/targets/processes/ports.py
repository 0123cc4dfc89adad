"""Ports of this machine: free ones, and who listens on one."""

import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from soak.runner.targets.processes.identity import Stat, all_processes, tree

_LISTENS = "0A"
_PROC = Path("/proc")
_TABLES = (_PROC / "net" / "tcp", _PROC / "net" / "tcp6")
LOOPBACK = "127.0.0.1"


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """A free port of the loopback interface for each name, all different. They are free now, not reserved."""
    held: dict[str, socket.socket] = {}
    try:
        for name in names:
            held[name] = socket.socket()
            held[name].bind((LOOPBACK, 0))
        return {name: each.getsockname()[1] for name, each in held.items()}
    finally:
        for each in held.values():
            each.close()


def is_taken(port: int) -> bool:
    """Whether something listens on a port of the loopback interface, or of all."""
    return bool(_inodes(port))


def listeners(port: int) -> list[Stat]:
    """The processes that listen on a port: those whose files this user may look at."""
    if not (inodes := _inodes(port)):
        return []
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return [each for pid, each in all_processes().items() if not wanted.isdisjoint(_files(pid))]


def listens(process: int, port: int) -> bool:
    """Whether a process, or one that descends from it, listens on a port. Cheaper than `listeners`, where it does itself."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    if not wanted or not wanted.isdisjoint(_files(process)):
        return bool(wanted)
    return any(not wanted.isdisjoint(_files(each.pid)) for each in tree(process)[1:])


def _inodes(port: int) -> set[str]:
    """The sockets that listen on a port."""
    found = set()
    for table in _TABLES:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _files(pid: int) -> set[str]:
    """What the open files of a process are links to."""
    found = set()
    try:
        for link in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                found.add(str(link.readlink()))
    except OSError:
        return found
    return found
