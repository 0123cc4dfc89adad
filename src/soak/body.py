"""The body of every task: workers of the system under test call it; it reports to the runner and behaves as planned.

Its reports are the execution ledger: what was actually executed, independent of what the system reports.
Imports are few, since every worker process loads them.
"""

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from soak.contract import DESK
from soak.kit import PermanentError, Result, RunnerGoneError, TransientError

__all__ = ["Body", "PermanentError", "Result", "RunnerGoneError", "TransientError"]


class Body:
    """The connection of one worker to the runner: a JSON object per line, both ways. One attempt at a time.

    `desk` is `settings.desk`, the path of the runner's socket; by default it comes from the environment. Raises
    RunnerGoneError.
    """

    def __init__(self, desk: Path | str | None = None) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(str(desk or os.environ[DESK]))
        except OSError as error:
            self._socket.close()
            raise RunnerGoneError(f"no runner at the socket: {error}") from error
        self._reader = self._socket.makefile("r", encoding="utf-8")

    def run(self, payload: str, *, attempt: int, worker: str) -> Result:
        """Execute attempt `attempt` (from 1) of a task as planned. Raises TransientError, PermanentError or RunnerGoneError."""
        number = json.loads(payload)["number"]
        self._say(op="started", number=number, attempt=attempt, worker=worker, at=time.time())
        order = self._hear()
        self._say(op="ended", at=time.time())
        if order["end"] == "transient":
            raise TransientError(order["error"])
        if order["end"] == "permanent":
            raise PermanentError(order["error"])
        return Result(order["tokens"])

    def __enter__(self) -> "Body":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()
        self._socket.close()

    def _say(self, **message: object) -> None:
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise RunnerGoneError(str(error)) from error

    def _hear(self) -> dict[str, Any]:
        try:
            line = self._reader.readline()
        except OSError as error:
            raise RunnerGoneError(str(error)) from error
        if not line:
            raise RunnerGoneError("the runner has closed the connection")
        heard: dict[str, Any] = json.loads(line)
        return heard
