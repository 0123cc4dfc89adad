"""The body of a task, inside a worker of the system: it reports to the runner's desk and does what the plan says.

It is the execution ledger's hand: what really ran is known from here, whatever the system says about itself.
Imports are few: every worker process pays for them at its start.
"""

import json
import os
import socket
import time
from typing import Any

from systems.orchestrator.body import PermanentError, Result, TransientError
from systems.orchestrator.model import Task

DESK = "SOAK_DESK"
"""The environment variable that names the desk's socket."""


class _Line:
    """The connection of this process to the desk: a JSON object a line, both ways."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(os.environ[DESK])
        self._reader = self._socket.makefile("r", encoding="utf-8")

    def say(self, **message: object) -> None:
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        line = self._reader.readline()
        if not line:
            # The runner is gone: so is the reason to work on.
            os._exit(1)
        heard: dict[str, Any] = json.loads(line)
        return heard


_line: _Line | None = None


def run(task: Task, worker: str) -> Result:
    """Do a task as planned. Raises TransientError or PermanentError where the plan says so."""
    global _line  # noqa: PLW0603 - one connection for the life of the process
    _line = _line or _Line()
    number = json.loads(task.payload)["number"]
    _line.say(op="started", number=number, attempt=task.attempt, worker=worker, at=time.time())
    order = _line.hear()
    _line.say(op="ended", at=time.time())
    if order["end"] == "transient":
        raise TransientError(order["error"])
    if order["end"] == "permanent":
        raise PermanentError(order["error"])
    return Result(tokens=order["tokens"], report="")
