"""Ends all processes with a mark once the process that set it is gone, and removes its folders: `python guardian.py MARK PID`.

A mark is a resource limit, which every process passes on to its children, whatever exec, environment or new parent.
It is RLIMIT_RTTIME, the CPU time of a real-time process without a pause, set to weeks, so that it limits nothing.
Imports nothing else of soak, so that it starts quickly.
"""

import os
import resource
import signal
import sys
import time
from pathlib import Path

_LOOK_EVERY_S = 0.1
_LOOK_AGAIN_S = 0.01
_PATIENCE_S = 60.0
_PROCESSES = Path("/proc")


def marked(mark: int) -> dict[int, str]:
    """The processes that carry a mark, but this one, and their names."""
    others = [int(path.name) for path in _PROCESSES.iterdir() if path.name.isdigit() and int(path.name) != os.getpid()]
    return {pid: name for pid in others if _mark_of(pid) == mark and (name := _name(pid))}


def end_all(mark: int, patience_s: float) -> dict[int, str]:
    """Kill all processes with a mark until none is left, or the timeout; returns them with names."""
    found: dict[int, str] = {}
    until = time.monotonic() + patience_s
    while (left := marked(mark)) and time.monotonic() < until:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue  # it has just ended
        found.update(left)
        time.sleep(_LOOK_AGAIN_S)
    return found


def _mark_of(pid: int) -> int:
    try:
        return resource.prlimit(pid, resource.RLIMIT_RTTIME)[0]
    except OSError:
        return -1


def _name(pid: int) -> str:
    """What a process is called; empty when it has ended."""
    try:
        before, _, after = (_PROCESSES / str(pid) / "stat").read_text(errors="replace").rpartition(")")
    except OSError:
        return ""
    return "" if after.split()[0] in "ZX" else before.partition("(")[2] or "?"


def remove_folders(runner: int) -> None:
    """Remove the folders of a process that is gone: those of ours among temporary files whose names begin with its own."""
    import shutil
    import tempfile

    for path in Path(tempfile.gettempdir()).glob(f"soak-{runner}-*"):
        try:
            own = path.lstat().st_uid == os.getuid()
        except OSError:
            continue  # it has just been removed
        if own:
            shutil.rmtree(path, ignore_errors=True)


def main() -> None:
    """Wait for the end of the process that started this one."""
    mark, runner = int(sys.argv[1]), int(sys.argv[2])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_RTTIME)
    resource.setrlimit(resource.RLIMIT_RTTIME, (most, most))
    os.chdir("/")
    while os.getppid() == runner:
        time.sleep(_LOOK_EVERY_S)
    end_all(mark, _PATIENCE_S)
    remove_folders(runner)


if __name__ == "__main__":
    main()
