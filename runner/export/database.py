"""The interface of a time series database, and its errors."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Protocol

from soak.runner.export.metrics import MetricSnapshot
from soak.schemas.errors import reason

_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}


class ExportError(Exception):
    """An export failed: the reason, without any data sent or received, which may contain a secret.

    `refused`: because of its content, so that retrying is pointless.
    """

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused

    @classmethod
    def of_status(cls, status: int) -> "ExportError":
        """From the status of an answer."""
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return cls(f"it refused the user name or password (status {status})")
        return cls(f"it answered with status {status}", refused=status in _REFUSED)

    @classmethod
    def of(cls, error: object) -> "ExportError":
        """From the error of a connection."""
        if isinstance(error, TimeoutError) and not error.strerror:
            return cls("it did not answer in time")
        if isinstance(error, OSError) and error.strerror:
            return cls(reason(error))
        return cls(f"the connection failed ({type(error).__name__})")


class Database(Protocol):
    """A database that accepts snapshots."""

    keeps_history: bool
    """Whether it accepts older snapshots; otherwise only the latest is sent."""

    def send(self, snapshots: Sequence[MetricSnapshot]) -> None:
        """Send snapshots, oldest first. Raises ExportError."""
