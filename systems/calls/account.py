"""The dependency's log of what it did: a line per event, written before the caller can know of it."""

import json
import os
import time


class Account:
    """Appends to a file; lines are atomic, even if the process is killed right after."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def tell(self, what: str, **more: int | float | str) -> None:
        """Write a line: when, what, and more."""
        line = json.dumps({"at": time.time(), "what": what, **more})
        os.write(self._file, line.encode() + b"\n")
