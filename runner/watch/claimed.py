"""Whether a runner works on a run: it holds a lock on the directory. Asked without taking the lock, which could stop a runner."""

from pathlib import Path

from soak.runner.evidence.directory import RunDirectory

_LOCKS = Path("/proc/locks")


def is_worked_on(directory: RunDirectory) -> bool | None:
    """Whether someone holds the lock of a run directory; None where the machine does not say."""
    try:
        found = directory.path.stat()
        locks = _LOCKS.read_text(encoding="ascii")
    except OSError:
        return None
    return any(" FLOCK " in line and f":{found.st_ino} " in line for line in locks.splitlines())
