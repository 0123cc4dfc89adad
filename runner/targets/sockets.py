"""A directory for sockets: their paths are limited to about a hundred bytes."""

import os
import tempfile

from soak.schemas.errors import UsageError

_LONGEST = 80


def socket_directory() -> "tempfile.TemporaryDirectory[str]":
    """A new one, removed when it is closed, or by the guardian once this process is gone.

    Raises UsageError when its path would be too long.
    """
    directory = tempfile.TemporaryDirectory(prefix=f"soak-{os.getpid()}-")
    if len(directory.name.encode()) > _LONGEST:
        directory.cleanup()
        raise UsageError(f"{directory.name}: path too long for sockets (set TMPDIR to a shorter one)")
    return directory
