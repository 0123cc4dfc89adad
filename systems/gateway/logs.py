"""Lines for people, on stderr."""

import sys
from contextlib import suppress
from datetime import UTC, datetime


def log(message: object) -> None:
    """A line with its time."""
    with suppress(OSError):  # its disk may be full
        sys.stderr.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {message}\n")
        sys.stderr.flush()
