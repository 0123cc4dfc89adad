"""The interface of a time series database, and why it may refuse an export."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Protocol

from soak.runner.export.metrics import MetricSnapshot
from soak.schemas.errors import reason

_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}


class ExportError(Exception):
    """A database did not take an export: why, without anything it was sent or answered, which may hold a secret.

    `refused`: for what it holds, so that it is of no use to send the same again.
    """

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused

    @classmethod
    def of_status(cls, status: int) -> "ExportError":
        """From the status of an answer."""
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return cls(f"it refused our name or password (it answered {status})")
        return cls(f"it answered {status}", refused=status in _REFUSED)

    @classmethod
    def of(cls, error: object) -> "ExportError":
        """From the error of a connection."""
        if isinstance(error, TimeoutError) and not error.strerror:
            return cls("it did not answer in time")
        if isinstance(error, OSError) and error.strerror:
            return cls(reason(error))
        return cls(f"the connection broke ({type(error).__name__})")


class Database(Protocol):
    """Somewhere to send snapshots."""

    keeps_history: bool
    """Whether it takes older snapshots, too; otherwise only the newest is sent."""

    def send(self, snapshots: Sequence[MetricSnapshot]) -> None:
        """Send snapshots, oldest first. Raises ExportError."""
