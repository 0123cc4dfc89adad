"""The body of every task: workers of the system under test call it, it reports to the runner's desk and does as planned.

It is the execution ledger's hand: what really ran is known from here, whatever the system says about itself.
Imports are few: every worker process pays for them at its start.
"""

import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soak.contract import DESK


class TransientError(Exception):
    """The attempt failed for a reason that may pass; the message is the name of the error."""


class PermanentError(Exception):
    """The attempt failed and would fail again; the message is the name of the error."""


class RunnerGoneError(Exception):
    """There is no runner any more: a worker that meets this should end."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an attempt that ends well gives back. `tokens`: what it used, for the system's guardrail."""

    tokens: int


class Body:
    """The connection of one worker to the desk: a JSON object a line, both ways. One attempt at a time.

    `desk` is `settings.desk`; without it the environment says where the desk is. Raises RunnerGoneError.
    """

    def __init__(self, desk: Path | str | None = None) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(str(desk or os.environ[DESK]))
        except OSError as error:
            self._socket.close()
            raise RunnerGoneError(f"no runner at the desk: {error}") from error
        self._reader = self._socket.makefile("r", encoding="utf-8")

    def run(self, payload: str, *, attempt: int, worker: str) -> Result:
        """Do attempt `attempt` (from 1) of a task as planned. Raises TransientError, PermanentError or RunnerGoneError."""
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
        """Hang up."""
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
            raise RunnerGoneError("the runner has hung up")
        heard: dict[str, Any] = json.loads(line)
        return heard
